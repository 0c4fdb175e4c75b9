import { closeSync, ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { type Diagnostic, printable } from '../bytes/diagnostic.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { type BlockPlace, BlockWriter } from './block-writer.ts';
import { FileNames } from './file-names.ts';
import type { OutputFolder } from './output.ts';

import { failureReason } from './system-error.ts';

interface BlockFile extends BlockPlace {
  readonly block: RamBlock;
  readonly name: string;
}

/** RAM blocks as sparse files in a folder. */
export class RamFiles {
  readonly writer = new BlockWriter((block) => this.#file(block));
  readonly #output: OutputFolder;
  readonly #folder: string;
  readonly #names = new FileNames();
  readonly #files = new Map<string, BlockFile>();
  readonly #diagnostics: Diagnostic[] = [];
  #isClosed = false;

  /** `folder` is where in the output they are. */
  constructor(output: OutputFolder, folder = '') {
    this.#output = output;
    this.#folder = folder;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics;
  }

  /**
   * Gives the files their length and closes them. Blocks without a page get a file where `isZero` says that this means
   * zeros, not that they were not sent.
   */
  finish(
    blocks: readonly RamBlock[],
    isZero: (block: RamBlock) => boolean = () => true,
  ): readonly { readonly block: RamBlock; readonly name: string }[] {
    try {
      this.writer.flush();
      for (const block of blocks) {
        if (this.#files.has(block.idstr) || isZero(block)) this.#setLength(this.#file(block));
      }
    } finally {
      this.close();
    }
    return [...this.#files.values()].map(({ block, name }) => ({ block, name }));
  }

  /** Closes the files as they are. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { fd } of this.#files.values()) closeSync(fd);
  }

  #setLength({ fd, block }: BlockFile): void {
    try {
      ftruncateSync(fd, block.length);
    } catch (error) {
      const message = `RAMBlock ${printable(block.idstr)} of ${block.length} bytes: ${failureReason(error)}`;
      this.#diagnostics.push({ severity: 'error', code: 'bad-ram', section: 'ram', message });
    }
  }

  #file(block: RamBlock): BlockFile {
    let file = this.#files.get(block.idstr);
    if (!file) {
      const name = this.#names.next(block.idstr, '.bin');
      file = { block, name, fd: this.#output.open(join(this.#folder, name)), start: 0 };
      this.#files.set(block.idstr, file);
    }
    return file;
  }
}
