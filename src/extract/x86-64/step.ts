import { maskOf, type Term } from '../../expressions/term.ts';
import type { Terms } from '../../expressions/terms.ts';
import type { Flow } from '../code/instruction-set.ts';
import type { MachineState } from '../code/state.ts';
import { loadMemory } from '../code/table-lookup.ts';
import { subtractionFlags } from './flags.ts';
import type { Instruction, MemoryOperand, Operand } from './instruction.ts';

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

/** Where the loader keeps the stack protector's value in thread-local storage. */
const CANARY_OFFSET = 0x28n;

/** What an instruction does; where it leads, if not to the next one. */
export type Semantics = (step: Step) => Flow | undefined;

/** One instruction about to be executed: reads and writes of its operands. */
export class Step {
  readonly state: MachineState;
  readonly terms: Terms;
  readonly instruction: Instruction;

  constructor(state: MachineState, terms: Terms, instruction: Instruction) {
    this.state = state;
    this.terms = terms;
    this.instruction = instruction;
  }

  operand(i: number): Operand {
    return this.instruction.operands[i] ?? { kind: 'other' };
  }

  /** Bytes of the i-th operand. */
  sizeOf(i: number): number {
    const operand = this.operand(i);
    switch (operand.kind) {
      case 'register':
      case 'vector':
      case 'memory':
        return operand.size || 8;
      default:
        return 8;
    }
  }

  /** An immediate as the operand it goes with sees it: the low bytes. */
  read(i: number, size = this.sizeOf(i)): Term {
    const { terms, state } = this;
    const operand = this.operand(i);
    switch (operand.kind) {
      case 'immediate':
        return terms.constant(operand.value & maskOf(size * 8));
      case 'register': {
        const register = state.registers[operand.register]!;
        const from = operand.high ? terms.binary('shr', register, terms.constant(8n)) : register;
        return terms.trunc(from, operand.size * 8);
      }
      case 'memory':
        return this.load(operand, operand.size || size);
      case 'vector':
        return terms.trunc(this.vector(operand.register)[0], Math.min(size, 8) * 8);
      case 'target':
        return terms.constant(BigInt(operand.address));
      case 'other':
        return terms.unknown('instruction');
    }
  }

  write(i: number, term: Term): void {
    const { terms, state } = this;
    const operand = this.operand(i);
    if (operand.kind === 'memory') {
      if (operand.segment) return;
      const size = operand.size || 8;
      state.memory.store(this.addressOf(operand), size, terms.trunc(term, size * 8));
    } else if (operand.kind === 'register') {
      state.registers[operand.register] = this.#merged(operand, term);
    }
  }

  /** A register after a write to a part of it: 32 bits clear the rest, fewer keep it. */
  #merged({ register, size, high }: Operand & { kind: 'register' }, term: Term): Term {
    const { terms, state } = this;
    if (size >= 4) return terms.trunc(term, size * 8);
    const shift = high ? 8n : 0n;
    const mask = maskOf(size * 8) << shift;
    const kept = terms.binary('and', state.registers[register]!, terms.constant(~mask));
    const put = terms.binary('shl', terms.trunc(term, size * 8), terms.constant(shift));
    return terms.binary('or', kept, put);
  }

  addressOf(operand: MemoryOperand): Term {
    const { terms, state } = this;
    let address = terms.constant(operand.displacement);
    if (operand.index !== undefined) {
      const scale = terms.constant(BigInt(operand.scale));
      address = terms.binary('add', terms.binary('mul', state.registers[operand.index]!, scale), address);
    }
    if (operand.base !== undefined) address = terms.binary('add', state.registers[operand.base]!, address);
    return operand.narrow ? terms.trunc(address, 32) : address;
  }

  load(operand: MemoryOperand, size: number): Term {
    const { terms, state } = this;
    if (operand.segment) {
      const plain = operand.base === undefined && operand.index === undefined;
      return operand.segment === 'fs' && plain && operand.displacement === CANARY_OFFSET
        ? terms.symbol('canary')
        : terms.unknown('memory');
    }
    if (size > 8) return terms.unknown('memory');
    return loadMemory(state, terms, this.addressOf(operand), size);
  }

  vector(register: number): readonly [Term, Term] {
    return (
      this.state.vectors.get(register) ?? [this.terms.unknown('register'), this.terms.unknown('register')]
    );
  }

  /** Writes a result and the flags of an operation that clears carry and overflow. */
  writeLogic(term: Term): void {
    const bits = this.sizeOf(0) * 8;
    const result = this.terms.trunc(term, bits);
    this.state.flags = subtractionFlags(this.terms, result, this.terms.constant(0n), bits);
    this.write(0, result);
  }

  push(term: Term): void {
    const { terms, state } = this;
    const address = terms.binary('add', state.registers[RSP]!, terms.constant(-8n));
    state.registers[RSP] = address;
    state.memory.save(address, 8, term);
  }

  pop(): Term {
    const { terms, state } = this;
    const address = state.registers[RSP]!;
    state.registers[RSP] = terms.binary('add', address, terms.constant(8n));
    return state.memory.load(address, 8);
  }
}
