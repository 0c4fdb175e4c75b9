import type { SectionType } from '../stream/records.ts';
import type { RamBlock } from './ram-block.ts';

/**
 * How the content of a page is sent: as it is, as nothing but zeros, as one repeated byte other than zero (only very
 * old QEMUs do), as an XBZRLE delta against what was sent before, as a zlib stream (before 9.1), or at its place in
 * the file (mapped-ram).
 */
export type PageKind = 'plain' | 'zero' | 'fill' | 'xbzrle' | 'compressed' | 'mapped';

/** All kinds, in the order of their counts. */
export const pageKinds: readonly PageKind[] = ['plain', 'zero', 'fill', 'xbzrle', 'compressed', 'mapped'];

/** Takes pages as they are met in the stream. A page can come more than once: the last one is right. */
export interface PageSink {
  /** False for who only counts: `data` is empty then, and pages that mapped-ram keeps elsewhere are not read. */
  readonly wantsData?: boolean;
  /** A record of the section begins: what pages follow are in it. */
  section?(type: SectionType): void;
  /**
   * A point at which all channels waited for each other (multifd). Between two of them no page comes twice, and pages
   * of several channels come in any order.
   */
  synchronised?(): void;
  /** The migration switched to postcopy: the pages that follow are in the order in which the destination needs them. */
  postcopy?(): void;
  /**
   * One page of `block`, at `offset` bytes inside it. `data` is what the stream holds: the page itself (plain,
   * mapped), an XBZRLE delta, a zlib stream, or nothing for zero and fill, where `fill` is the byte. It is a view
   * that is valid during the call only. `pageSize` is the target's, in bytes: the length of the page as it is in
   * memory.
   */
  page(
    block: RamBlock,
    offset: number,
    kind: PageKind,
    data: Uint8Array,
    fill: number,
    pageSize: number,
  ): void;

  /**
   * The same for `count` plain or mapped pages that follow each other in `block` from `offset` on, in one call: the
   * first begins at `start` in `bytes`, each of the others `stride` bytes behind the one before. A sink without this
   * gets them one by one.
   */
  pages?(
    block: RamBlock,
    offset: number,
    count: number,
    bytes: Uint8Array,
    start: number,
    stride: number,
    pageSize: number,
  ): void;
}
