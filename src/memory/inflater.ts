/** How the payloads of a channel are compressed: one stream over all packets (zlib, zstd), or each by itself (gzip). */
export type PayloadFormat = 'zlib' | 'zstd' | 'gzip';

/** Decompression of pages, which the platform provides. */
export interface Inflater {
  /**
   * Decompresses the payloads of one multifd channel, in their order. They may be asked for ahead of what is read. Throws
   * DecodeError `unsupported` where the platform has no decoder, naming what is missing.
   */
  open(format: PayloadFormat, payloads: AsyncGenerator<Uint8Array>): InflatedPayloads;
  /**
   * Decompresses one zlib stream. Throws an Error that tells what is wrong where it is damaged, or comes to more than
   * `limit` bytes.
   */
  inflate(data: Uint8Array, limit: number): Uint8Array | Promise<Uint8Array>;
}

export interface InflatedPayloads {
  /**
   * What the next payload decompresses to, which has to be `length` bytes; valid until the next call. Throws an Error
   * that tells what is wrong with it: damaged, cut, shorter or longer (the latter as far as the decoder can tell).
   */
  next(length: number): Promise<Uint8Array>;
  /** Behind the last payload, or earlier. Throws an Error when there is more than was read of all payloads. */
  close(): Promise<void>;
}
