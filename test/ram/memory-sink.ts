import { inflateSync } from 'node:zlib';
import type { PageKind, PageSink } from '../../src/ram/page-sink.ts';
import type { RamBlock } from '../../src/ram/ram-block.ts';
import { applyXbzrle } from '../../src/ram/xbzrle.ts';

/** RAM in memory, page by page: a sink without the faster way for runs of pages. */
export class MemorySink implements PageSink {
  readonly blocks = new Map<string, Uint8Array>();

  page(
    block: RamBlock,
    offset: number,
    kind: PageKind,
    data: Uint8Array,
    fill: number,
    pageSize: number,
  ): void {
    let content = this.blocks.get(block.idstr);
    if (!content) {
      content = new Uint8Array(block.length);
      this.blocks.set(block.idstr, content);
    }
    const page = content.subarray(offset, offset + pageSize);
    if (kind === 'zero' || kind === 'fill') page.fill(fill);
    else if (kind === 'xbzrle') applyXbzrle(data, page);
    else page.set(kind === 'compressed' ? inflateSync(data) : data);
  }
}
