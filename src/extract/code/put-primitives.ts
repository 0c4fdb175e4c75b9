import { type CallHandler, handleKnownCalls } from './calls.ts';
import { Explorer } from './explore.ts';
import type { MachineImage } from './image.ts';
import type { InstructionSet } from './instruction-set.ts';
import { putLimits } from './limits.ts';
import type { PutPrimitive, PutPrimitives } from './put-function.ts';

/** A VMStateInfo with its name and the address of its put (or save). */
export interface NamedPut {
  readonly name: string;
  readonly put: number;
}

/** The infos of base types (migration/vmstate-types.c): the put of each calls one function that writes to the stream. */
const baseTypes: ReadonlyMap<string, PutPrimitive> = new Map<string, PutPrimitive>([
  ['bool', 1],
  ['int8', 1],
  ['uint8', 1],
  ['int16', 2],
  ['uint16', 2],
  ['int32', 4],
  ['uint32', 4],
  ['int64', 8],
  ['uint64', 8],
  ['buffer', 'buffer'],
]);

/** Finds the functions that write to the stream, which have no names in a stripped binary, by who calls them. */
export function findPutPrimitives(
  image: MachineImage,
  set: InstructionSet,
  infos: Iterable<NamedPut>,
): PutPrimitives {
  const primitives = new Map<number, PutPrimitive>();
  for (const { name, put } of infos) {
    const primitive = baseTypes.get(name);
    const callee = primitive === undefined ? undefined : onlyWriter(image, set, put);
    if (primitive === undefined || callee === undefined) continue;
    const known = primitives.get(callee);
    // Where two base types disagree, something else was found.
    if (known !== undefined && known !== primitive) return new Map();
    primitives.set(callee, primitive);
  }
  return primitives;
}

/** The one function that a put calls with the stream as its first argument. */
function onlyWriter(image: MachineImage, set: InstructionSet, put: number): number | undefined {
  const callees = new Set<number>();
  const handler: CallHandler = (call) => {
    const [file] = call.args;
    const takesFile = file?.operator === 'symbol' && file.name === 'file';
    if (call.target.operator !== 'constant' || !takesFile || Number(call.target.value) === put)
      return handleKnownCalls(call);
    callees.add(Number(call.target.value));
    return { result: call.terms.unknown('call'), keepsMemory: true };
  };
  const explorer = new Explorer(
    image,
    set,
    { ...putLimits, instructions: 200 },
    { handler, fails: () => false, traces: false },
  );
  const { terms } = explorer;
  explorer.run(put, [
    terms.symbol('file'),
    terms.symbol('opaque'),
    terms.symbol('size'),
    terms.symbol('field'),
  ]);
  return callees.size === 1 ? [...callees][0] : undefined;
}
