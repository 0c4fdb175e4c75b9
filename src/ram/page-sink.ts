import type { ByteSource } from '../bytes/source.ts';
import type { SectionType } from '../stream/records.ts';
import type { CompressedPackets } from './multifd/compressed-packets.ts';
import type { RamBlock } from './ram-block.ts';

/**
 * How the content of a page is sent: as it is, as nothing but zeros, as one repeated byte other than zero (only very
 * old QEMUs do), as an XBZRLE delta against what was sent before, as a zlib stream (before 9.1), or at its place in
 * the file (mapped-ram).
 */
export type PageKind = 'plain' | 'zero' | 'fill' | 'xbzrle' | 'compressed' | 'mapped';

/** All kinds, in the order of their counts. */
export const pageKinds: readonly PageKind[] = ['plain', 'zero', 'fill', 'xbzrle', 'compressed', 'mapped'];

/** Where pages are: the main stream, or a channel. */
export interface PageSource {
  readonly source: ByteSource;
  /** Plain pages that follow each other have a record header of 8 bytes between them, and nothing in multifd packets. */
  readonly hasRecords: boolean;
  /** Where packets are compressed: offsets of pages are in what all payloads of the channel decompress to. */
  readonly packets?: CompressedPackets;
}

/** Takes pages as they are met in the stream. A page can come more than once: the last one is right. */
export interface PageSink {
  /** Whether it takes pages for what is in them: that some are not in the stream is an error then, and else a note. */
  readonly needsContent: boolean;
  /** A record of the section begins: what pages follow are in it. */
  section?(type: SectionType): void;
  /**
   * A point at which all channels waited for each other (multifd). Between two of them no page comes twice, and pages
   * of several channels come in any order.
   */
  synchronised?(): void;
  /** The migration switched to postcopy: the pages that follow are in the order in which the destination needs them. */
  postcopy?(): void;
  /** Pages that were sent are of no use, and have to come again: bytes of `block` from `start` to before `end`. */
  discard?(block: RamBlock, start: number, end: number): void;
  /**
   * `count` pages of `block` that follow each other, from `offset` bytes inside it on, each of `pageSize` bytes
   * (TARGET_PAGE_SIZE); more than one only of zero, fill, plain and mapped pages. `value` is, of the first of them: of a
   * fill page the byte; of a plain or mapped one the offset of the page in `from`; of an XBZRLE one that of its encoding
   * (u8, u16 length, delta), of a compressed one that of its u32 length; and else 0.
   */
  pages(
    block: RamBlock,
    offset: number,
    count: number,
    kind: PageKind,
    pageSize: number,
    value: number,
    from: PageSource,
  ): void;
  /** Asked now and then whether it has something to do before more pages come. */
  drain?(): Promise<void> | undefined;
}

/** Passes all on to each of the sinks. */
export function joinSinks(sinks: readonly PageSink[]): PageSink | undefined {
  const [first] = sinks;
  if (sinks.length < 2) return first;
  return {
    needsContent: sinks.some(({ needsContent }) => needsContent),
    section(type) {
      for (const sink of sinks) sink.section?.(type);
    },
    synchronised() {
      for (const sink of sinks) sink.synchronised?.();
    },
    postcopy() {
      for (const sink of sinks) sink.postcopy?.();
    },
    discard(block, start, end) {
      for (const sink of sinks) sink.discard?.(block, start, end);
    },
    pages(block, offset, count, kind, pageSize, value, from) {
      for (const sink of sinks) sink.pages(block, offset, count, kind, pageSize, value, from);
    },
    drain() {
      const waiting = sinks.flatMap((sink) => sink.drain?.() ?? []);
      return waiting.length === 0 ? undefined : Promise.all(waiting).then(() => {});
    },
  };
}
