import type { Term } from '../../expressions/term.ts';
import type { Terms } from '../../expressions/terms.ts';
import type { MachineImage } from '../code/image.ts';
import type { Flow, InstructionSet } from '../code/instruction-set.ts';
import type { MachineState } from '../code/state.ts';
import { unknownFlags } from './flags.ts';
import type { DecodeInstruction, Instruction } from './instruction.ts';
import { semantics } from './semantics.ts';
import { RAX, RCX, RDI, RDX, RSI, RSP, Step } from './step.ts';

/** Longest instruction. */
const MAX_LENGTH = 15;

/** x86-64 with the calling convention of the System V ABI. */
export function createX86InstructionSet(decode: DecodeInstruction): InstructionSet {
  const decoded = new WeakMap<MachineImage, Map<number, Instruction | undefined>>();
  const instructionAt = (image: MachineImage, address: number): Instruction | undefined => {
    let known = decoded.get(image);
    if (!known) {
      known = new Map();
      decoded.set(image, known);
    }
    const seen = known.get(address);
    if (seen || known.has(address)) return seen;
    const bytes = image.read(address, MAX_LENGTH);
    const instruction = bytes && bytes.length > 0 ? decode(bytes, address) : undefined;
    known.set(address, instruction);
    return instruction;
  };
  return {
    name: 'x86_64',
    registerCount: 16,
    argumentRegisters: [RDI, RSI, RDX, RCX, 8, 9],
    resultRegister: RAX,
    volatileRegisters: [RAX, RCX, RDX, RSI, RDI, 8, 9, 10, 11],
    unknownFlags,
    enter(state, terms, returnAddress) {
      state.registers[RSP] = terms.symbol('stack');
      state.memory.save(state.registers[RSP]!, 8, returnAddress);
    },
    returnAddress(state) {
      return state.memory.load(state.registers[RSP]!, 8);
    },
    leave(state, terms) {
      state.registers[RSP] = terms.binary('add', state.registers[RSP]!, terms.constant(8n));
    },
    step(state, terms, image, address) {
      const instruction = instructionAt(image, address);
      if (!instruction) return { kind: 'invalid' };
      return execute(state, terms, instruction);
    },
  };
}

function execute(state: MachineState, terms: Terms, instruction: Instruction): Flow {
  const run = semantics.get(instruction.mnemonic);
  const next: Flow = { kind: 'next', address: instruction.next };
  if (run) return run(new Step(state, terms, instruction)) ?? next;
  if (!instruction.goesOn) return { kind: 'invalid' };
  forget(state, terms, instruction);
  return next;
}

/** What an instruction that is not modelled leaves: nothing is known of what it writes. */
function forget(state: MachineState, terms: Terms, { written }: Instruction): void {
  const unknown = (): Term => terms.unknown('instruction');
  state.flags = unknownFlags(terms);
  if (!written) return;
  for (const register of written.registers) state.registers[register] = unknown();
  for (const register of written.vectors) state.vectors.delete(register);
  if (written.memory) state.memory.loseAll();
}

/** Whether what an instruction writes has to be asked of the decoder. */
export function isNotModelled(mnemonic: string): boolean {
  return !semantics.has(mnemonic);
}
