import type { Fields } from '../fields.ts';
import { type Note, NT_PRFPREG, NT_PRSTATUS, StructWriter } from '../notes.ts';
import { type Architecture, type CoreFormat, processId, registersOf } from './architecture.ts';

const EM_PPC64 = 21;
const NT_PPC_VMX = 0x100;
const NT_PPC_SPE = 0x101;
const NT_PPC_VSX = 0x102;
/** Special purpose registers by number, target/ppc/cpu.h. */
const [XER, LR, CTR, LPCR] = [1, 8, 9, 0x13e];
const LPCR_ILE = 1n << 25n;

/** target/ppc/arch_dump.c, for 64-bit processors of the server family. */
export const ppc64: Architecture = {
  name: 'ppc64',
  recognises: (cpu) => cpu.has('env.nip') && cpu.has('env.spr'),
  format: (first) => ({
    machine: EM_PPC64,
    bits: 64,
    littleEndian: ((first.integers('env.spr')?.[LPCR] ?? 0n) & LPCR_ILE) !== 0n,
  }),
  notes: (cpus, format) => cpus.flatMap((cpu) => notesOf(cpu, format)),
};

function notesOf(cpu: Fields, { littleEndian }: CoreFormat): readonly Note[] {
  const { one, many } = registersOf(cpu);
  const spr = many(1024, 'env.spr') as bigint[];
  const struct = (length: number) => new StructWriter(length, littleEndian);
  const core = (type: number, content: StructWriter): Note => ({
    name: 'CORE',
    type,
    content: content.bytes,
  });
  const ccr = many(8, 'env.crf').reduce((value, field) => (value << 4n) | (field & 15n), 0n);
  const ORIG_GPR3 = 0;
  return [
    core(
      NT_PRSTATUS,
      struct(504)
        .skip(32)
        .u32(processId(cpu))
        .skip(76)
        .u64(...many(32, 'env.gpr'), one('env.nip'), one('env.msr'), ORIG_GPR3)
        .u64(spr[CTR]!, spr[LR]!, spr[XER]!, ccr),
    ),
    core(NT_PRFPREG, struct(264).u64(...many(32, 'cpu/fpu', 'env.vsr'), one('cpu/fpu', 'env.fpscr'))),
    core(NT_PPC_VMX, vectors(cpu, struct(544), littleEndian)),
    core(NT_PPC_VSX, struct(256).u64(...(cpu.integers('cpu/vsx', 'env.vsr') ?? []))),
    core(
      NT_PPC_SPE,
      struct(140)
        .skip(128)
        .u64(cpu.integer('env.spe_acc') ?? 0n),
    ),
  ];
}

/**
 * 16 bytes each, zero on a processor that has none. The stream has their halves in the order of the host's memory
 * (target/ppc/machine.c, put_avr): of a little endian host the lower one is first.
 */
function vectors(cpu: Fields, writer: StructWriter, littleEndian: boolean): StructWriter {
  const values = cpu.wideIntegers('cpu/altivec', 'env.vsr') ?? Array.from({ length: 32 }, () => 0n);
  for (const value of values) {
    const halves = [value >> 64n, BigInt.asUintN(64, value)];
    writer.u64(...(littleEndian ? halves : halves.reverse()));
  }
  return writer.skip(12).u32(cpu.integer('cpu/altivec', 'vscr') ?? 0n);
}
