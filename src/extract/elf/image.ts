import { DecodeError } from '../../bytes/diagnostic.ts';
import { decodeText } from '../../bytes/window.ts';

/** A loaded part of an ELF file: `bytes` at `[start, end)`, zeros up to `memoryEnd`. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly memoryEnd: number;
  readonly executable: boolean;
  readonly writable: boolean;
  /** Which ELF file of the image it belongs to. */
  readonly object: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** A bit for each aligned 8-byte word, the first that of `start` rounded down to 8: it holds an address. */
  readonly pointers: Uint8Array;
  /** Number of the first word: `start` divided by 8, rounded down. */
  readonly firstWord: number;
}

const WORD = 8;
/** Words that hold an address: where they are, and what they hold. */
interface PointerList {
  readonly places: Float64Array;
  readonly targets: Float64Array;
}

/** Strings in tables are names; the longest is a description of some hundred characters. */
const MAX_TEXT = 1024;
/** Bytes that are read for strings; in real binaries some 5 MB. */
const MAX_TEXT_TOTAL = 128 << 20;

/**
 * The memory of a program as the dynamic loader would lay it out, made from files and never run: one address space for
 * the executable and its modules, relocated. Reads outside what is loaded give zero, as the rest of a `.bss` does, so
 * that a scan needs no check for each word; `isMapped` tells.
 */
export class Image {
  readonly littleEndian: boolean;
  /** Sorted by address. */
  readonly segments: Segment[] = [];
  /** The segments that were used last: what is read, code, and strings lie in different ones. */
  #last: Segment | undefined;
  #lastCode: Segment | undefined;
  #lastText: Segment | undefined;
  #pointers: PointerList | undefined;
  #textTotal = 0;
  readonly #texts = new Map<number, string | undefined>();

  constructor(littleEndian: boolean) {
    this.littleEndian = littleEndian;
  }

  /** The next address that nothing lies behind, for the next object: a multiple of 1 MiB. */
  get end(): number {
    const last = this.segments.at(-1);
    return last ? Math.ceil(last.memoryEnd / 0x100000) * 0x100000 : 0;
  }

  /** Adds a segment above all others. */
  add(segment: Segment): void {
    this.segments.push(segment);
  }

  segmentAt(address: number): Segment | undefined {
    const last = this.#last;
    if (last && address >= last.start && address < last.memoryEnd) return last;
    const segment = this.#search(address);
    if (segment) this.#last = segment;
    return segment;
  }

  #search(address: number): Segment | undefined {
    let low = 0;
    let high = this.segments.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const segment = this.segments[middle]!;
      if (address < segment.start) high = middle - 1;
      else if (address >= segment.memoryEnd) low = middle + 1;
      else return segment;
    }
    return undefined;
  }

  isMapped(address: number): boolean {
    return this.segmentAt(address) !== undefined;
  }

  isCode(address: number): boolean {
    const last = this.#lastCode;
    if (last && address >= last.start && address < last.memoryEnd) return true;
    const segment = this.#search(address);
    if (!segment?.executable) return false;
    this.#lastCode = segment;
    return true;
  }

  u8(address: number): number {
    const segment = this.segmentAt(address);
    return segment && address < segment.end ? segment.bytes[address - segment.start]! : 0;
  }

  u32(address: number): number {
    const segment = this.segmentAt(address);
    if (!segment || address + 4 > segment.end) return 0;
    return segment.view.getUint32(address - segment.start, this.littleEndian);
  }

  i32(address: number): number {
    return this.u32(address) | 0;
  }

  /** A 64-bit number; one above 2^53 comes out rounded. */
  u64(address: number): number {
    const segment = this.segmentAt(address);
    return segment && address + WORD <= segment.end ? this.#word(segment, address) : 0;
  }

  #word({ view, start }: Segment, address: number): number {
    const at = address - start;
    const { littleEndian } = this;
    const high = view.getUint32(littleEndian ? at + 4 : at, littleEndian);
    return high * 0x1_0000_0000 + view.getUint32(littleEndian ? at : at + 4, littleEndian);
  }

  bigU64(address: number): bigint {
    const high = this.u32(this.littleEndian ? address + 4 : address);
    const low = this.u32(this.littleEndian ? address : address + 4);
    return (BigInt(high) << 32n) | BigInt(low);
  }

  /** The address that the word at `address` holds; 0 where that is no pointer. */
  pointer(address: number): number {
    const segment = this.segmentAt(address);
    if (!segment || address % WORD !== 0) return 0;
    const word = address / WORD - segment.firstWord;
    return (segment.pointers[word >>> 3]! & (1 << (word & 7))) === 0 ? 0 : this.#word(segment, address);
  }

  /** All words that hold an address, in order, and what they hold. To be asked for when all is relocated. */
  pointerList(): PointerList {
    this.#pointers ??= listPointers(this);
    return this.#pointers;
  }

  /**
   * The C string at an address: printable, and not longer than a name in a table is. Undefined where there is none.
   * Names come from the file: they may hold anything but control characters.
   */
  text(address: number): string | undefined {
    const known = this.#texts.get(address);
    if (known !== undefined || this.#texts.has(address)) return known;
    if (this.#textTotal > MAX_TEXT_TOTAL)
      throw new DecodeError({
        severity: 'error',
        code: 'bad-elf',
        message: 'its strings overlap, and are too many',
      });
    const text = this.#readText(address);
    this.#texts.set(address, text);
    return text;
  }

  #readText(address: number): string | undefined {
    const last = this.#lastText;
    const segment = last && address >= last.start && address < last.memoryEnd ? last : this.#search(address);
    if (!segment) return undefined;
    this.#lastText = segment;
    const { bytes } = segment;
    const start = address - segment.start;
    const limit = Math.min(bytes.length, start + MAX_TEXT);
    let seen = 0;
    for (let i = start; i < limit; i++) {
      const byte = bytes[i]!;
      this.#textTotal++;
      if (byte === 0) {
        const part = bytes.subarray(start, i);
        // Names are ASCII; a decoder costs more than the rest of a scan.
        return seen < 0x80 ? String.fromCharCode(...part) : decodeText(part);
      }
      if (byte < 0x20 || byte === 0x7f) return undefined;
      seen |= byte;
    }
    return undefined;
  }
}

function listPointers({ segments, littleEndian }: Image): PointerList {
  let count = 0;
  for (const { pointers } of segments) for (const bits of pointers) count += bitCount(bits);
  const places = new Float64Array(count);
  const targets = new Float64Array(count);
  let next = 0;
  for (const { start, firstWord, pointers, view } of segments) {
    const first = firstWord * WORD;
    for (let i = 0; i < pointers.length; i++) {
      for (let bits = pointers[i]!; bits !== 0; bits &= bits - 1) {
        const address = first + (i * 8 + 31 - Math.clz32(bits & -bits)) * WORD;
        const at = address - start;
        const high = view.getUint32(littleEndian ? at + 4 : at, littleEndian);
        places[next] = address;
        targets[next++] = high * 0x1_0000_0000 + view.getUint32(littleEndian ? at : at + 4, littleEndian);
      }
    }
  }
  return { places, targets };
}

function bitCount(byte: number): number {
  let count = 0;
  for (let bits = byte; bits !== 0; bits &= bits - 1) count++;
  return count;
}

/** Marks the word at an aligned address of a segment as one that holds an address. */
export function markPointer(segment: Segment, address: number): void {
  const word = address / WORD - segment.firstWord;
  segment.pointers[word >>> 3]! |= 1 << (word & 7);
}

/** Calls `visit` for each word of a loaded image that holds an address, in order of address. */
export function forEachPointer(image: Image, visit: (address: number, target: number) => void): void {
  const { places, targets } = image.pointerList();
  for (let i = 0; i < places.length; i++) visit(places[i]!, targets[i]!);
}

/** Calls `visit` for each aligned 8-byte word of a segment. */
export function forEachWord(
  image: Image,
  segment: Segment,
  visit: (address: number, value: number) => void,
): void {
  const { littleEndian } = image;
  const { start, end, view } = segment;
  for (let address = Math.ceil(start / WORD) * WORD; address + WORD <= end; address += WORD) {
    const at = address - start;
    const high = view.getUint32(littleEndian ? at + 4 : at, littleEndian);
    const low = view.getUint32(littleEndian ? at : at + 4, littleEndian);
    visit(address, high * 0x1_0000_0000 + low);
  }
}
