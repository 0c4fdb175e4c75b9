import { DecodeError, type DiagnosticCode } from './diagnostic.ts';
import type { ByteSource } from './source.ts';
import { viewOf } from './view.ts';

/** Bytes of one read while scanning: many, as each costs something, and few enough for caches and to be read at once. */
const READ_SIZE = 256 << 10;
/** Bytes of the first read after a jump: few, as most jumps land on a short record. */
const FIRST_READ = 64 << 10;
/** Reads under way while a window is scanned, of a source that takes its time. */
const READS_AHEAD = 2;
/** Room in front of what is read, for the start of a record that the end of the window before cuts. */
const HEADROOM = (68 << 10) - 16;
const BUFFER_SIZE = HEADROOM + READ_SIZE;

/** A read under way: the bytes from `offset` on go to `buffer` from `start` on. */
interface Read {
  readonly offset: number;
  readonly length: number;
  readonly buffer: Uint8Array;
  readonly start: number;
  /** Bytes that came: `length`, or fewer where the source ends. */
  readonly loaded: Promise<number>;
}

/**
 * A forward reader over a ByteSource: asynchronous to bring bytes into a window, synchronous inside it.
 *
 * A hot loop uses `bytes`, `view`, `pos` and `limit` directly and calls `ensure` once a window, never once a
 * record. After each `ensure`, `bytes` and `view` may be other objects, and the ones before may be overwritten. All
 * integers of a migration stream are big endian. The read functions throw DecodeError `truncated` when the range ends
 * first.
 *
 * While a window is scanned that has come here without jumps, what follows is being read. Three buffers take turns:
 * one is scanned, two are filled.
 */
export class Window {
  readonly source: ByteSource;
  /** Where the range ends that may be read, if that is before the end of the source. */
  readonly #end: number;
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Next byte to read, and the end of what is loaded: relative to `bytes`. */
  pos = 0;
  limit = 0;
  /** Absolute offset of `bytes[0]`. */
  #base: number;
  /** What `bytes` is a part of. */
  #buffer: Uint8Array = this.bytes;
  /** Buffers of BUFFER_SIZE that nothing is read into. */
  readonly #free: Uint8Array[] = [];
  #ahead: Read[] = [];
  /** Windows loaded since the last jump. */
  #loads = 0;

  constructor(source: ByteSource, start = 0, end = Number.POSITIVE_INFINITY) {
    this.source = source;
    this.#end = end;
    this.#base = start;
  }

  /** Absolute offset after the last byte that may be read; infinite while the source grows and nothing else limits it. */
  get end(): number {
    return Math.min(this.#end, this.source.size ?? Number.POSITIVE_INFINITY);
  }

  /** Absolute offset of the next byte to read. */
  get offset(): number {
    return this.#base + this.pos;
  }

  /** Bytes left up to `end`. */
  get remaining(): number {
    return this.end - this.offset;
  }

  /** Are there bytes up to an absolute offset? Waits for them where the source grows; the window stays as it is. */
  async reaches(offset: number): Promise<boolean> {
    if (offset <= this.#base + this.limit) return true;
    if (this.source.size === undefined && offset <= this.#end) await this.source.read(offset - 1, 1);
    return offset <= this.end;
  }

  /** Makes at least `length` bytes readable at `pos`. False, with all there is loaded, when the range ends before. */
  async ensure(length: number): Promise<boolean> {
    const kept = this.limit - this.pos;
    if (kept >= length) return true;
    if (kept >= this.remaining) return false;
    const read = this.#nextRead(kept, Math.min(length, this.remaining) - kept);
    const { offset, buffer } = read;
    const start = read.start - kept;
    buffer.set(this.bytes.subarray(this.pos, this.limit), start);
    const loaded = await read.loaded;
    if (this.#buffer.byteLength === BUFFER_SIZE) this.#free.push(this.#buffer);
    this.#buffer = buffer;
    this.bytes = buffer.subarray(start, read.start + loaded);
    this.view = viewOf(this.bytes);
    this.#base = offset - kept;
    this.pos = 0;
    this.limit = kept + loaded;
    this.#loads++;
    // What grows gives what it has: there is nothing ahead.
    if (this.#loads > 2 && this.source.size !== undefined) this.#readAhead(offset + loaded);
    return this.limit >= length;
  }

  /** The read of what follows the window, `missing` bytes or more, with room for `kept` bytes in front. */
  #nextRead(kept: number, missing: number): Read {
    const offset = this.offset + kept;
    if (missing > READ_SIZE || kept > HEADROOM) {
      this.#ahead = [];
      return this.#startRead(offset, missing, missing, new Uint8Array(kept + missing), kept);
    }
    const ahead = this.#ahead.shift();
    if (ahead?.offset === offset) return ahead;
    this.#ahead = [];
    return this.#startRead(offset, missing, this.#loads === 0 ? Math.max(FIRST_READ, missing) : READ_SIZE);
  }

  #readAhead(offset: number): void {
    let next = offset;
    for (const read of this.#ahead) next = read.offset + read.length;
    while (this.#ahead.length < READS_AHEAD && next < this.end) {
      const read = this.#startRead(next, READ_SIZE, READ_SIZE);
      // Who takes the read sees its failure; when nobody does, nobody needs the bytes.
      read.loaded.catch(() => {});
      this.#ahead.push(read);
      next += read.length;
    }
  }

  #startRead(
    offset: number,
    atLeast: number,
    atMost: number,
    buffer = this.#free.pop() ?? new Uint8Array(BUFFER_SIZE),
    start = HEADROOM,
  ): Read {
    const length = Math.min(atMost, this.end - offset);
    const loaded = readInto(this.source, offset, buffer.subarray(start, start + length), atLeast);
    return { offset, length, buffer, start, loaded };
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
    this.#loads = 0;
  }

  /** Skips `length` bytes. Throws `truncated` when the range ends before. */
  async skip(length: number, what: string): Promise<void> {
    if (!(await this.reaches(this.offset + length)))
      throw this.error('truncated', `the stream ends inside ${what}`, this.end);
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

/** Reads at least so many bytes from the source, and `into` full at most; how many came. */
async function readInto(
  source: ByteSource,
  offset: number,
  into: Uint8Array,
  atLeast: number,
): Promise<number> {
  let loaded = 0;
  while (loaded < into.byteLength && (loaded < atLeast || source.size !== undefined)) {
    const part = into.subarray(loaded);
    const read = await source.read(offset + loaded, part.byteLength, part);
    if (read.byteLength === 0) break;
    const came = read.byteLength > part.byteLength ? read.subarray(0, part.byteLength) : read;
    if (came.buffer !== part.buffer || came.byteOffset !== part.byteOffset) part.set(came);
    loaded += came.byteLength;
  }
  return loaded;
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
