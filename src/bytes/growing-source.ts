import { badArgument } from './diagnostic.ts';
import { pieceAt } from './piece-at.ts';
import type { ByteSource } from './source.ts';

/** A source in memory to which bytes are added while others read it: what a connection brings, say. */
export class GrowingSource implements ByteSource {
  readonly name: string;
  readonly #chunks: Uint8Array[] = [];
  /** Where each chunk begins. */
  readonly #starts: number[] = [];
  #length = 0;
  #isFinished = false;
  #failure: { readonly reason: unknown } | undefined;
  /** Those who wait for more. */
  #waiting: (() => void)[] = [];

  constructor(name = '<connection>') {
    this.name = name;
  }

  get size(): number | undefined {
    return this.#isFinished ? this.#length : undefined;
  }

  /** Adds bytes, which are not copied. Throws DecodeError `bad-argument` behind the end. */
  append(bytes: Uint8Array): void {
    if (this.#isFinished) throw badArgument(`bytes behind the end of ${this.name}`);
    if (bytes.byteLength === 0) return;
    this.#starts.push(this.#length);
    this.#chunks.push(bytes);
    this.#length += bytes.byteLength;
    this.#wake();
  }

  /** Nothing more comes. */
  finish(): void {
    this.#isFinished = true;
    this.#wake();
  }

  /** Nothing more comes, as something has failed: who reads beyond what has come sees why. */
  fail(reason: unknown): void {
    this.#failure = { reason };
    this.#wake();
  }

  async end(): Promise<number> {
    while (!this.#isFinished) await this.#more();
    return this.#length;
  }

  async read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    while (offset >= this.#length && length > 0 && !this.#isFinished) await this.#more();
    const wanted = Math.max(0, Math.min(length, this.#length - offset));
    const bytes = into ? into.subarray(0, wanted) : new Uint8Array(wanted);
    for (let done = 0, i = pieceAt(this.#starts, offset); done < wanted; i++) {
      const chunk = this.#chunks[i]!;
      const start = offset + done - this.#starts[i]!;
      const part = chunk.subarray(start, start + wanted - done);
      bytes.set(part, done);
      done += part.byteLength;
    }
    return bytes;
  }

  async #more(): Promise<void> {
    if (this.#failure) throw this.#failure.reason;
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
