import { RAX, RCX, RDI, RSI, type Semantics } from './step.ts';

/** Bytes that a repeated string instruction may fill and still be followed. */
const MAX_STRING = 4096n;

/** `rep stos` with a known count, to the stack: how a local array is cleared. */
export function storeString(size: number): Semantics {
  return (step) => {
    const { terms, state } = step;
    const length = state.registers[RCX]!;
    const to = state.registers[RDI]!;
    const value = terms.trunc(state.registers[RAX]!, size * 8);
    if (!step.instruction.repeated) {
      state.memory.store(to, size, value);
      state.registers[RDI] = terms.binary('add', to, terms.constant(BigInt(size)));
      return undefined;
    }
    if (length.operator !== 'constant' || length.value * BigInt(size) > MAX_STRING) {
      state.memory.loseAll();
      state.registers[RDI] = terms.unknown('instruction');
    } else {
      for (let i = 0n; i < length.value; i++)
        state.memory.store(terms.binary('add', to, terms.constant(i * BigInt(size))), size, value);
      state.registers[RDI] = terms.binary('add', to, terms.constant(length.value * BigInt(size)));
    }
    state.registers[RCX] = terms.constant(0n);
    return undefined;
  };
}

/** `rep movs` with a known count: how a struct is copied. */
export function moveString(size: number): Semantics {
  return (step) => {
    const { terms, state } = step;
    const to = state.registers[RDI]!;
    const from = state.registers[RSI]!;
    const length = step.instruction.repeated ? state.registers[RCX]! : terms.constant(1n);
    if (length.operator !== 'constant' || length.value * BigInt(size) > MAX_STRING) {
      state.memory.loseAll();
      state.registers[RDI] = terms.unknown('instruction');
      state.registers[RSI] = terms.unknown('instruction');
    } else {
      const bytes = length.value * BigInt(size);
      for (let at = 0n; at < bytes; at += BigInt(size)) {
        const value = state.memory.load(terms.binary('add', from, terms.constant(at)), size);
        state.memory.store(terms.binary('add', to, terms.constant(at)), size, value);
      }
      state.registers[RDI] = terms.binary('add', to, terms.constant(bytes));
      state.registers[RSI] = terms.binary('add', from, terms.constant(bytes));
    }
    if (step.instruction.repeated) state.registers[RCX] = terms.constant(0n);
    return undefined;
  };
}
