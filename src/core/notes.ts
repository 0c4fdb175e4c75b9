import { viewOf } from '../bytes/view.ts';
/** Writes fixed structures field by field, in the byte order of the guest. Lengths in bytes. */
export class StructWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #littleEndian: boolean;
  #pos = 0;

  /** A structure of `length` bytes, zero where nothing is written. */
  constructor(length: number, littleEndian: boolean) {
    this.#bytes = new Uint8Array(length);
    this.#view = new DataView(this.#bytes.buffer);
    this.#littleEndian = littleEndian;
  }

  u16(...values: readonly number[]): this {
    for (const value of values) {
      this.#view.setUint16(this.#pos, value, this.#littleEndian);
      this.#pos += 2;
    }
    return this;
  }

  u32(...values: readonly (number | bigint)[]): this {
    for (const value of values) {
      this.#view.setUint32(this.#pos, Number(BigInt.asUintN(32, BigInt(value))), this.#littleEndian);
      this.#pos += 4;
    }
    return this;
  }

  u64(...values: readonly (number | bigint)[]): this {
    for (const value of values) {
      this.#view.setBigUint64(this.#pos, BigInt(value), this.#littleEndian);
      this.#pos += 8;
    }
    return this;
  }

  /** Leaves bytes zero. */
  skip(length: number): this {
    this.#pos += length;
    return this;
  }

  copy(bytes: Uint8Array): this {
    this.#bytes.set(bytes, this.#pos);
    return this.skip(bytes.length);
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }
}

/** A note of an ELF core. */
export interface Note {
  /** Without the zero at its end; each character is a byte. */
  readonly name: string;
  readonly type: number;
  readonly content: Uint8Array;
}

/** Types, as the kernel's include/uapi/linux/elf.h has them. */
export const NT_PRSTATUS = 1;
export const NT_PRFPREG = 2;

const HEADER = 12;
const MAX_NAME = 256;
const align = (length: number) => Math.ceil(length / 4) * 4;

/** A note as it is in a file: name and content are each filled up to a multiple of 4 bytes. */
export function encodeNote({ name, type, content }: Note, littleEndian: boolean): Uint8Array {
  const nameLength = name.length + 1;
  return new StructWriter(HEADER + align(nameLength) + align(content.length), littleEndian)
    .u32(nameLength, content.length, type)
    .copy(Uint8Array.from(name, (character) => character.charCodeAt(0)))
    .skip(align(nameLength) - name.length)
    .copy(content).bytes;
}

/** The note that bytes begin with, undefined where they are none. */
export function parseNote(bytes: Uint8Array, littleEndian: boolean): Note | undefined {
  if (bytes.length < HEADER) return undefined;
  const view = viewOf(bytes);
  const nameLength = view.getUint32(0, littleEndian);
  const length = view.getUint32(4, littleEndian);
  const start = HEADER + align(nameLength);
  if (nameLength === 0 || nameLength > MAX_NAME || start + length > bytes.length) return undefined;
  const name = String.fromCharCode(...bytes.subarray(HEADER, HEADER + nameLength - 1));
  return { name, type: view.getUint32(8, littleEndian), content: bytes.slice(start, start + length) };
}
