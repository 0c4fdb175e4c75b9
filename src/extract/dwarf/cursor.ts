import { decodeText } from '../../bytes/window.ts';

/** What is wrong with debug information: it is not used further than that, as all but names is known without it. */
export class DwarfProblem extends Error {}

/** Bytes of a LEB128 number: of 64 bits, with padding. */
const MAX_LEB = 16;
/** Bytes of a name or path. */
const MAX_TEXT = 4096;

/** A forward reader of a debug section. Every read throws DwarfProblem where the section ends first. */
export class Cursor {
  /** Name of the section. */
  readonly section: string;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly littleEndian: boolean;
  pos: number;

  constructor(section: string, bytes: Uint8Array, littleEndian: boolean, pos = 0) {
    this.section = section;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.littleEndian = littleEndian;
    this.pos = pos;
  }

  /** What is wrong at a place, the present one if none is said. */
  problem(reason: string, at = this.pos): DwarfProblem {
    return new DwarfProblem(`${this.section} at 0x${at.toString(16)}: ${reason}`);
  }

  /** Moves on by `length` bytes and returns where they begin. */
  take(length: number): number {
    const start = this.pos;
    if (!(length >= 0 && start >= 0 && start + length <= this.bytes.byteLength))
      throw this.problem('it ends inside an entry', start);
    this.pos = start + length;
    return start;
  }

  u8(): number {
    return this.bytes[this.take(1)]!;
  }

  u16(): number {
    return this.view.getUint16(this.take(2), this.littleEndian);
  }

  u24(): number {
    const [a, b, c] = [this.u8(), this.u8(), this.u8()];
    return this.littleEndian ? a | (b << 8) | (c << 16) : (a << 16) | (b << 8) | c;
  }

  u32(): number {
    return this.view.getUint32(this.take(4), this.littleEndian);
  }

  /** A 64-bit number; undefined above 2^53. */
  u64(): number | undefined {
    const at = this.take(8);
    const high = this.view.getUint32(this.littleEndian ? at + 4 : at, this.littleEndian);
    const low = this.view.getUint32(this.littleEndian ? at : at + 4, this.littleEndian);
    return high < 0x20_0000 ? high * 0x1_0000_0000 + low : undefined;
  }

  /** An offset or length: 4 bytes, or 8 in the 64-bit format. */
  offset(is64: boolean): number {
    if (!is64) return this.u32();
    const value = this.u64();
    if (value === undefined) throw this.problem('an impossible offset');
    return value;
  }

  /** An unsigned LEB128; undefined above 2^53. */
  uleb(): number | undefined {
    const first = this.u8();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let factor = 0x80;
    for (let i = 1; i < MAX_LEB; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : undefined;
    }
    throw this.problem('a number has no end');
  }

  /** The same where a number is a length, a code or an index. */
  index(): number {
    const value = this.uleb();
    if (value === undefined) throw this.problem('an impossible number');
    return value;
  }

  /** A signed LEB128; undefined outside of 2^53. */
  sleb(): number | undefined {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < MAX_LEB; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      factor *= 0x80;
      if (byte >= 0x80) continue;
      if (byte & 0x40) value -= factor;
      return Number.isSafeInteger(value) ? value : undefined;
    }
    throw this.problem('a number has no end');
  }

  skipLeb(): void {
    for (let i = 0; i < MAX_LEB; i++) if (this.u8() < 0x80) return;
    throw this.problem('a number has no end');
  }

  /** Moves behind a C string. */
  skipText(): void {
    const end = this.bytes.indexOf(0, this.take(0));
    if (end < 0) throw this.problem('a text has no end');
    this.pos = end + 1;
  }

  /** The C string here. */
  text(): string {
    const start = this.pos;
    this.skipText();
    return textAt(this.bytes, start) ?? '';
  }
}

/** The C string at an offset of a section; undefined where there is none, or none that could be a name. */
export function textAt(bytes: Uint8Array | undefined, offset: number | undefined): string | undefined {
  if (bytes === undefined || offset === undefined || !(offset >= 0 && offset < bytes.byteLength))
    return undefined;
  const end = bytes.indexOf(0, offset);
  if (end < 0 || end - offset > MAX_TEXT) return undefined;
  return decodeText(bytes.subarray(offset, end));
}
