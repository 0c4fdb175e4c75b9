import type { MultifdEncoding } from './packet.ts';

/** Where the pages of a packet are in its channel; offsets and lengths in bytes. */
export interface CompressedPacket {
  /** Of the packet itself. */
  readonly start: number;
  readonly payload: number;
  readonly payloadSize: number;
  /** Of the pages. */
  readonly length: number;
}

/** The packets with pages of a channel whose pages are compressed, once it was read. */
export interface CompressedPackets {
  readonly encoding: Exclude<MultifdEncoding, 'none'>;
  /** From the first on, those that were found sound. */
  packets(): AsyncGenerator<CompressedPacket>;
}
