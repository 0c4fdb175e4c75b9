import { DecodeError } from './diagnostic.ts';

/**
 * Where bytes come from: a file, memory, a part of another source. Positional, so that a reader may skip what
 * it does not need and come back to it. Nothing above a ByteSource knows what kind it is.
 */
export interface ByteSource {
  /** For messages: a file name, `<stdin>`, … */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /**
   * The bytes `[offset, offset + length)`; fewer only where the source ends.
   *
   * `into` is a buffer of at least `length` bytes that the source may fill and return a view of, so that a scan over
   * gigabytes does not allocate; a source that has its bytes in memory may return a view of those instead. Either
   * way the result is valid until the next use of `into`.
   *
   * Reads may be asked for while others are under way: who scans forward reads ahead.
   */
  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
  /**
   * Where the bytes from `offset` on are in the outermost file, for a source that is taken out of a container. Absent
   * where the source is the file: use `locate`.
   */
  locate?(offset: number): Promise<Place>;
}

/** Where bytes of a source are in the outermost file. */
export interface Place {
  /** Offset of the first there; undefined for bytes that are not stored as such (compressed, a hole). */
  readonly offset: number | undefined;
  /** How many bytes are there in one piece. */
  readonly length: number;
}

/** Where the bytes of a source from `offset` on are in the outermost file. */
export async function locate(source: ByteSource, offset: number): Promise<Place> {
  return source.locate ? source.locate(offset) : { offset, length: Math.max(0, source.size - offset) };
}

/** Bytes in memory, not copied. */
export function memorySource(bytes: Uint8Array, name = '<memory>'): ByteSource {
  return {
    name,
    size: bytes.byteLength,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

/** What a browser's `File` and `Blob` have, so that no platform type appears in the API. */
export interface BlobLike {
  readonly size: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** A `File` or `Blob` of a browser. */
export function blobSource(blob: BlobLike, name = '<blob>'): ByteSource {
  return {
    name,
    size: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

/** Exactly `length` bytes at `offset`. Throws DecodeError `truncated` when the source ends before. */
export async function readExactly(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes = offset + length <= source.size ? await source.read(offset, length) : new Uint8Array(0);
  if (bytes.byteLength < length) {
    throw new DecodeError({
      severity: 'error',
      code: 'truncated',
      message: `${source.name} ends at ${source.size}, ${length} bytes are needed here`,
      range: { start: offset, end: source.size },
    });
  }
  return bytes;
}
