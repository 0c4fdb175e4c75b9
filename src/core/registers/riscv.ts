import type { Fields } from '../fields.ts';
import { NT_PRSTATUS, StructWriter } from '../notes.ts';
import { type Architecture, processId, registersOf } from './architecture.ts';

const EM_RISCV = 243;
const MSTATUS_UBE = 1n << 6n;
/** Value of misa_mxl: XLEN is 32. */
const MXL_RV32 = 1n;

/** target/riscv/arch_dump.c. */
export const riscv: Architecture = {
  name: 'riscv',
  recognises: (cpu) => cpu.has('env.mhartid'),
  format: (first) => ({
    machine: EM_RISCV,
    bits: first.integer('env.misa_mxl') === MXL_RV32 ? 32 : 64,
    littleEndian: ((first.integer('env.mstatus') ?? 0n) & MSTATUS_UBE) === 0n,
  }),
  notes: (cpus, { bits, littleEndian }) =>
    cpus.map((cpu) => {
      const content = bits === 64 ? prstatus64(cpu, littleEndian) : prstatus32(cpu, littleEndian);
      return { name: 'CORE', type: NT_PRSTATUS, content };
    }),
};

function prstatus64(cpu: Fields, littleEndian: boolean): Uint8Array {
  const { one, many } = registersOf(cpu);
  return new StructWriter(376, littleEndian)
    .skip(32)
    .u32(processId(cpu))
    .skip(76)
    .u64(one('env.pc'), ...many(32, 'env.gpr').slice(1)).bytes;
}

function prstatus32(cpu: Fields, littleEndian: boolean): Uint8Array {
  const { one, many } = registersOf(cpu);
  return new StructWriter(204, littleEndian)
    .skip(24)
    .u32(processId(cpu))
    .skip(44)
    .u32(one('env.pc'), ...many(32, 'env.gpr').slice(1)).bytes;
}
