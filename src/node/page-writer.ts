import { readSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { PageKind, PageSink } from '../ram/page-sink.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { applyXbzrle } from '../ram/xbzrle.ts';
import { writeFully } from './output.ts';

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
  #damaged = 0;
  /** That of the last page, as pages mostly belong to the same block. */
  #last: WrittenBlock | undefined;
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
    const file = this.#written(block);
    if (!file) return;
    if (stride === pageSize) this.#write(file, offset, bytes, start, count * pageSize);
    else {
      for (let index = 0; index < count; index++) {
        this.#write(file, offset + index * pageSize, bytes, start + index * stride, pageSize);
      }
    }
    file.written.add(offset / pageSize, count);
  }

  /** Writes what was gathered; to be called behind the last page. */
  flush(): void {
    if (!this.#staged) return;
    const { file, offset, length } = this.#staged;
    this.#staged = undefined;
    writeFully(file.fd, this.#stage.subarray(0, length), file.start + offset);
  }

  #written(block: RamBlock): WrittenBlock | undefined {
    if (this.#last?.block === block) return this.#last;
    if (!this.#blocks.has(block.idstr)) {
      const place = this.#place(block);
      this.#blocks.set(block.idstr, place && { ...place, block, written: new PageSet() });
    }
    this.#last = this.#blocks.get(block.idstr);
    return this.#last;
  }

  #decode(
    file: WrittenBlock,
    offset: number,
    kind: 'xbzrle' | 'compressed',
    data: Uint8Array,
    pageSize: number,
  ): Uint8Array | undefined {
    // The delta applies to the page as it was sent last, which may not be in the file yet.
    const before = kind === 'xbzrle' ? this.#read(file, offset, pageSize) : undefined;
    try {
      if (!before) {
        const content = inflateSync(data, { maxOutputLength: pageSize });
        if (content.length !== pageSize) throw new Error(`it decompresses to ${content.length} bytes`);
        return content;
      }
      applyXbzrle(data, before);
      return before;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#problem(
        `${kind} page of ${printable(file.block.idstr)} at ${hexOffset(offset)} is damaged: ${reason}`,
      );
      return undefined;
    }
  }

  #read(file: WrittenBlock, offset: number, length: number): Uint8Array {
    this.flush();
    const bytes = new Uint8Array(length);
    readSync(file.fd, bytes, 0, length, file.start + offset);
    return bytes;
  }

  #problem(message: string): void {
    this.#damaged++;
    if (this.#damaged > MAX_REPORTED) return;
    const rest = this.#damaged === MAX_REPORTED ? '; more are not reported' : '';
    this.#diagnostics.push({ severity: 'error', code: 'bad-ram', section: 'ram', message: message + rest });
  }

  /** Writes `length` bytes of `bytes` from `start` on, now or together with what follows. */
  #write(file: WrittenBlock, offset: number, bytes: Uint8Array, start: number, length: number): void {
    const staged = this.#staged;
    const follows = staged?.file === file && staged.offset + staged.length === offset;
    if (staged && follows && staged.length + length <= STAGE_SIZE) {
      this.#stage.set(bytes.subarray(start, start + length), staged.length);
      staged.length += length;
      return;
    }
    this.flush();
    // What is long already gains nothing by being gathered.
    if (length > STAGE_SIZE / 4) {
      writeFully(file.fd, bytes.subarray(start, start + length), file.start + offset);
      return;
    }
    this.#stage.set(bytes.subarray(start, start + length));
    this.#staged = { file, offset, length };
  }
}
