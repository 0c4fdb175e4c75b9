import { closeSync, existsSync, openSync, renameSync, unlinkSync } from 'node:fs';
import { whenProcessEnds } from './process-end.ts';

/**
 * A file that is written under a temporary name, and has its own only when it is whole; when the process is ended by a
 * signal it is removed. Throws when a file with the name exists already, or cannot be made.
 */
export class PartialFile {
  readonly fd: number;
  readonly #path: string;
  readonly #partial: string;
  readonly #finished: () => void;

  constructor(path: string) {
    if (existsSync(path)) throw new Error(`${path} exists already`);
    this.#path = path;
    this.#partial = `${path}.${process.pid}.partial`;
    this.fd = openSync(this.#partial, 'wx+');
    this.#finished = whenProcessEnds(() => this.abandon());
  }

  /** Closes the file, and gives it its name. */
  finish(): void {
    this.#close();
    renameSync(this.#partial, this.#path);
  }

  /** Closes the file, and removes it. */
  abandon(): void {
    this.#close();
    unlinkSync(this.#partial);
  }

  #close(): void {
    this.#finished();
    closeSync(this.fd);
  }
}
