import type { Range } from '../../src/bytes/range.ts';
import type { Random } from './random.ts';

/** No input grows beyond this. */
export const MAX_INPUT = 1 << 20;

/** Bytes that mean something somewhere: record types, flags, terminators, NULL markers, brackets. */
const MEANINGFUL = [0x00, 0xff, 0x7e, 0x05, 0x30, 0x31, 0x04, 0x07, 0x08, 0x10, 0x20, 0x7b, 0x22, 0x5d, 0x80];
/** Words of text formats: numbers at the ends of their ranges, names that objects have anyway, what terminals obey. */
const WORDS = [
  '0',
  '1',
  '-1',
  '255',
  '65536',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '18446744073709551616',
  '1e308',
  '1e999',
  '0.5',
  '2.9183649635036497',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '"x"',
  '"__proto__"',
  '"constructor"',
  '"\\u001b[2J"',
  '"\\u202e"',
  '"\\ud800"',
  '"\\u0000"',
];
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|\w+|[[\]{}:,]/g;
/** Tokens are looked for in a part of a long text. */
const TEXT_PART = 4096;

export interface Material {
  /** Where to change something; empty where any place is as good as another. */
  readonly places: readonly Range[];
  /** Another input, to take parts of. */
  readonly other: Uint8Array;
  /** Of text: what to put in the place of other tokens. */
  readonly words: readonly string[] | undefined;
  /** Only what is at the places is changed, and it keeps its length. */
  readonly inPlace: true | undefined;
}

/** A copy of an input with one to a few changes. */
export function mutate(bytes: Uint8Array, material: Material, random: Random): Uint8Array {
  let changed: Uint8Array = bytes.slice();
  for (let left = 1 + random.below(random.of([1, 2, 4, 8])); left > 0; left--) {
    changed = changeOne(changed, material, random);
    if (changed.length > MAX_INPUT) changed = changed.slice(0, MAX_INPUT);
  }
  return changed;
}

function changeOne(bytes: Uint8Array, material: Material, random: Random): Uint8Array {
  if (bytes.length === 0) return material.other.slice(0, random.below(material.other.length));
  const { words, inPlace } = material;
  if (words && !random.oneIn(4)) return changeToken(bytes, words, random);
  if (inPlace && material.places.length === 0) return bytes;
  const place = pickPlace(bytes, material, random);
  switch (inPlace ? 8 + random.below(8) : random.below(16)) {
    case 0: // cut
      return bytes.slice(0, random.oneIn(2) ? place.start : random.below(bytes.length));
    case 1: // without a part
      return joined(bytes.subarray(0, place.start), bytes.subarray(place.end));
    case 2: // with a part doubled, or as many times as fits
      return repeated(bytes, place, random.oneIn(8) ? random.below(2000) : 1 + random.below(3));
    case 3: // with a part somewhere else
      return moved(bytes, place, pickPlace(bytes, material, random));
    case 4: // with a part of another input in it
      return spliced(bytes, place, material.other, random);
    case 5: // with bytes put in
      return joined(bytes.subarray(0, place.start), filler(random), bytes.subarray(place.start));
    case 6: // what begins like this one and ends like another
      return joined(
        bytes.subarray(0, place.start),
        material.other.subarray(random.below(material.other.length)),
      );
    case 7: {
      const filled = filler(random);
      bytes.set(filled.subarray(0, bytes.length - place.start), place.start);
      return bytes;
    }
    case 8:
    case 9:
    case 10:
      bytes[place.start + random.below(Math.max(1, place.end - place.start))] = random.oneIn(2)
        ? random.of(MEANINGFUL)
        : random.word() & 0xff;
      return bytes;
    default:
      changeInteger(bytes, place, random);
      return bytes;
  }
}

/** A place that was named, or any few bytes. */
function pickPlace(bytes: Uint8Array, { places, inPlace }: Material, random: Random): Range {
  if (places.length > 0 && (inPlace || !random.oneIn(8))) {
    const { start, end } = random.of(places);
    // What was changed before may have moved it.
    if (start < bytes.length) return { start, end: Math.min(end, bytes.length) };
  }
  const start = random.below(bytes.length);
  return { start, end: Math.min(bytes.length, start + random.of([1, 2, 4, 4, 8, 8, 16, 64])) };
}

/** Makes an integer of up to eight bytes, of either byte order, one that is likely to be wrong. */
function changeInteger(bytes: Uint8Array, { start, end }: Range, random: Random): void {
  const width = Math.min(end - start, random.of([1, 2, 4, 8, 8]));
  // Of a name or a buffer, some word in it.
  const at = start + (end - start > 8 ? random.below(end - start - width + 1) : 0);
  const isLittle = random.oneIn(4);
  const order = Array.from({ length: width }, (_, i) => (isLittle ? at + i : at + width - 1 - i));
  const bits = 8n * BigInt(width);
  const old = order.reduce((sum, place, i) => sum | (BigInt(bytes[place] ?? 0) << BigInt(8 * i)), 0n);
  const value = BigInt.asUintN(Number(bits), newValue(old, bits, random));
  for (const [i, place] of order.entries()) bytes[place] = Number((value >> BigInt(8 * i)) & 0xffn);
}

function newValue(old: bigint, bits: bigint, random: Random): bigint {
  switch (random.below(8)) {
    case 0:
      return old + 1n;
    case 1:
      return old - 1n;
    case 2:
      return old ^ (1n << BigInt(random.below(Number(bits))));
    case 3:
      return (1n << BigInt(random.below(Number(bits)))) - BigInt(random.below(2));
    case 4:
      return BigInt(random.below(20));
    case 5:
      return -BigInt(1 + random.below(20));
    case 6:
      return old * BigInt(2 + random.below(3));
    default:
      return (BigInt(random.word()) << 32n) | BigInt(random.word());
  }
}

function filler(random: Random): Uint8Array {
  const length = 1 + random.below(random.of([4, 40, 300]));
  if (random.oneIn(2)) return new Uint8Array(length).fill(random.of(MEANINGFUL));
  return Uint8Array.from({ length }, () => random.word());
}

function repeated(bytes: Uint8Array, { start, end }: Range, times: number): Uint8Array {
  const part = bytes.subarray(start, end);
  const room = Math.floor((MAX_INPUT - bytes.length) / Math.max(1, part.length));
  const copies = Math.max(0, Math.min(times, room));
  const result = new Uint8Array(bytes.length + copies * part.length);
  result.set(bytes.subarray(0, end));
  for (let i = 0; i < copies; i++) result.set(part, end + i * part.length);
  result.set(bytes.subarray(end), end + copies * part.length);
  return result;
}

function moved(bytes: Uint8Array, from: Range, to: Range): Uint8Array {
  const [first, second] = from.start < to.start ? [from, to] : [to, from];
  if (first.end > second.start) return bytes;
  return joined(
    bytes.subarray(0, first.start),
    bytes.subarray(second.start, second.end),
    bytes.subarray(first.end, second.start),
    bytes.subarray(first.start, first.end),
    bytes.subarray(second.end),
  );
}

function spliced(bytes: Uint8Array, { start, end }: Range, other: Uint8Array, random: Random): Uint8Array {
  const from = random.below(other.length);
  const part = other.subarray(from, from + random.of([8, 64, 512, 4096]));
  return joined(bytes.subarray(0, start), part, bytes.subarray(random.oneIn(2) ? start : end));
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Text with a token replaced, dropped, doubled, or exchanged for another one of the text. */
function changeToken(bytes: Uint8Array, words: readonly string[], random: Random): Uint8Array {
  const from = bytes.length > TEXT_PART ? random.below(bytes.length - TEXT_PART) : 0;
  const part = bytes.subarray(from, from + TEXT_PART);
  // Bytes and characters are the same in number.
  const text = Buffer.from(part).toString('latin1');
  const tokens = [...text.matchAll(TOKEN)];
  if (tokens.length === 0) return joined(bytes, Buffer.from(random.of(words.length > 0 ? words : WORDS)));
  const token = random.of(tokens);
  const [start, end] = [token.index, token.index + token[0].length];
  const put = (word: string) =>
    joined(
      bytes.subarray(0, from),
      Buffer.from(text.slice(0, start), 'latin1'),
      Buffer.from(word, 'latin1'),
      Buffer.from(text.slice(end), 'latin1'),
      bytes.subarray(from + part.length),
    );
  switch (random.below(6)) {
    case 0:
      return put('');
    case 1:
      return put(token[0].repeat(random.oneIn(8) ? 1 + random.below(200) : 2));
    case 2:
      return put(random.of(tokens)[0]);
    case 3:
      return put(words.length > 0 ? random.of(words) : random.of(WORDS));
    default:
      return put(random.of(WORDS));
  }
}
