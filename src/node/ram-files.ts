import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import type { Diagnostic } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { PageKind, PageSink } from '../ram/page-sink.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { applyXbzrle } from '../ram/xbzrle.ts';
import { FileNames } from './file-names.ts';

/** Pages that follow each other are gathered up to this many bytes for one write. */
const STAGE_SIZE = 1 << 20;
/** Pages whose state one chunk of a PageSet holds. */
const CHUNK_PAGES = 1 << 15;

/** A set of page numbers, in memory by what was added, not by the highest number. */
class PageSet {
  readonly #chunks = new Map<number, Uint8Array>();

  add(page: number): void {
    const index = Math.floor(page / CHUNK_PAGES);
    let chunk = this.#chunks.get(index);
    if (!chunk) {
      chunk = new Uint8Array(CHUNK_PAGES / 8);
      this.#chunks.set(index, chunk);
    }
    const bit = page % CHUNK_PAGES;
    chunk[bit >> 3]! |= 1 << (bit & 7);
  }

  has(page: number): boolean {
    const bit = page % CHUNK_PAGES;
    return ((this.#chunks.get(Math.floor(page / CHUNK_PAGES))?.[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }
}

/** Where the bytes of a block go: into an open file, from an offset in bytes on. */
export interface BlockPlace {
  readonly fd: number;
  readonly start: number;
}

interface WrittenBlock extends BlockPlace {
  readonly block: RamBlock;
  /** Pages that hold something else than the file's holes. */
  readonly written: PageSet;
}

/**
 * Writes the last version of each page to its place in a file, while a stream is scanned. What was never written there
 * must read as zeros: then zero pages stay holes. Throws what the file system throws.
 */
export class PageWriter implements PageSink {
  readonly #place: (block: RamBlock) => BlockPlace | undefined;
  readonly #blocks = new Map<string, WrittenBlock | undefined>();
  readonly #diagnostics: Diagnostic[] = [];
  readonly #stage = new Uint8Array(STAGE_SIZE);
  #staged: { file: WrittenBlock; offset: number; length: number } | undefined;

  /** `place` is asked once for each block; the pages of one without a place are dropped. */
  constructor(place: (block: RamBlock) => BlockPlace | undefined) {
    this.#place = place;
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
    const file = this.#written(block);
    if (!file) return;
    const page = offset / pageSize;
    switch (kind) {
      case 'plain':
      case 'mapped':
        this.#write(file, offset, data);
        break;
      case 'zero':
        // A hole is zero already, unless an earlier version of the page was written there.
        if (!file.written.has(page)) return;
        this.#write(file, offset, new Uint8Array(pageSize));
        break;
      case 'fill':
        this.#write(file, offset, new Uint8Array(pageSize).fill(fill));
        break;
      case 'xbzrle':
      case 'compressed': {
        const content = this.#decode(file, offset, kind, data, pageSize);
        if (!content) return;
        this.#write(file, offset, content);
      }
    }
    file.written.add(page);
  }

  #written(block: RamBlock): WrittenBlock | undefined {
    if (!this.#blocks.has(block.idstr)) {
      const place = this.#place(block);
      this.#blocks.set(block.idstr, place && { ...place, block, written: new PageSet() });
    }
    return this.#blocks.get(block.idstr);
  }

  #decode(
    file: WrittenBlock,
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
      this.flush();
      const content = new Uint8Array(pageSize);
      readSync(file.fd, content, 0, pageSize, file.start + offset);
      applyXbzrle(data, content);
      return content;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `${kind} page of ${file.block.idstr} at ${hexOffset(offset)} is damaged: ${reason}`;
      this.#diagnostics.push({ severity: 'error', code: 'bad-ram', section: 'ram', message });
      return undefined;
    }
  }

  #write(file: WrittenBlock, offset: number, data: Uint8Array): void {
    const staged = this.#staged;
    if (
      staged?.file === file &&
      staged.offset + staged.length === offset &&
      staged.length + data.length <= STAGE_SIZE
    ) {
      this.#stage.set(data, staged.length);
      staged.length += data.length;
      return;
    }
    this.flush();
    if (data.length > STAGE_SIZE) {
      writeAll(file.fd, data, file.start + offset);
      return;
    }
    this.#stage.set(data);
    this.#staged = { file, offset, length: data.length };
  }

  /** Writes what was gathered; to be called behind the last page. */
  flush(): void {
    if (!this.#staged) return;
    const { file, offset, length } = this.#staged;
    this.#staged = undefined;
    writeAll(file.fd, this.#stage.subarray(0, length), file.start + offset);
  }
}

interface BlockFile extends BlockPlace {
  readonly block: RamBlock;
  readonly name: string;
}

/** RAM blocks as sparse files in a folder. */
export class RamFiles {
  readonly sink = new PageWriter((block) => this.#file(block));
  readonly #folder: string;
  readonly #names = new FileNames();
  readonly #files = new Map<string, BlockFile>();
  readonly #diagnostics: Diagnostic[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  get diagnostics(): readonly Diagnostic[] {
    return [...this.sink.diagnostics, ...this.#diagnostics];
  }

  /** Creates the files of blocks that had no page, gives all their length, and closes them. */
  finish(blocks: readonly RamBlock[]): readonly { readonly block: RamBlock; readonly name: string }[] {
    try {
      this.sink.flush();
      for (const block of blocks) this.#setLength(this.#file(block));
    } finally {
      for (const { fd } of this.#files.values()) closeSync(fd);
    }
    return [...this.#files.values()].map(({ block, name }) => ({ block, name }));
  }

  #setLength({ fd, block }: BlockFile): void {
    try {
      ftruncateSync(fd, block.length);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `RAMBlock ${block.idstr} of ${block.length} bytes: ${reason}`;
      this.#diagnostics.push({ severity: 'error', code: 'bad-ram', section: 'ram', message });
    }
  }

  #file(block: RamBlock): BlockFile {
    let file = this.#files.get(block.idstr);
    if (!file) {
      const name = this.#names.next(block.idstr, '.bin');
      file = { block, name, fd: openSync(join(this.#folder, name), 'w+'), start: 0 };
      this.#files.set(block.idstr, file);
    }
    return file;
  }
}

function writeAll(fd: number, data: Uint8Array, offset: number): void {
  for (let written = 0; written < data.length; ) {
    written += writeSync(fd, data, written, data.length - written, offset + written);
  }
}
