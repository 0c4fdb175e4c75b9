import type { Fields } from '../fields.ts';
import { type Note, NT_PRFPREG, NT_PRSTATUS, StructWriter } from '../notes.ts';
import { type Architecture, processId, registersOf } from './architecture.ts';

const EM_S390 = 22;
const NT_S390_TIMER = 0x301;
const NT_S390_TODCMP = 0x302;
const NT_S390_TODPREG = 0x303;
const NT_S390_CTRS = 0x304;
const NT_S390_PREFIX = 0x305;
const NT_S390_VXRS_LOW = 0x309;
const NT_S390_VXRS_HIGH = 0x30a;
const NT_S390_GS_CB = 0x30b;

const sixteen = Array.from({ length: 16 }, (_, index) => index);

/** target/s390x/arch_dump.c, of guests that are not protected. */
export const s390x: Architecture = {
  name: 's390x',
  recognises: (cpu) => cpu.has('env.psw.mask'),
  format: () => ({ machine: EM_S390, bits: 64, littleEndian: false }),
  notes: (cpus) => cpus.flatMap(notesOf),
};

function notesOf(cpu: Fields): readonly Note[] {
  const { one, many } = registersOf(cpu);
  const struct = (length: number) => new StructWriter(length, false);
  // The floating point registers are the high halves of the first 16; without vector registers there are no more.
  const high = (index: number) => one('cpu/fpu', `env.vregs[${index}][0]`);
  const vector = (index: number, half: number) =>
    cpu.integer('cpu/vregs', `env.vregs[${index}][${half}]`) ?? 0n;
  const linux = (type: number, content: StructWriter): Note => ({
    name: 'LINUX',
    type,
    content: content.bytes,
  });
  const prstatus = struct(336)
    .skip(32)
    .u32(processId(cpu))
    .skip(76)
    .u64(one('env.psw.mask'), one('env.psw.addr'), ...many(16, 'env.regs'))
    .u32(...many(16, 'env.aregs'));
  const fpregset = struct(136)
    .u32(one('cpu/fpu', 'env.fpc'))
    .skip(4)
    .u64(...sixteen.map(high));
  return [
    { name: 'CORE', type: NT_PRSTATUS, content: prstatus.bytes },
    { name: 'CORE', type: NT_PRFPREG, content: fpregset.bytes },
    linux(NT_S390_PREFIX, struct(4).u32(one('env.psa'))),
    linux(NT_S390_CTRS, struct(128).u64(...many(16, 'env.cregs'))),
    linux(NT_S390_TIMER, struct(8).u64(one('env.cputm'))),
    linux(NT_S390_TODCMP, struct(8).u64(one('env.ckc'))),
    linux(NT_S390_TODPREG, struct(4).u32(one('env.todpr'))),
    linux(NT_S390_VXRS_LOW, struct(128).u64(...sixteen.map((index) => vector(index, 1)))),
    linux(
      NT_S390_VXRS_HIGH,
      struct(256).u64(...sixteen.flatMap((index) => [vector(16 + index, 0), vector(16 + index, 1)])),
    ),
    linux(NT_S390_GS_CB, struct(32).u64(...(cpu.integers('cpu/gscb', 'env.gscb') ?? [0, 0, 0, 0]))),
  ];
}
