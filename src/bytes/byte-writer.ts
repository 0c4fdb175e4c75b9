import { badArgument } from './diagnostic.ts';

declare const TextEncoder: new () => { encode(text: string): Uint8Array };
const utf8 = new TextEncoder();

/** The UTF-8 bytes of a text. */
export function encodeText(text: string): Uint8Array {
  return utf8.encode(text);
}

/** Puts bytes together: the counterpart of `Window`. Integers are big endian, as all of a migration stream are. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  /** `room` is how many bytes are expected; it grows. */
  constructor(room = 64) {
    this.#bytes = new Uint8Array(room);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    const pos = this.#advance(1);
    this.#view.setUint8(pos, checked(value, 1));
    return this;
  }

  u16(value: number): this {
    const pos = this.#advance(2);
    this.#view.setUint16(pos, checked(value, 2));
    return this;
  }

  u32(value: number): this {
    const pos = this.#advance(4);
    this.#view.setUint32(pos, checked(value, 4));
    return this;
  }

  u64(value: bigint): this {
    if (BigInt.asUintN(64, value) !== value) throw badArgument(`${value} is no unsigned 64-bit integer`);
    const pos = this.#advance(8);
    this.#view.setBigUint64(pos, value);
    return this;
  }

  bytes(bytes: Uint8Array): this {
    const pos = this.#advance(bytes.byteLength);
    this.#bytes.set(bytes, pos);
    return this;
  }

  /** One length byte, then that many bytes of text: how QEMU writes an idstr or a RAMBlock name. */
  text8(text: string): this {
    const encoded = encodeText(text);
    if (encoded.length > 0xff) throw badArgument(`a name of ${encoded.length} bytes; 255 are possible`);
    return this.u8(encoded.length).bytes(encoded);
  }

  /** What was written; a view that is right until more is. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Makes room, perhaps in another buffer. Returns the place of the first new byte. */
  #advance(length: number): number {
    const start = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return start;
  }
}

function checked(value: number, size: number): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size))
    throw badArgument(`${value} is no unsigned integer of ${size} bytes`);
  return value;
}
