import type { Expression } from '../../expressions/expression.ts';
import type { Term } from '../../expressions/term.ts';
import { toExpression } from '../../expressions/term-expression.ts';
import { type CallHandler, handleKnownCalls } from './calls.ts';
import { Explorer } from './explore.ts';
import type { MachineImage } from './image.ts';
import type { InstructionSet } from './instruction-set.ts';
import { type Limits, putLimits } from './limits.ts';
import type { PutCall, Trace } from './state.ts';

/** A function that writes to the stream: an integer of so many bytes, big endian, or a buffer. */
export type PutPrimitive = 1 | 2 | 4 | 8 | 'buffer';

/** By address, the functions `qemu_put_byte`, `qemu_put_be16`, `qemu_put_be32`, `qemu_put_be64`, `qemu_put_buffer`. */
export type PutPrimitives = ReadonlyMap<number, PutPrimitive>;

/** What a VMStateInfo writes. */
export interface PutShape {
  /** Bytes in the stream; undefined where the choices in `items` differ. */
  readonly length: number | undefined;
  /** In stream order. */
  readonly items: readonly PutItem[];
}

export type PutItem = PutElement | PutChoice;

export interface PutElement {
  /** An integer, big endian, or bytes as they are in memory. */
  readonly kind: 'integer' | 'bytes';
  /** Bytes in the stream. */
  readonly size: number;
  /** The integer, or the address of the bytes; an unknown part where the code does not tell. */
  readonly value: Expression;
}

/** What is written hangs on a condition: on the object, or on the configuration of the program. */
export interface PutChoice {
  readonly kind: 'choice';
  readonly condition: Expression;
  readonly whenTrue: readonly PutItem[];
  readonly whenFalse: readonly PutItem[];
}

/** What a put is called with, besides the stream and the object. */
export interface PutArguments {
  /** The `size` argument: the field's size, or what its size_offset says. */
  readonly size?: number;
  /** Where the VMStateField lies in the image. */
  readonly field?: number;
  /** `save` of QEMU 11.1 and later says false where it fails, `put` a number that is not 0. */
  readonly isSave?: boolean;
}

/** Bytes that one call may put, and calls that one put may make: a VMStateInfo is for small values. */
const MAX_BUFFER = 1n << 20n;
const MAX_ITEMS = 4096;

/**
 * What `int put(QEMUFile *f, void *pv, size_t size, const VMStateField *field, JSONWriter *vmdesc)` writes when it
 * succeeds (or `save`, which takes the same first arguments); undefined where it cannot be told from the code, as
 * when there is an element for each of a list. Never throws.
 */
export function analysePut(
  image: MachineImage,
  set: InstructionSet,
  address: number,
  primitives: PutPrimitives,
  { size, field, isSave = false }: PutArguments = {},
  limits: Limits = putLimits,
): PutShape | undefined {
  const explorer = new Explorer(image, set, limits, {
    handler: putHandler(primitives),
    fails: isSave ? savesNot : putsNot,
    traces: true,
  });
  const { terms } = explorer;
  const outcome = explorer.run(address, [
    terms.symbol('file'),
    terms.symbol('opaque'),
    size === undefined ? terms.symbol('size') : terms.constant(BigInt(size)),
    field === undefined ? terms.symbol('field') : terms.constant(BigInt(field)),
  ]);
  if (outcome.kind !== 'end' || outcome.state.trace === 'unclear') return undefined;
  const items = toItems(outcome.state.trace, { left: MAX_ITEMS });
  return items && { length: lengthOf(items), items };
}

function savesNot(result: Term): boolean {
  return result.operator === 'constant' && (result.value & 0xffn) === 0n;
}

function putsNot(result: Term): boolean {
  return result.operator === 'constant' && (result.value & 0xffff_ffffn) !== 0n;
}

function toItems(trace: Trace | undefined, budget: { left: number }): PutItem[] | undefined {
  const items: PutItem[] = [];
  for (let at = trace; at; at = at.before) {
    if (budget.left-- <= 0) return undefined;
    const { item } = at;
    if (item.kind === 'fork') {
      const whenTrue = toItems(item.whenTrue, budget);
      const whenFalse = toItems(item.whenFalse, budget);
      if (!whenTrue || !whenFalse) return undefined;
      items.push({ kind: 'choice', condition: toExpression(item.condition), whenTrue, whenFalse });
    } else items.push({ kind: item.kind, size: item.size, value: toExpression(item.value) });
  }
  return items.reverse();
}

function lengthOf(items: readonly PutItem[]): number | undefined {
  let length = 0;
  for (const item of items) {
    let size: number | undefined;
    if (item.kind === 'choice') {
      const one = lengthOf(item.whenTrue);
      if (one === lengthOf(item.whenFalse)) size = one;
    } else size = item.size;
    if (size === undefined) return undefined;
    length += size;
  }
  return length;
}

function putHandler(primitives: PutPrimitives): CallHandler {
  return (call) => {
    const { terms, target, args } = call;
    const primitive = target.operator === 'constant' ? primitives.get(Number(target.value)) : undefined;
    if (primitive === undefined) return handleKnownCalls(call);
    const [file, value, length] = args;
    if (file!.operator !== 'symbol' || file!.name !== 'file') return undefined;
    const result = terms.unknown('call');
    if (primitive !== 'buffer') {
      const put: PutCall = { kind: 'integer', size: primitive, value: terms.trunc(value!, primitive * 8) };
      return { result, keepsMemory: true, put };
    }
    const bytes = terms.settle(length!, call.state.assumptions);
    // Without a put, it writes an amount that is not clear.
    if (bytes.operator !== 'constant' || bytes.value > MAX_BUFFER) return { result, keepsMemory: true };
    const put: PutCall = { kind: 'bytes', size: Number(bytes.value), value: value! };
    return { result, keepsMemory: true, put };
  };
}
