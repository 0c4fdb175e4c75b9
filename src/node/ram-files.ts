import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { PageKind, PageSink } from '../ram/page-sink.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { applyXbzrle } from '../ram/xbzrle.ts';
import { FileNames } from './file-names.ts';

/** Pages that follow each other are gathered up to this many bytes for one write. */
const STAGE_SIZE = 512 << 10;
/** Pages whose state one chunk of a PageSet holds. */
const CHUNK_PAGES = 1 << 15;
/** Damaged pages that are reported one by one. */
const MAX_REPORTED = 20;

/** A set of page numbers, in memory by what was added, not by the highest number. */
class PageSet {
  readonly #chunks = new Map<number, Uint8Array>();

  add(first: number, count: number): void {
    for (let page = first; page < first + count; ) {
      const chunk = this.#chunk(Math.floor(page / CHUNK_PAGES));
      const end = Math.min(first + count, (Math.floor(page / CHUNK_PAGES) + 1) * CHUNK_PAGES);
      for (; page < end; page++) chunk[(page % CHUNK_PAGES) >> 3]! |= 1 << (page & 7);
    }
  }

  has(page: number): boolean {
    const bit = page % CHUNK_PAGES;
    return ((this.#chunks.get(Math.floor(page / CHUNK_PAGES))?.[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }

  #chunk(index: number): Uint8Array {
    let chunk = this.#chunks.get(index);
    if (!chunk) {
      chunk = new Uint8Array(CHUNK_PAGES / 8);
      this.#chunks.set(index, chunk);
    }
    return chunk;
  }
}

interface BlockFile {
  readonly block: RamBlock;
  readonly name: string;
  readonly fd: number;
  /** Pages that hold something else than the file's holes. */
  readonly written: PageSet;
}

/** Writes RAM blocks as sparse files, the last version of each page, while a stream is scanned. */
export class RamFiles implements PageSink {
  readonly #folder: string;
  readonly #names = new FileNames();
  readonly #files = new Map<string, BlockFile>();
  readonly #diagnostics: Diagnostic[] = [];
  #damaged = 0;
  /** The file of the last page, as pages mostly belong to the same block. */
  #last: BlockFile | undefined;
  readonly #stage = new Uint8Array(STAGE_SIZE);
  #staged: { file: BlockFile; offset: number; length: number } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Pages that could not be decoded. */
  get diagnostics(): readonly Diagnostic[] {
    return this.#diagnostics;
  }

  page(
    block: RamBlock,
    offset: number,
    kind: PageKind,
    data: Uint8Array,
    fill: number,
    pageSize: number,
  ): void {
    const file = this.#file(block);
    const page = offset / pageSize;
    switch (kind) {
      case 'plain':
      case 'mapped':
        this.#write(file, offset, data, 0, pageSize);
        break;
      case 'zero':
        // A hole is zero already, unless an earlier version of the page was written there.
        if (!file.written.has(page)) return;
        this.#write(file, offset, new Uint8Array(pageSize), 0, pageSize);
        break;
      case 'fill':
        this.#write(file, offset, new Uint8Array(pageSize).fill(fill), 0, pageSize);
        break;
      case 'xbzrle':
      case 'compressed': {
        const content = this.#decode(file, offset, kind, data, pageSize);
        if (!content) return;
        this.#write(file, offset, content, 0, pageSize);
      }
    }
    file.written.add(page, 1);
  }

  pages(
    block: RamBlock,
    offset: number,
    count: number,
    bytes: Uint8Array,
    start: number,
    stride: number,
    pageSize: number,
  ): void {
    const file = this.#file(block);
    if (stride === pageSize) this.#write(file, offset, bytes, start, count * pageSize);
    else {
      for (let index = 0; index < count; index++) {
        this.#write(file, offset + index * pageSize, bytes, start + index * stride, pageSize);
      }
    }
    file.written.add(offset / pageSize, count);
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
      this.#flush();
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
    for (const { fd } of this.#files.values()) closeSync(fd);
  }

  #setLength({ fd, block }: BlockFile): void {
    try {
      ftruncateSync(fd, block.length);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#problem(`RAMBlock ${printable(block.idstr)} of ${block.length} bytes: ${reason}`);
    }
  }

  #file(block: RamBlock): BlockFile {
    if (this.#last?.block === block) return this.#last;
    let file = this.#files.get(block.idstr);
    if (!file) {
      const name = this.#names.next(block.idstr, '.bin');
      file = { block, name, fd: openSync(join(this.#folder, name), 'w+'), written: new PageSet() };
      this.#files.set(block.idstr, file);
    }
    this.#last = file;
    return file;
  }

  #decode(
    file: BlockFile,
    offset: number,
    kind: 'xbzrle' | 'compressed',
    data: Uint8Array,
    pageSize: number,
  ): Uint8Array | undefined {
    try {
      if (kind === 'compressed') {
        const content = inflateSync(data, { maxOutputLength: pageSize });
        if (content.length !== pageSize) throw new Error(`it decompresses to ${content.length} bytes`);
        return content;
      }
      // The delta applies to the page as it was sent last.
      this.#flush();
      const content = new Uint8Array(pageSize);
      readSync(file.fd, content, 0, pageSize, offset);
      applyXbzrle(data, content);
      return content;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#problem(
        `${kind} page of ${printable(file.block.idstr)} at ${hexOffset(offset)} is damaged: ${reason}`,
      );
      return undefined;
    }
  }

  #problem(message: string): void {
    this.#damaged++;
    if (this.#damaged > MAX_REPORTED) return;
    const rest = this.#damaged === MAX_REPORTED ? '; more are not reported' : '';
    this.#diagnostics.push({ severity: 'error', code: 'bad-ram', section: 'ram', message: message + rest });
  }

  /** Writes `length` bytes of `bytes` from `start` on, now or together with what follows. */
  #write(file: BlockFile, offset: number, bytes: Uint8Array, start: number, length: number): void {
    const staged = this.#staged;
    const follows = staged?.file === file && staged.offset + staged.length === offset;
    if (staged && follows && staged.length + length <= STAGE_SIZE) {
      this.#stage.set(bytes.subarray(start, start + length), staged.length);
      staged.length += length;
      return;
    }
    this.#flush();
    // What is long already gains nothing by being gathered.
    if (length > STAGE_SIZE / 4) {
      writeAll(file.fd, bytes, start, length, offset);
      return;
    }
    this.#stage.set(bytes.subarray(start, start + length));
    this.#staged = { file, offset, length };
  }

  #flush(): void {
    if (!this.#staged) return;
    const { file, offset, length } = this.#staged;
    this.#staged = undefined;
    writeAll(file.fd, this.#stage, 0, length, offset);
  }
}

function writeAll(fd: number, bytes: Uint8Array, start: number, length: number, offset: number): void {
  for (let written = 0; written < length; ) {
    written += writeSync(fd, bytes, start + written, length - written, offset + written);
  }
}
