import type { Fields } from '../fields.ts';
import { type Note, NT_PRFPREG, NT_PRSTATUS, StructWriter } from '../notes.ts';
import { type Architecture, type CoreFormat, processId, registersOf } from './architecture.ts';

const EM_ARM = 40;
const EM_AARCH64 = 183;
const NT_ARM_VFP = 0x400;
/** Set in CPSR, and clear in PSTATE: the processor runs 32-bit code. */
const NRW = 1n << 4n;
const FPSR_MASK = 0xf800_009fn;
const FPCR_MASK = 0x07f7_9f00n;
const SCTLR_EE = 1n << 25n;
/** SCTLR by KVM's numbers of registers, which the stream uses: of a 64-bit processor, and of a 32-bit one. */
const SCTLR_EL1 = 0x6030_0000_0013_c080n;
const SCTLR = 0x4020_0000_000f_0800n;
const thirtyTwo = Array.from({ length: 32 }, (_, index) => index);

/** target/arm/arch_dump.c, but for NT_ARM_SVE: what is needed for its lengths is not in the stream. */
export const aarch64: Architecture = {
  name: 'aarch64',
  recognises: (cpu) => is64BitProcessor(cpu),
  format: (first) => ({ machine: EM_AARCH64, bits: 64, littleEndian: isLittleEndian(first) }),
  notes: (cpus, format) =>
    cpus.flatMap((cpu): Note[] => [
      { name: 'CORE', type: NT_PRSTATUS, content: prstatus64(cpu, format) },
      { name: 'CORE', type: NT_PRFPREG, content: vfp64(cpu, format) },
    ]),
};

export const arm: Architecture = {
  name: 'arm',
  recognises: (cpu) => cpu.has('env.xregs'),
  format: (first, end) => ({
    machine: EM_ARM,
    bits: end > 0xffff_ffff ? 64 : 32,
    littleEndian: isLittleEndian(first),
  }),
  notes: (cpus, format) =>
    cpus.flatMap((cpu): Note[] => {
      const fpu = cpu.has('cpu/vfp');
      const prstatus: Note = { name: 'CORE', type: NT_PRSTATUS, content: prstatus32(cpu, format, fpu) };
      return fpu ? [prstatus, { name: 'LINUX', type: NT_ARM_VFP, content: vfp32(cpu, format) }] : [prstatus];
    }),
};

/** A 32-bit one sends SCTLR as a register of its own too; a microcontroller has neither. */
function is64BitProcessor(cpu: Fields): boolean {
  const indexes = cpu.integers('cpreg_vmstate_indexes') ?? [];
  return indexes.includes(SCTLR_EL1) && !indexes.includes(SCTLR);
}

function isLittleEndian(cpu: Fields): boolean {
  const index = cpu.integers('cpreg_vmstate_indexes')?.indexOf(SCTLR_EL1) ?? -1;
  return ((cpu.integers('cpreg_vmstate_values')?.[index] ?? 0n) & SCTLR_EE) === 0n;
}

function prstatus64(cpu: Fields, { littleEndian }: CoreFormat): Uint8Array {
  const { one, many } = registersOf(cpu);
  const state = cpu.integer('cpu/pstate64', 'pstate64') ?? one('cpsr');
  const is32Bit = (state & NRW) !== 0n;
  const x = is32Bit ? registersOf32BitCode(cpu, state) : many(32, 'env.xregs');
  const pc = is32Bit ? many(16, 'env.regs')[15]! : one('env.pc');
  return new StructWriter(392, littleEndian)
    .skip(32)
    .u32(processId(cpu))
    .skip(76)
    .u64(...x.slice(0, 31), is32Bit ? 0n : x[31]!, pc, state)
    .u32(1).bytes;
}

/** Modes of a 32-bit processor, target/arm/cpu.h. */
const [USR, FIQ, IRQ, SVC, ABT, HYP, UND, SYS] = [0x10, 0x11, 0x12, 0x13, 0x17, 0x1a, 0x1b, 0x1f];
/** Of env.banked_r13 and env.banked_r14, target/arm/internals.h. */
const bankOf: Readonly<Record<number, number>> = {
  [USR]: 0,
  [SVC]: 1,
  [ABT]: 2,
  [UND]: 3,
  [IRQ]: 4,
  [FIQ]: 5,
  [HYP]: 6,
};

/** The 64-bit view of the registers (target/arm/helper.c, aarch64_sync_32_to_64). */
function registersOf32BitCode(cpu: Fields, cpsr: bigint): readonly bigint[] {
  const { many } = registersOf(cpu);
  const mode = Number(cpsr & 0x1fn);
  const r = many(16, 'env.regs');
  const r13 = many(8, 'env.banked_r13');
  const r14 = many(8, 'env.banked_r14');
  const user = mode === USR || mode === SYS;
  const stack = (of: number) => (mode === of || (of === USR && user) ? r[13]! : r13[bankOf[of]!]!);
  const link = (of: number) =>
    mode === of || (of === USR && (user || mode === HYP)) ? r[14]! : r14[bankOf[of]!]!;
  const fast = mode === FIQ ? r.slice(8, 13) : many(5, 'env.fiq_regs');
  return [
    ...r.slice(0, 8),
    ...(mode === FIQ ? many(5, 'env.usr_regs') : r.slice(8, 13)),
    ...[stack(USR), link(USR), stack(HYP)],
    ...[IRQ, SVC, ABT, UND].flatMap((of) => [link(of), stack(of)]),
    ...fast,
    ...[stack(FIQ), link(FIQ)],
  ];
}

/** FPSR and FPCR: in one field as far as 32-bit code has them, else in one of their own each. */
function floatingPointStatus(cpu: Fields): { fpsr: bigint; fpcr: bigint } {
  const fpscr = registersOf(cpu).one('cpu/vfp', 'fpscr');
  return {
    fpsr: cpu.integer('cpu/vfp', 'cpu/vfp/fpcr_fpsr', 'fpsr') ?? fpscr & FPSR_MASK,
    fpcr: cpu.integer('cpu/vfp', 'cpu/vfp/fpcr_fpsr', 'fpcr') ?? fpscr & FPCR_MASK,
  };
}

function vfp64(cpu: Fields, { littleEndian }: CoreFormat): Uint8Array {
  const { many } = registersOf(cpu);
  const { fpsr, fpcr } = floatingPointStatus(cpu);
  const halves = thirtyTwo.flatMap((index) => {
    const [low = 0n, high = 0n] = many(2, 'cpu/vfp', `env.vfp.zregs[${index}].d`);
    return littleEndian ? [low, high] : [high, low];
  });
  return new StructWriter(528, littleEndian).u64(...halves).u32(fpsr, fpcr).bytes;
}

function prstatus32(cpu: Fields, { littleEndian }: CoreFormat, fpu: boolean): Uint8Array {
  const { one, many } = registersOf(cpu);
  return new StructWriter(148, littleEndian)
    .skip(24)
    .u32(processId(cpu))
    .skip(44)
    .u32(...many(16, 'env.regs'), one('cpsr'))
    .skip(4)
    .u32(fpu ? 1 : 0).bytes;
}

function vfp32(cpu: Fields, { littleEndian }: CoreFormat): Uint8Array {
  const { many } = registersOf(cpu);
  // Two double registers are in each of the first 16 vectors.
  const doubles = thirtyTwo.map((index) => many(2, 'cpu/vfp', `env.vfp.zregs[${index >> 1}].d`)[index & 1]!);
  const { fpsr, fpcr } = floatingPointStatus(cpu);
  return new StructWriter(260, littleEndian).u64(...doubles).u32(fpsr | fpcr).bytes;
}
