/** Where mapped-ram keeps the pages of a block; offsets in bytes, absolute in the stream. */
export interface MappedRam {
  /** Version of the header: 1. */
  readonly version: number;
  /** TARGET_PAGE_SIZE of the source, in bytes. */
  readonly pageSize: number;
  /** Of the bitmap: a bit for each page, least significant bit first, in words of the host's `unsigned long`. */
  readonly bitmapOffset: number;
  /** Of page 0; page n is at `pagesOffset + n * pageSize`, and only there when its bit is set. */
  readonly pagesOffset: number;
}

/** A RAMBlock as the block list of the section announces it (migration/ram.c, ram_save_setup). */
export interface RamBlock {
  readonly idstr: string;
  /** `used_length` in bytes. */
  readonly length: number;
  /** Guest physical address, sent with the capability x-ignore-shared. */
  readonly address?: bigint;
  /** Page size of the backing (huge pages) in bytes, sent with postcopy-ram where it is not the host's. */
  readonly pageSize?: number;
  /** With the capability mapped-ram, unless x-ignore-shared leaves the block out. */
  readonly mapped?: MappedRam;
}
