import type { Flow } from '../instruction-set.ts';
import { maskOf, type Term, wrap } from '../term.ts';
import { additionFlags, conditionTerm, resultFlags, subtractionFlags, unknownFlags } from './flags.ts';
import type { MemoryOperand } from './instruction.ts';
import { RAX, RBP, RCX, RDI, RDX, RSI, RSP, type Step } from './step.ts';

/** What an instruction does; where it leads, if not to the next one. */
export type Semantics = (step: Step) => Flow | undefined;

/** Bytes that a repeated string instruction may fill and still be followed. */
const MAX_STRING = 4096n;

function nothing(): undefined {}

function move(step: Step): undefined {
  step.write(0, step.read(1, step.sizeOf(0)));
}

function moveSigned(step: Step): undefined {
  step.write(0, step.terms.sext(step.read(1), step.sizeOf(1) * 8));
}

function loadAddress(step: Step): undefined {
  const operand = step.operand(1);
  step.write(0, operand.kind === 'memory' ? step.addressOf(operand) : step.terms.unknown('instruction'));
}

function add(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const a = step.read(0);
  const b = step.read(1, size);
  step.write(0, terms.binary('add', a, b));
  state.flags = additionFlags(terms, a, b, size * 8);
}

function addWithCarry(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const carry = terms.truth(state.flags.carry());
  const sum = terms.binary('add', terms.binary('add', step.read(0), step.read(1, size)), carry);
  const result = terms.trunc(sum, size * 8);
  step.write(0, result);
  state.flags = resultFlags(terms, result, size * 8, () => terms.unknown('instruction'));
}

function subtract(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const a = step.read(0);
  const b = step.read(1, size);
  step.write(0, terms.binary('sub', a, b));
  state.flags = subtractionFlags(terms, a, b, size * 8);
}

function subtractWithBorrow(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const bits = size * 8;
  const borrow = terms.truth(state.flags.carry());
  const a = step.read(0);
  const b = step.read(1, size);
  if (a.id === b.id) {
    // The idiom for "all ones if below": a register from itself.
    const result = terms.if(borrow, terms.constant(wrap(-1n)), terms.constant(0n));
    step.write(0, result);
    state.flags = resultFlags(terms, terms.trunc(result, bits), bits, () => borrow);
    return;
  }
  const result = terms.trunc(terms.binary('sub', terms.binary('sub', a, b), borrow), bits);
  step.write(0, result);
  const below = () => terms.if(borrow, terms.binary('leu', a, b), terms.binary('ltu', a, b));
  state.flags = resultFlags(terms, result, bits, below);
}

function compare(step: Step): undefined {
  const size = step.sizeOf(0);
  step.state.flags = subtractionFlags(step.terms, step.read(0), step.read(1, size), size * 8);
}

function test(step: Step): undefined {
  const { terms } = step;
  const size = step.sizeOf(0);
  const result = terms.binary('and', step.read(0), step.read(1, size));
  step.state.flags = subtractionFlags(terms, result, terms.constant(0n), size * 8);
}

function logic(operator: 'and' | 'or' | 'xor'): Semantics {
  return (step) => {
    step.writeLogic(step.terms.binary(operator, step.read(0), step.read(1, step.sizeOf(0))));
    return undefined;
  };
}

function invert(step: Step): undefined {
  step.write(0, step.terms.binary('xor', step.read(0), step.terms.constant(wrap(-1n))));
}

function negate(step: Step): undefined {
  const { terms, state } = step;
  const a = step.read(0);
  const zero = terms.constant(0n);
  step.write(0, terms.binary('sub', zero, a));
  state.flags = subtractionFlags(terms, zero, a, step.sizeOf(0) * 8);
}

/** `inc` and `dec` leave the carry alone. */
function count(by: 1n | -1n): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bits = step.sizeOf(0) * 8;
    const { carry } = state.flags;
    const a = step.read(0);
    const b = terms.trunc(terms.constant(by), bits);
    step.write(0, terms.binary('add', a, b));
    const belowOrEqual = () => terms.truth(terms.unknown('instruction'));
    state.flags = { ...additionFlags(terms, a, b, bits), carry, belowOrEqual };
    return undefined;
  };
}

function shift(operator: 'shl' | 'shr' | 'sar'): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bits = step.sizeOf(0) * 8;
    const a = operator === 'sar' ? terms.sext(step.read(0), bits) : step.read(0);
    const mask = terms.constant(bits === 64 ? 63n : 31n);
    const amount = step.instruction.operands.length > 1 ? step.read(1, 1) : terms.constant(1n);
    const by = terms.binary('and', amount, mask);
    const result = terms.trunc(terms.binary(operator, a, by), bits);
    step.write(0, result);
    if (by.operator === 'constant') {
      if (by.value === 0n) return undefined;
      const last = by.value - 1n;
      const out = operator === 'shl' ? BigInt(bits) - 1n : 0n;
      const carry = () => {
        const before = terms.binary(operator, a, terms.constant(last));
        return terms.binary('and', terms.binary('shr', before, terms.constant(out)), terms.constant(1n));
      };
      state.flags = { ...resultFlags(terms, result, bits, carry) };
    } else state.flags = unknownFlags(terms);
    return undefined;
  };
}

function rotate(step: Step): undefined {
  const { terms, state, instruction } = step;
  const amount = instruction.operands.length > 1 ? step.read(1, 1) : terms.constant(1n);
  state.flags = unknownFlags(terms);
  step.write(0, rotated(step, step.read(0), amount, instruction.mnemonic === 'ror'));
}

function rotated(step: Step, a: Term, amount: Term, right: boolean): Term {
  const { terms } = step;
  if (amount.operator !== 'constant') return terms.unknown('instruction');
  const bits = BigInt(step.sizeOf(0) * 8);
  const count = amount.value % bits;
  const left = right ? (bits - count) % bits : count;
  if (left === 0n) return a;
  const high = terms.binary('shl', a, terms.constant(left));
  return terms.binary('or', high, terms.binary('shr', a, terms.constant(bits - left)));
}

/** Shifts of BMI2: three operands, no flags. */
function shiftApart(operator: 'shl' | 'shr' | 'sar'): Semantics {
  return (step) => {
    const { terms } = step;
    const bits = step.sizeOf(0) * 8;
    const a = operator === 'sar' ? terms.sext(step.read(1), bits) : step.read(1);
    const by = terms.binary('and', step.read(2), terms.constant(BigInt(bits - 1)));
    step.write(0, terms.binary(operator, a, by));
    return undefined;
  };
}

/** `andn`: the second operand inverted, and the third. */
function andNot(step: Step): undefined {
  const { terms } = step;
  const inverted = terms.binary('xor', step.read(1), terms.constant(wrap(-1n)));
  step.writeLogic(terms.binary('and', inverted, step.read(2)));
}

/** `blsr`, `blsi`: without the lowest bit, or that alone. */
function lowestBit(alone: boolean): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bits = step.sizeOf(0) * 8;
    const a = step.read(1);
    const other = alone
      ? terms.binary('sub', terms.constant(0n), a)
      : terms.binary('add', a, terms.constant(wrap(-1n)));
    const result = terms.trunc(terms.binary('and', a, other), bits);
    step.write(0, result);
    const isZero = () => terms.binary('eq', a, terms.constant(0n));
    state.flags = resultFlags(terms, result, bits, alone ? () => terms.not(isZero()) : isZero);
    return undefined;
  };
}

/** `bzhi`: the bits below an index. */
function bitsBelow(step: Step): undefined {
  const { terms, state } = step;
  const size = step.sizeOf(0);
  const index = terms.trunc(step.read(2), 8);
  if (index.operator !== 'constant') {
    step.write(0, terms.unknown('instruction'));
    state.flags = unknownFlags(terms);
    return;
  }
  const mask = terms.constant(maskOf(Number(index.value)));
  const result = terms.binary('and', step.read(1), mask);
  step.write(0, result);
  state.flags = resultFlags(terms, result, size * 8, () => terms.unknown('instruction'));
}

/** `bextr`: so many bits from a place on, both in the last operand. */
function extractBits(step: Step): undefined {
  const { terms, state } = step;
  const control = step.read(2);
  const known = control.operator === 'constant';
  const start = terms.constant(control.value & 0xffn);
  const mask = terms.constant(maskOf(Number((control.value >> 8n) & 0xffn)));
  const result = known
    ? terms.binary('and', terms.binary('shr', step.read(1), start), mask)
    : terms.unknown('instruction');
  step.write(0, result);
  state.flags = resultFlags(terms, terms.trunc(result, step.sizeOf(0) * 8), step.sizeOf(0) * 8, () =>
    terms.constant(0n),
  );
}

/** `imul` with two or three operands gives the low half. */
function multiplySigned(step: Step): undefined {
  const { terms, state } = step;
  const { operands } = step.instruction;
  if (operands.length === 1) {
    multiplyWide(step);
    return;
  }
  const size = step.sizeOf(0);
  const [i, j] = operands.length === 2 ? [0, 1] : [1, 2];
  step.write(0, terms.binary('mul', step.read(i!, size), step.read(j!, size)));
  state.flags = unknownFlags(terms);
}

/** rdx:rax = rax * operand; the high half only where it follows from the bits. */
function multiplyWide(step: Step): undefined {
  const { terms, state } = step;
  const bits = step.sizeOf(0) * 8;
  const isSigned = step.instruction.mnemonic === 'imul';
  const extend = (term: Term) => (isSigned ? terms.sext(term, bits) : terms.trunc(term, bits));
  const product = terms.binary('mul', extend(state.registers[RAX]!), extend(step.read(0)));
  state.flags = unknownFlags(terms);
  if (bits < 32) {
    state.registers[RAX] = terms.unknown('instruction');
    state.registers[RDX] = terms.unknown('instruction');
  } else if (bits === 32) {
    state.registers[RAX] = terms.trunc(product, 32);
    state.registers[RDX] = terms.trunc(terms.binary('shr', product, terms.constant(32n)), 32);
  } else {
    state.registers[RAX] = product;
    state.registers[RDX] = terms.unknown('instruction');
  }
}

/** rax, rdx = rdx:rax / operand, where rdx only extends rax. */
function divide(step: Step): undefined {
  const { terms, state } = step;
  const bits = step.sizeOf(0) * 8;
  const low = terms.trunc(state.registers[RAX]!, bits);
  const high = terms.trunc(state.registers[RDX]!, bits);
  const by = step.read(0);
  state.flags = unknownFlags(terms);
  const zero = high.operator === 'constant' && high.value === 0n;
  const positive = low.ones >> BigInt(bits - 1) === 0n && by.ones >> BigInt(bits - 1) === 0n;
  if (bits >= 32 && zero && (step.instruction.mnemonic === 'div' || positive)) {
    state.registers[RAX] = terms.binary('div', low, by);
    state.registers[RDX] = terms.binary('mod', low, by);
  } else {
    state.registers[RAX] = terms.unknown('instruction');
    state.registers[RDX] = terms.unknown('instruction');
  }
}

/** The bit that `bt` and its kin look at. */
function testedBit(step: Step): Term {
  const { terms } = step;
  const operand = step.operand(0);
  const index = step.read(1, step.sizeOf(1));
  const bits = BigInt(step.sizeOf(0) * 8);
  if (operand.kind === 'memory' && index.operator !== 'constant') return terms.unknown('memory');
  const by = terms.binary('and', index, terms.constant(bits - 1n));
  return terms.binary('and', terms.binary('shr', step.read(0), by), terms.constant(1n));
}

function bitTest(change: 'set' | 'reset' | 'complement' | undefined): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bit = testedBit(step);
    if (change) {
      const mask = terms.constant(BigInt(step.sizeOf(0) * 8 - 1));
      const one = terms.binary('shl', terms.constant(1n), terms.binary('and', step.read(1), mask));
      const a = step.read(0);
      if (change === 'set') step.write(0, terms.binary('or', a, one));
      else if (change === 'complement') step.write(0, terms.binary('xor', a, one));
      else step.write(0, terms.binary('and', a, terms.binary('xor', one, terms.constant(wrap(-1n)))));
    }
    // Zero stays as it was, the others are undefined.
    state.flags = { ...unknownFlags(terms), zero: state.flags.zero, carry: () => bit };
    return undefined;
  };
}

function setIf(step: Step): undefined {
  const { instruction, terms, state } = step;
  if (instruction.condition) step.write(0, conditionTerm(terms, state.flags, instruction.condition));
}

function moveIf(step: Step): undefined {
  const { instruction, terms, state } = step;
  if (!instruction.condition) return;
  const condition = conditionTerm(terms, state.flags, instruction.condition);
  step.write(0, terms.if(condition, step.read(1), step.read(0)));
}

function jumpIf(step: Step): Flow {
  const { instruction, terms, state } = step;
  const target = step.operand(0);
  if (target.kind !== 'target' || !instruction.condition) return { kind: 'invalid' };
  const condition = conditionTerm(terms, state.flags, instruction.condition);
  return { kind: 'branch', condition, target: target.address, next: instruction.next };
}

function jump(step: Step): Flow {
  return { kind: 'jump', target: step.read(0, 8) };
}

function call(step: Step): Flow {
  const target = step.read(0, 8);
  const { next } = step.instruction;
  step.push(step.terms.constant(BigInt(next)));
  return { kind: 'call', target, next };
}

function leave(step: Step): undefined {
  const { state } = step;
  state.registers[RSP] = state.registers[RBP]!;
  state.registers[RBP] = step.pop();
}

function exchange(step: Step): undefined {
  const a = step.read(0);
  const b = step.read(1);
  step.write(0, b);
  step.write(1, a);
}

function extendAccumulator(from: number, to: number): Semantics {
  return (step) => {
    const { terms, state } = step;
    const bits = from * 8;
    const extended = terms.sext(terms.trunc(state.registers[RAX]!, bits), bits);
    if (to === 2) {
      const kept = terms.binary('and', state.registers[RAX]!, terms.constant(~0xffffn));
      state.registers[RAX] = terms.binary('or', kept, terms.trunc(extended, 16));
    } else state.registers[RAX] = terms.trunc(extended, to * 8);
    return undefined;
  };
}

function signToData(size: 4 | 8): Semantics {
  return (step) => {
    const { terms, state } = step;
    const extended = terms.sext(terms.trunc(state.registers[RAX]!, size * 8), size * 8);
    state.registers[RDX] = terms.trunc(terms.binary('sar', extended, terms.constant(63n)), size * 8);
    return undefined;
  };
}

function swapBytes(step: Step): undefined {
  step.write(0, swapped(step, step.read(0)));
}

/** `movbe`: a move that turns the bytes around. */
function moveSwapped(step: Step): undefined {
  step.write(0, swapped(step, step.read(1)));
}

function swapped(step: Step, a: Term): Term {
  const { terms } = step;
  const size = step.sizeOf(0);
  let result = terms.constant(0n);
  for (let i = 0; i < size; i++) {
    const byte = terms.binary(
      'and',
      terms.binary('shr', a, terms.constant(BigInt(i * 8))),
      terms.constant(0xffn),
    );
    result = terms.binary(
      'or',
      result,
      terms.binary('shl', byte, terms.constant(BigInt((size - 1 - i) * 8))),
    );
  }
  return result;
}

/** `rep stos` with a known count, to the stack: how a local array is cleared. */
function storeString(size: number): Semantics {
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
function moveString(size: number): Semantics {
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

/** 16 bytes between vector registers and memory. */
function moveVector(step: Step): undefined {
  const { terms, state } = step;
  const target = step.operand(0);
  const source = step.operand(1);
  const wide =
    (target.kind === 'vector' && target.size > 16) || (source.kind === 'vector' && source.size > 16);
  const value = source.kind === 'vector' ? step.vector(source.register) : loadVector(step, source);
  if (target.kind === 'vector') {
    if (wide) state.vectors.delete(target.register);
    else state.vectors.set(target.register, value);
  } else if (target.kind === 'memory' && !target.segment) {
    const address = step.addressOf(target);
    state.memory.store(address, 8, value[0]);
    state.memory.store(terms.binary('add', address, terms.constant(8n)), 8, value[1]);
    if (wide) {
      state.memory.loseAll();
    }
  }
}

function loadVector(step: Step, source: { kind: string }): readonly [Term, Term] {
  const { terms } = step;
  if (source.kind !== 'memory') return [terms.unknown('instruction'), terms.unknown('instruction')];
  const operand = source as MemoryOperand;
  const high = { ...operand, displacement: operand.displacement + 8n };
  return [step.load(operand, 8), step.load(high, 8)];
}

/** 4 or 8 bytes between a vector register and memory or a general register; the rest of a vector becomes 0. */
function moveScalar(size: 4 | 8): Semantics {
  return (step) => {
    const { terms, state } = step;
    const target = step.operand(0);
    const value = step.read(1, size);
    if (target.kind === 'vector')
      state.vectors.set(target.register, [terms.trunc(value, size * 8), terms.constant(0n)]);
    else step.write(0, terms.trunc(value, size * 8));
    return undefined;
  };
}

/** The high half of a vector from or to memory. */
function moveHigh(step: Step): undefined {
  const { state } = step;
  const target = step.operand(0);
  const source = step.operand(1);
  if (target.kind === 'vector')
    state.vectors.set(target.register, [step.vector(target.register)[0], step.read(1, 8)]);
  else if (target.kind === 'memory' && source.kind === 'vector')
    step.write(0, step.vector(source.register)[1]);
}

/** Two low halves side by side. */
function unpackLow(step: Step): undefined {
  const target = step.operand(0);
  if (target.kind !== 'vector') return;
  const source = step.operand(1);
  const high = source.kind === 'vector' ? step.vector(source.register)[0] : step.read(1, 8);
  step.state.vectors.set(target.register, [step.vector(target.register)[0], high]);
}

function vectorLogic(operator: 'and' | 'or' | 'xor'): Semantics {
  return (step) => {
    const { terms, state } = step;
    const target = step.operand(0);
    const three = step.instruction.operands.length > 2;
    const left = step.operand(three ? 1 : 0);
    const right = step.operand(three ? 2 : 1);
    if (target.kind !== 'vector' || left.kind !== 'vector') return undefined;
    if (operator === 'xor' && right.kind === 'vector' && right.register === left.register) {
      state.vectors.set(target.register, [terms.constant(0n), terms.constant(0n)]);
      return undefined;
    }
    const a = step.vector(left.register);
    const b = right.kind === 'vector' ? step.vector(right.register) : loadVector(step, right);
    state.vectors.set(target.register, [
      terms.binary(operator, a[0], b[0]),
      terms.binary(operator, a[1], b[1]),
    ]);
    return undefined;
  };
}

const conditions = ['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'];

/** By mnemonic, what each modelled instruction does. */
export const semantics: ReadonlyMap<string, Semantics> = new Map<string, Semantics>([
  ...['nop', 'endbr64', 'endbr32', 'pause', 'prefetcht0', 'prefetchw', 'lfence', 'sfence', 'mfence'].map(
    (name): [string, Semantics] => [name, nothing],
  ),
  ...conditions.flatMap((name): [string, Semantics][] => [
    [`set${name}`, setIf],
    [`cmov${name}`, moveIf],
    [`j${name}`, jumpIf],
  ]),
  ['mov', move],
  ['movzx', move],
  ['movsx', moveSigned],
  ['movsxd', moveSigned],
  ['lea', loadAddress],
  ['add', add],
  ['adc', addWithCarry],
  ['sub', subtract],
  ['sbb', subtractWithBorrow],
  ['cmp', compare],
  ['test', test],
  ['and', logic('and')],
  ['or', logic('or')],
  ['xor', logic('xor')],
  ['not', invert],
  ['neg', negate],
  ['inc', count(1n)],
  ['dec', count(-1n)],
  ['shl', shift('shl')],
  ['sal', shift('shl')],
  ['shr', shift('shr')],
  ['sar', shift('sar')],
  ['rol', rotate],
  ['ror', rotate],
  ['imul', multiplySigned],
  ['mul', multiplyWide],
  ['div', divide],
  ['idiv', divide],
  ['bt', bitTest(undefined)],
  ['bts', bitTest('set')],
  ['btr', bitTest('reset')],
  ['btc', bitTest('complement')],
  ['bswap', swapBytes],
  ['movbe', moveSwapped],
  ['shlx', shiftApart('shl')],
  ['shrx', shiftApart('shr')],
  ['sarx', shiftApart('sar')],
  ['rorx', (step) => step.write(0, rotated(step, step.read(1), step.read(2, 1), true)) as undefined],
  ['andn', andNot],
  ['blsr', lowestBit(false)],
  ['blsi', lowestBit(true)],
  ['bzhi', bitsBelow],
  ['bextr', extractBits],
  ['xchg', exchange],
  ['cbw', extendAccumulator(1, 2)],
  ['cwde', extendAccumulator(2, 4)],
  ['cdqe', extendAccumulator(4, 8)],
  ['cdq', signToData(4)],
  ['cqo', signToData(8)],
  ['push', (step) => step.push(step.read(0, 8)) as undefined],
  ['pop', (step) => step.write(0, step.pop()) as undefined],
  ['leave', leave],
  ['jmp', jump],
  ['call', call],
  ['ret', (step) => ({ kind: 'return', target: step.pop() })],
  ['ud2', () => ({ kind: 'trap' })],
  ['int3', () => ({ kind: 'trap' })],
  ['hlt', () => ({ kind: 'trap' })],
  ['stosb', storeString(1)],
  ['stosd', storeString(4)],
  ['stosq', storeString(8)],
  ['movsb', moveString(1)],
  ['movsq', moveString(8)],
  ...[
    'movdqa',
    'movdqu',
    'movaps',
    'movups',
    'movapd',
    'movupd',
    'vmovdqa',
    'vmovdqu',
    'vmovaps',
    'vmovups',
  ].map((name): [string, Semantics] => [name, moveVector]),
  ...['movq', 'vmovq'].map((name): [string, Semantics] => [name, moveScalar(8)]),
  ...['movd', 'vmovd'].map((name): [string, Semantics] => [name, moveScalar(4)]),
  ['movhps', moveHigh],
  ['movhpd', moveHigh],
  ['punpcklqdq', unpackLow],
  ...['pxor', 'xorps', 'xorpd', 'vpxor', 'vxorps', 'vxorpd'].map((name): [string, Semantics] => [
    name,
    vectorLogic('xor'),
  ]),
  ...['pand', 'andps', 'vpand', 'vandps'].map((name): [string, Semantics] => [name, vectorLogic('and')]),
  ...['por', 'orps', 'vpor', 'vorps'].map((name): [string, Semantics] => [name, vectorLogic('or')]),
]);
