import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { ByteSource } from '../bytes/source.ts';
import { type OpenedStream, type OpenOptions, openStream } from '../layout/open.ts';
import { PageHashes } from '../ram/page-hashes.ts';
import type { PageKind, PageSink } from '../ram/page-sink.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { nodeInflater } from './inflater.ts';
import { PageWriter } from './page-writer.ts';
import { whenProcessEnds } from './process-end.ts';

/** A stream, and hashes of the pages of its RAM. */
export interface HashedStream {
  readonly opened: OpenedStream;
  readonly pages: PageHashes;
}

/**
 * Opens a stream and hashes the last version of every page. Pages whose last version is an XBZRLE delta are put together
 * in temporary files, by a second scan.
 */
export async function openWithPageHashes(source: ByteSource, options: OpenOptions): Promise<HashedStream> {
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
  source: ByteSource,
  options: OpenOptions,
  pages: PageHashes,
): Promise<readonly Diagnostic[]> {
  let folder: string | undefined;
  const remove = () => folder !== undefined && rmSync(folder, { recursive: true, force: true });
  const done = whenProcessEnds(remove);
  const made = mkdtempSync(join(tmpdir(), 'vmwalk-pages-'));
  folder = made;
  const files = new Map<string, { readonly block: RamBlock; readonly fd: number }>();
  const writer = new PageWriter((block) => {
    const fd = openSync(join(made, String(files.size)), 'wx+');
    files.set(block.idstr, { block, fd });
    return { fd, start: 0 };
  });
  try {
    await openStream(source, { inflater: nodeInflater, ...options, sink: new UndecodedPages(pages, writer) });
    writer.flush();
    for (const { idstr, page, pageSize } of [...pages.undecoded()]) {
      const file = files.get(idstr);
      if (!file) continue;
      const content = new Uint8Array(pageSize);
      readSync(file.fd, content, 0, pageSize, page * pageSize);
      pages.set(file.block, page, content, pageSize);
    }
  } finally {
    for (const { fd } of files.values()) closeSync(fd);
    remove();
    done();
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
