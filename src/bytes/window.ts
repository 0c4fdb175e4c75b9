import { DecodeError, type DiagnosticCode } from './diagnostic.ts';
import type { ByteSource } from './source.ts';

/** Bytes of one read while scanning; large reads are what keeps a scan at the speed of the disk cache. */
const WINDOW_SIZE = 2 << 20;
/** Bytes of the first read after a jump: small, as most jumps land on a short record. */
const FIRST_READ = 64 << 10;

/**
 * A forward reader over a ByteSource: asynchronous to bring bytes into a window, synchronous inside it.
 *
 * A hot loop uses `bytes`, `view`, `pos` and `limit` directly and calls `ensure` once a window, never once a
 * record; `bytes` and `view` may be other objects after each `ensure`. All integers of a migration stream are big
 * endian. The read functions throw DecodeError `truncated` when the range ends first.
 */
export class Window {
  readonly source: ByteSource;
  /** Absolute offset after the last byte that may be read. */
  readonly end: number;
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Next byte to read, and the end of what is loaded: relative to `bytes`. */
  pos = 0;
  limit = 0;
  /** Absolute offset of `bytes[0]`. */
  #base: number;
  #buffers: [Uint8Array | undefined, Uint8Array | undefined] = [undefined, undefined];
  #sequential = false;

  constructor(source: ByteSource, start = 0, end = source.size) {
    this.source = source;
    this.end = Math.min(end, source.size);
    this.#base = start;
  }

  /** Absolute offset of the next byte to read. */
  get offset(): number {
    return this.#base + this.pos;
  }

  /** Bytes left up to `end`. */
  get remaining(): number {
    return this.end - this.offset;
  }

  /** Makes at least `length` bytes readable at `pos`. False, with all there is loaded, when the range ends before. */
  async ensure(length: number): Promise<boolean> {
    if (this.limit - this.pos >= length) return true;
    const offset = this.offset;
    const kept = this.limit - this.pos;
    const wanted = Math.min(Math.max(length, this.#sequential ? WINDOW_SIZE : FIRST_READ), this.remaining);
    if (wanted <= kept) return false;
    const size = Math.max(wanted, WINDOW_SIZE);
    // Two buffers in turn: the tail of the window in use is copied to the front of the other one.
    let buffer = this.#buffers[1];
    if (!buffer || buffer.byteLength < size)
      buffer = new Uint8Array(Math.min(size, Math.max(wanted, this.remaining)));
    if (kept > 0) buffer.set(this.bytes.subarray(this.pos, this.limit));
    let loaded = kept;
    while (loaded < wanted) {
      const part = buffer.subarray(loaded, wanted);
      const read = await this.source.read(offset + loaded, part.byteLength, part);
      if (read.byteLength === 0) break;
      if (read.buffer !== part.buffer || read.byteOffset !== part.byteOffset)
        part.set(read.subarray(0, part.byteLength));
      loaded += Math.min(read.byteLength, part.byteLength);
    }
    this.#buffers = [buffer, this.#buffers[0]];
    this.bytes = buffer;
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    this.#base = offset;
    this.pos = 0;
    this.limit = loaded;
    this.#sequential = true;
    return loaded >= length;
  }

  /** Like `ensure`, but the end of the range is an error: `what` names the thing that is cut. */
  async require(length: number, what: string): Promise<void> {
    if (!(await this.ensure(length)))
      throw this.error('truncated', `the stream ends inside ${what}`, this.end);
  }

  /** Moves to an absolute offset, forward or back. Bytes in between are not read. */
  seek(offset: number): void {
    const pos = offset - this.#base;
    if (pos >= 0 && pos <= this.limit) {
      this.pos = pos;
      return;
    }
    this.#base = offset;
    this.pos = 0;
    this.limit = 0;
    this.#sequential = false;
  }

  /** Skips `length` bytes. Throws `truncated` when the range ends before. */
  skip(length: number, what: string): void {
    if (length > this.remaining) throw this.error('truncated', `the stream ends inside ${what}`, this.end);
    this.seek(this.offset + length);
  }

  async readU8(what: string): Promise<number> {
    await this.require(1, what);
    return this.view.getUint8(this.pos++);
  }

  async readU16(what: string): Promise<number> {
    await this.require(2, what);
    this.pos += 2;
    return this.view.getUint16(this.pos - 2);
  }

  async readU32(what: string): Promise<number> {
    await this.require(4, what);
    this.pos += 4;
    return this.view.getUint32(this.pos - 4);
  }

  async readU64(what: string): Promise<bigint> {
    await this.require(8, what);
    this.pos += 8;
    return this.view.getBigUint64(this.pos - 8);
  }

  /** A copy of the next `length` bytes. The caller has checked that `length` is sane. */
  async readBytes(length: number, what: string): Promise<Uint8Array> {
    await this.require(length, what);
    this.pos += length;
    return this.bytes.slice(this.pos - length, this.pos);
  }

  /** One length byte, then that many bytes of text: how QEMU writes an idstr or a RAMBlock name. */
  async readText8(what: string): Promise<string> {
    return decodeText(await this.readBytes(await this.readU8(what), what));
  }

  /** A DecodeError at the present place. */
  error(code: DiagnosticCode, message: string, end: number = this.offset): DecodeError {
    const start = this.offset;
    return new DecodeError({ severity: 'error', code, message, range: { start, end: Math.max(start, end) } });
  }
}

declare const TextDecoder: new (
  label: string,
  options?: { fatal?: boolean },
) => { decode(bytes: Uint8Array): string };
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** UTF-8 where it is, else one character a byte (so that no two different names become the same text). */
export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  }
}
