import type { Fields } from '../fields.ts';
import { type Note, NT_PRSTATUS, StructWriter } from '../notes.ts';
import { type Architecture, processId, registersOf } from './architecture.ts';

const EM_386 = 3;
const EM_X86_64 = 62;
const HF_LMA = 1n << 14n;

/** Of env.regs and env.segs, target/i386/cpu.h. */
const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI] = [0, 1, 2, 3, 4, 5, 6, 7];
const [ES, CS, SS, DS, FS, GS] = [0, 1, 2, 3, 4, 5];

/** QEMUCPUState, version 1: the only one. */
const QEMU_STATE_VERSION = 1;
const QEMU_STATE_LENGTH = 440;

/** target/i386/arch_dump.c. A guest that is not in long mode gets the notes of i386, also on x86_64. */
export const x86: Architecture = {
  name: 'x86',
  recognises: (cpu) => cpu.has('env.eip'),
  format(first, end) {
    const longMode = isLongMode(first);
    return {
      machine: longMode ? EM_X86_64 : EM_386,
      bits: longMode || end > 0xffff_ffff ? 64 : 32,
      littleEndian: true,
    };
  },
  notes: (cpus, { machine }) => [
    ...cpus.map((cpu): Note => {
      const content = machine === EM_X86_64 ? prstatus64(cpu) : prstatus32(cpu);
      return { name: 'CORE', type: NT_PRSTATUS, content };
    }),
    ...cpus.map((cpu): Note => ({ name: 'QEMU', type: 0, content: qemuState(cpu) })),
  ],
};

function isLongMode(cpu: Fields): boolean {
  return ((cpu.integer('env.hflags') ?? 0n) & HF_LMA) !== 0n;
}

function prstatus64(cpu: Fields): Uint8Array {
  const { one, many } = registersOf(cpu);
  const r = many(16, 'env.regs') as bigint[];
  const selector = (segment: number) => one('env.segs', segment, 'selector');
  const base = (segment: number) => one('env.segs', segment, 'base');
  const ORIG_RAX = 0;
  return new StructWriter(336, true)
    .skip(32)
    .u32(processId(cpu))
    .skip(76)
    .u64(r[15]!, r[14]!, r[13]!, r[12]!, r[RBP]!, r[RBX]!, r[11]!, r[10]!, r[9]!, r[8]!)
    .u64(r[RAX]!, r[RCX]!, r[RDX]!, r[RSI]!, r[RDI]!, ORIG_RAX)
    .u64(one('env.eip'), selector(CS), one('env.eflags'), r[RSP]!, selector(SS))
    .u64(base(FS), base(GS), selector(DS), selector(ES), selector(FS), selector(GS)).bytes;
}

function prstatus32(cpu: Fields): Uint8Array {
  const { one, many } = registersOf(cpu);
  const r = many(8, 'env.regs');
  const selector = (segment: number) => one('env.segs', segment, 'selector') & 0xffffn;
  const ORIG_EAX = 0;
  return new StructWriter(144, true)
    .skip(24)
    .u32(processId(cpu))
    .skip(44)
    .u32(r[RBX]!, r[RCX]!, r[RDX]!, r[RSI]!, r[RDI]!, r[RBP]!, r[RAX]!)
    .u32(selector(DS), selector(ES), selector(FS), selector(GS))
    .u32(ORIG_EAX, one('env.eip'), selector(CS), one('env.eflags'), r[RSP]!, selector(SS)).bytes;
}

function qemuState(cpu: Fields): Uint8Array {
  const { one, many } = registersOf(cpu);
  const isX86_64 = cpu.has('env.kernelgsbase');
  const r = many(isX86_64 ? 16 : 8, 'env.regs');
  const writer = new StructWriter(QEMU_STATE_LENGTH, true)
    .u32(QEMU_STATE_VERSION, QEMU_STATE_LENGTH)
    .u64(r[RAX]!, r[RBX]!, r[RCX]!, r[RDX]!, r[RSI]!, r[RDI]!, r[RSP]!, r[RBP]!)
    .u64(...Array.from({ length: 8 }, (_, index) => r[8 + index] ?? 0n))
    .u64(one('env.eip'), one('env.eflags'));
  const segments = [CS, DS, ES, FS, GS, SS].map((segment): [string, number] => ['env.segs', segment]);
  for (const path of [...segments, ['env.ldt'], ['env.tr'], ['env.gdt'], ['env.idt']]) {
    writer
      .u32(one(...path, 'selector'), one(...path, 'limit'), one(...path, 'flags'))
      .skip(4)
      .u64(one(...path, 'base'));
  }
  const CR1 = 0;
  writer.u64(one('env.cr[0]'), CR1, one('env.cr[2]'), one('env.cr[3]'), one('env.cr[4]'));
  return writer.u64(cpu.integer('env.kernelgsbase') ?? 0n).bytes;
}
