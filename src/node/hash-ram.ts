import { readSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { type OpenedStream, type OpenOptions, openStream } from '../layout/open.ts';
import { PageHashes } from '../ram/page-hashes.ts';
import type { PageKind, PageSink } from '../ram/page-sink.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { nodeInflater } from './inflater.ts';
import { PageWriter } from './page-writer.ts';
import { openNameless, temporaryFolder } from './spool.ts';

/** A stream, and hashes of the pages of its RAM. */
export interface HashedStream {
  readonly opened: OpenedStream;
  readonly pages: PageHashes;
}

/**
 * Opens a stream and hashes the last version of every page. Pages whose last version is an XBZRLE delta are put together
 * in a temporary file, by a second scan.
 */
export async function openWithPageHashes(
  source: FinishedSource,
  options: OpenOptions,
): Promise<HashedStream> {
  const pages = new PageHashes({
    inflate: (data, pageSize) => inflateSync(data, { maxOutputLength: pageSize }),
  });
  const opened = await openStream(source, { inflater: nodeInflater, ...options, sink: pages });
  const diagnostics: Diagnostic[] = [...opened.diagnostics];
  if (!pages.undecoded().next().done) diagnostics.push(...(await decodePages(source, options, pages)));
  if (pages.unfollowed > 0) {
    const message = `${pages.unfollowed} pages were not compared: they are too many`;
    diagnostics.push({ severity: 'error', code: 'unsupported', section: 'ram', message });
  }
  return { opened: { ...opened, diagnostics }, pages };
}

/** Writes all versions of the pages that `pages` could not decode one upon another, and hashes what they become. */
async function decodePages(
  source: FinishedSource,
  options: OpenOptions,
  pages: PageHashes,
): Promise<readonly Diagnostic[]> {
  const file = await openNameless(await temporaryFolder());
  const { fd } = file;
  /** One block behind the other. */
  const places = new Map<string, { readonly block: RamBlock; readonly start: number }>();
  let end = 0;
  const writer = new PageWriter((block) => {
    const start = end;
    end += block.length;
    places.set(block.idstr, { block, start });
    return { fd, start };
  });
  try {
    await openStream(source, { inflater: nodeInflater, ...options, sink: new UndecodedPages(pages, writer) });
    writer.flush();
    for (const { idstr, page, pageSize } of [...pages.undecoded()]) {
      const place = places.get(idstr);
      if (!place) continue;
      const content = new Uint8Array(pageSize);
      readSync(fd, content, 0, pageSize, place.start + page * pageSize);
      pages.set(place.block, page, content, pageSize);
    }
  } finally {
    await file.close();
  }
  return writer.diagnostics;
}

/** Passes on the pages that `pages` could not decode. */
class UndecodedPages implements PageSink {
  readonly #pages: PageHashes;
  readonly #to: PageSink;

  constructor(pages: PageHashes, to: PageSink) {
    this.#pages = pages;
    this.#to = to;
  }

  page(
    block: RamBlock,
    offset: number,
    kind: PageKind,
    data: Uint8Array,
    fill: number,
    pageSize: number,
  ): void {
    if (!this.#pages.isDecoded(block, offset / pageSize))
      this.#to.page(block, offset, kind, data, fill, pageSize);
  }
}
