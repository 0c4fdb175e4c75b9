import { MAX_INPUT } from './mutate.ts';

const LENGTH = 0;
const RUN = 1;
const HEADER = 8;

/** The input that a worker is at, in memory that stays when the worker does not. */
export class CurrentInput {
  readonly shared: SharedArrayBuffer;
  readonly #header: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(shared = new SharedArrayBuffer(HEADER + MAX_INPUT)) {
    this.shared = shared;
    this.#header = new Int32Array(shared, 0, 2);
    this.#bytes = new Uint8Array(shared, HEADER);
  }

  set(bytes: Uint8Array): void {
    this.#bytes.set(bytes);
    Atomics.store(this.#header, LENGTH, bytes.length);
    Atomics.add(this.#header, RUN, 1);
  }

  get bytes(): Uint8Array {
    return this.#bytes.slice(0, Atomics.load(this.#header, LENGTH));
  }

  /** Another number for each input. */
  get run(): number {
    return Atomics.load(this.#header, RUN);
  }
}
