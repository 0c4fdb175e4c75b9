import type * as Iced from 'iced-x86';
import type { DecodeInstruction, FlagCondition, Instruction, Operand, Written } from './instruction.ts';
import { loadIced } from './load-iced.ts';

/** Longest instruction of the architecture. */
const MAX_LENGTH = 15;

/**
 * The decoder of iced-x86, a WebAssembly library: loaded when code is first looked at, and only here. `wantsWritten`
 * tells of which mnemonics it shall say what they write.
 */
export async function loadIcedDecoder(
  wantsWritten: (mnemonic: string) => boolean,
): Promise<DecodeInstruction> {
  const iced = await loadIced();
  const translate = translator(iced, wantsWritten);
  return (bytes, address) => {
    const decoder = new iced.Decoder(64, bytes.subarray(0, MAX_LENGTH), iced.DecoderOptions.None);
    try {
      decoder.ip = BigInt(address);
      const instruction = decoder.decode();
      try {
        return instruction.isInvalid ? undefined : translate(instruction, address);
      } finally {
        instruction.free();
      }
    } finally {
      decoder.free();
    }
  };
}

/** From the library's instructions to ours. */
function translator(
  iced: typeof Iced,
  wantsWritten: (mnemonic: string) => boolean,
): (instruction: Iced.Instruction, address: number) => Instruction {
  const { Register, OpKind, Mnemonic, ConditionCode } = iced;
  const general = new Map<number, Operand & { kind: 'register' }>();
  for (let i = 0; i < 16; i++) {
    general.set(Register.RAX + i, { kind: 'register', register: i, size: 8, high: false });
    general.set(Register.EAX + i, { kind: 'register', register: i, size: 4, high: false });
    general.set(Register.AX + i, { kind: 'register', register: i, size: 2, high: false });
  }
  const byteNames = ['AL', 'CL', 'DL', 'BL', 'SPL', 'BPL', 'SIL', 'DIL'] as const;
  for (const [i, name] of byteNames.entries())
    general.set(Register[name], { kind: 'register', register: i, size: 1, high: false });
  for (let i = 0; i < 8; i++)
    general.set(Register.R8L + i, { kind: 'register', register: 8 + i, size: 1, high: false });
  for (const [i, name] of (['AH', 'CH', 'DH', 'BH'] as const).entries())
    general.set(Register[name], { kind: 'register', register: i, size: 1, high: true });
  const vectors = new Map<number, Operand & { kind: 'vector' }>();
  for (let i = 0; i < 32; i++) {
    vectors.set(Register.XMM0 + i, { kind: 'vector', register: i, size: 16 });
    vectors.set(Register.YMM0 + i, { kind: 'vector', register: i, size: 32 });
    vectors.set(Register.ZMM0 + i, { kind: 'vector', register: i, size: 64 });
  }
  const sizes = new Map<number, number>();
  const immediates: ReadonlySet<number> = new Set([
    OpKind.Immediate8,
    OpKind.Immediate8_2nd,
    OpKind.Immediate16,
    OpKind.Immediate32,
    OpKind.Immediate64,
    OpKind.Immediate8to16,
    OpKind.Immediate8to32,
    OpKind.Immediate8to64,
    OpKind.Immediate32to64,
  ]);
  const targets: ReadonlySet<number> = new Set([
    OpKind.NearBranch16,
    OpKind.NearBranch32,
    OpKind.NearBranch64,
  ]);

  const memory = (instruction: Iced.Instruction): Operand => {
    const { memoryBase, memoryIndex, memorySegment, memorySize } = instruction;
    let size = sizes.get(memorySize);
    if (size === undefined) {
      size = iced.MemorySizeExt.size(memorySize);
      sizes.set(memorySize, size);
    }
    const relative = memoryBase === Register.RIP || memoryBase === Register.EIP;
    const base = general.get(memoryBase);
    const index = general.get(memoryIndex);
    if (memoryBase !== Register.None && !base && !relative) return { kind: 'other' };
    if (memoryIndex !== Register.None && !index) return { kind: 'other' };
    return {
      kind: 'memory',
      segment: memorySegment === Register.FS ? 'fs' : memorySegment === Register.GS ? 'gs' : undefined,
      base: base?.register,
      index: index?.register,
      scale: instruction.memoryIndexScale,
      displacement: instruction.memoryDisplacement,
      narrow: base?.size === 4 || index?.size === 4 || memoryBase === Register.EIP,
      size,
    };
  };

  const operand = (instruction: Iced.Instruction, i: number): Operand => {
    const kind = instruction.opKind(i);
    if (kind === OpKind.Register) {
      const register = instruction.opRegister(i);
      return general.get(register) ?? vectors.get(register) ?? { kind: 'other' };
    }
    if (kind === OpKind.Memory) return memory(instruction);
    if (immediates.has(kind))
      return { kind: 'immediate', value: BigInt.asUintN(64, instruction.immediate(i)) };
    if (targets.has(kind)) return { kind: 'target', address: Number(instruction.nearBranchTarget) };
    return { kind: 'other' };
  };

  let factory: Iced.InstructionInfoFactory | undefined;
  const reads: ReadonlySet<number> = new Set([
    iced.OpAccess.None,
    iced.OpAccess.Read,
    iced.OpAccess.CondRead,
    iced.OpAccess.NoMemAccess,
  ]);
  const written = (instruction: Iced.Instruction): Written => {
    factory ??= new iced.InstructionInfoFactory();
    const info = factory.info(instruction);
    const registers = new Set<number>();
    const changedVectors = new Set<number>();
    for (const used of info.usedRegisters()) {
      if (!reads.has(used.access)) {
        const register = general.get(used.register);
        const vector = vectors.get(used.register);
        if (register) registers.add(register.register);
        if (vector) changedVectors.add(vector.register);
      }
      used.free();
    }
    let writesMemory = false;
    for (const used of info.usedMemory()) {
      if (!reads.has(used.access)) writesMemory = true;
      used.free();
    }
    info.free();
    return { registers: [...registers], vectors: [...changedVectors], memory: writesMemory };
  };

  return (instruction, address) => {
    const { mnemonic, conditionCode, opCount, length } = instruction;
    const operands: Operand[] = [];
    for (let i = 0; i < opCount; i++) operands.push(operand(instruction, i));
    const name = Mnemonic[mnemonic]!.toLowerCase();
    return {
      mnemonic: name,
      operands,
      condition:
        conditionCode === ConditionCode.None
          ? undefined
          : (ConditionCode[conditionCode] as FlagCondition | undefined),
      repeated: instruction.hasRepPrefix || instruction.hasRepnePrefix,
      goesOn: instruction.flowControl === iced.FlowControl.Next,
      next: address + length,
      written: wantsWritten(name) ? written(instruction) : undefined,
    };
  };
}
