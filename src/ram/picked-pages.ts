import type { PageKind, PageSink } from './page-sink.ts';
import type { RamBlock } from './ram-block.ts';
import { applyXbzrle } from './xbzrle.ts';

/**
 * Keeps the last version of the pages in which given offsets are, while a stream is scanned. Nothing is known of a page
 * that was not sent, whose last version cannot be decoded (zlib), or that may be sent elsewhere (multifd). Pages that
 * postcopy takes back are kept: the scanner of the section knows them.
 */
export class PickedPages implements PageSink {
  /** By idstr: offsets in bytes. */
  readonly #offsets = new Map<string, number[]>();
  readonly #blocks = new Map<string, PickedBlock>();
  #hasContent = false;

  /** Asks for the page of a byte; before the scan. */
  pick(idstr: string, offset: number): void {
    const offsets = this.#offsets.get(idstr);
    if (offsets) offsets.push(offset);
    else this.#offsets.set(idstr, [offset]);
  }

  /** An integer of 16 bits at an even offset that was picked; undefined where it is not known. */
  uint16(idstr: string, offset: number, littleEndian: boolean): number | undefined {
    const block = this.#blocks.get(idstr);
    const content = block?.contents.get(Math.floor(offset / block.pageSize));
    // With mapped-ram a page without a bit is one of zeros.
    if (block?.isMapped && !content) return 0;
    if (!block || !content) return undefined;
    // With multifd, what is no zero page is in other channels: zeros here may be of an earlier round.
    if (!this.#hasContent) return undefined;
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    return view.getUint16(offset % block.pageSize, littleEndian);
  }

  page(
    ramBlock: RamBlock,
    offset: number,
    kind: PageKind,
    data: Uint8Array,
    fill: number,
    pageSize: number,
  ): void {
    this.#hasContent ||= kind !== 'zero' && kind !== 'fill';
    const block = this.#blockOf(ramBlock, pageSize);
    const page = offset / pageSize;
    if (!block?.picked.has(page)) return;
    const content = contentOf(kind, data, fill, pageSize, block.contents.get(page));
    if (content) block.contents.set(page, content);
    else block.contents.delete(page);
  }

  pages(
    ramBlock: RamBlock,
    offset: number,
    count: number,
    bytes: Uint8Array,
    start: number,
    stride: number,
    pageSize: number,
  ): void {
    this.#hasContent = true;
    const block = this.#blockOf(ramBlock, pageSize);
    if (!block) return;
    const first = offset / pageSize;
    for (let index = 0; index < count; index++) {
      if (!block.picked.has(first + index)) continue;
      const at = start + index * stride;
      block.contents.set(first + index, bytes.slice(at, at + pageSize));
    }
  }

  #blockOf({ idstr, mapped }: RamBlock, pageSize: number): PickedBlock | undefined {
    const known = this.#blocks.get(idstr);
    if (known?.pageSize === pageSize) return known;
    const offsets = this.#offsets.get(idstr);
    if (!offsets) return undefined;
    // Where there is one already, the scan believed in another page size at first.
    const picked = new Set(offsets.map((offset) => Math.floor(offset / pageSize)));
    const block = { pageSize, picked, isMapped: mapped !== undefined, contents: new Map() };
    this.#blocks.set(idstr, block);
    return block;
  }
}

interface PickedBlock {
  /** TARGET_PAGE_SIZE, bytes. */
  readonly pageSize: number;
  readonly picked: ReadonlySet<number>;
  readonly isMapped: boolean;
  readonly contents: Map<number, Uint8Array>;
}

function contentOf(
  kind: PageKind,
  data: Uint8Array,
  fill: number,
  pageSize: number,
  before: Uint8Array | undefined,
): Uint8Array | undefined {
  switch (kind) {
    case 'plain':
    case 'mapped':
      return data.slice();
    case 'zero':
    case 'fill':
      return new Uint8Array(pageSize).fill(kind === 'zero' ? 0 : fill);
    case 'xbzrle':
      return before && patched(before, data);
    case 'compressed':
      return undefined;
  }
}

function patched(page: Uint8Array, delta: Uint8Array): Uint8Array | undefined {
  try {
    applyXbzrle(delta, page);
    return page;
  } catch {
    return undefined;
  }
}
