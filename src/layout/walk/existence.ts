import { candidateValues } from '../../expressions/candidate-values.ts';
import { type Dependency, evaluate, type MemoryPlace } from '../../expressions/evaluate.ts';
import type { KnownBits } from '../../expressions/known-bits.ts';
import type { ObjectPlace, UnknownOption } from '../../infos/reader.ts';
import type { ExistenceTest } from '../../vmsd/compiled.ts';
import type { Objects, Shadow, ShadowKey } from './shadow.ts';

/** A test's answer, or what to guess next for it: a key into the shadow and the values that it could have. */
type Existence =
  | { readonly known: true; readonly exists: boolean }
  | {
      readonly known: false;
      readonly key: ShadowKey;
      readonly options: readonly UnknownOption[];
      /** A question that is answered with it. */
      readonly also?: string;
    };

/** Variables of the expression. */
const GLOBALS: ObjectPlace = { object: -1, offset: 0 };

/** Bits that it costs to say that a test answers otherwise than it did for another struct. */
const UNUSUAL_TEST = 4;

const YES_OR_NO: readonly UnknownOption[] = [
  { value: 1n, cost: 1 },
  { value: 0n, cost: 1 },
];

/**
 * Evaluates an existence test over what has been loaded and guessed. What is not known is guessed by bits where a bit
 * decides, so that all tests which read it agree, and by the numbers that a member is compared with where more does.
 */
export function decideExistence(
  test: ExistenceTest,
  versionId: number,
  place: ObjectPlace,
  shadow: Shadow,
  objects: Objects,
  isLoad = false,
): Existence {
  if (test.expression === undefined) return askTest(test, place, shadow, isLoad);
  const start = ({ root, path }: MemoryPlace): ObjectPlace | undefined =>
    root === 'field' ? undefined : follow(root === 'global' ? GLOBALS : place, path, objects);
  const load = (memory: MemoryPlace): bigint | KnownBits | undefined => {
    const at = start(memory);
    return at && loadBits(shadow, at, memory.size);
  };
  const answer = evaluate(test.expression, { version: versionId, load });
  if (answer.known) return { known: true, exists: answer.value !== 0n };
  for (const dependency of answer.hangsOn) {
    const at = start(dependency.place);
    if (!at) continue;
    const bit = singleBit(dependency);
    if (bit !== undefined) return { known: false, key: { kind: 'bit', ...at, bit }, options: YES_OR_NO };
    const { size } = dependency.place;
    if (shadow.load(at.object, at.offset, size) !== undefined) continue;
    const options = candidateValues(test.expression, dependency.place).map((value, i) => ({
      value,
      cost: 1 + i,
    }));
    return { known: false, key: { kind: 'member', ...at, size }, options };
  }
  return askTest(test, place, shadow, isLoad);
}

/** The function as a whole is guessed, for each struct: mostly it says the same of all structs of a device. */
function askTest(
  test: ExistenceTest,
  { object, offset }: ObjectPlace,
  shadow: Shadow,
  isLoad: boolean,
): Existence {
  // A load may change what such an answer hangs on: what it was before is the likelier one.
  const to = `${isLoad ? 'test on load' : 'test'} ${test.id} of ${object} at ${offset}`;
  const guess = shadow.answered(to);
  if (guess !== undefined) return { known: true, exists: guess !== 0n };
  const also = `test ${test.id}`;
  const usual = shadow.answered(also);
  const options = [1n, 0n].map((value) => ({
    value,
    cost: usual === undefined ? 1 : value === usual ? 0 : UNUSUAL_TEST,
  }));
  if (usual === 0n) options.reverse();
  return { known: false, key: { kind: 'answer', to }, options, also };
}

function follow(place: ObjectPlace, path: readonly number[], objects: Objects): ObjectPlace {
  let at = { object: place.object, offset: place.offset + (path[0] ?? 0) };
  for (const step of path.slice(1)) at = { object: objects.behind(at.object, at.offset), offset: step };
  return at;
}

function singleBit({ mask }: Dependency): number | undefined {
  if (mask === 0n || (mask & (mask - 1n)) !== 0n) return undefined;
  return mask.toString(2).length - 1;
}

/** A place's value when it was loaded as it is or in a larger member, else the bits of it that were guessed. */
function loadBits(
  shadow: Shadow,
  { object, offset }: ObjectPlace,
  size: number,
): bigint | KnownBits | undefined {
  for (let width = size; width <= 8; width *= 2) {
    const start = Math.floor(offset / width) * width;
    const value = shadow.load(object, start, width);
    if (value === undefined || start + width < offset + size) continue;
    return BigInt.asUintN(size * 8, value >> BigInt((offset - start) * 8));
  }
  let value = 0n;
  let known = 0n;
  // Smaller members that it is made of, on a little endian host.
  for (let width = size / 2; width >= 1; width /= 2) {
    for (let part = 0; part < size; part += width) {
      const loaded = shadow.load(object, offset + part, width);
      if (loaded === undefined) continue;
      value |= loaded << BigInt(part * 8);
      known |= ((1n << BigInt(width * 8)) - 1n) << BigInt(part * 8);
    }
  }
  for (let bit = 0; bit < size * 8; bit++) {
    const guess = shadow.bit(object, offset, bit);
    if (guess === undefined || (known >> BigInt(bit)) & 1n) continue;
    known |= 1n << BigInt(bit);
    if (guess !== 0n) value |= 1n << BigInt(bit);
  }
  return known === 0n ? undefined : { value, known };
}
