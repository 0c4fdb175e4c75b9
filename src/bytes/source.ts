import { DecodeError } from './diagnostic.ts';

/**
 * Where bytes come from: a file, memory, a part of another source, a connection that still brings more. Positional, so
 * that a reader may skip what it does not need and come back to it. Nothing above a ByteSource knows what kind it is.
 */
export interface ByteSource {
  /** For messages: a file name, `<stdin>`, … */
  readonly name: string;
  /** Length in bytes; undefined while the source grows. */
  readonly size: number | undefined;
  /**
   * What is read, where that can be told: device, inode, time and length of a file, the ETag of a resource. `read` throws
   * DecodeError `changed` once it is not that any more.
   */
  readonly identity?: string | undefined;
  /** Waits until nothing more comes. Returns the length in bytes, which `size` is from then on. Throws what `read` throws. */
  end(): Promise<number>;
  /**
   * The bytes `[offset, offset + length)`; fewer only where the source ends, or grows: then it waits for the first of
   * them, and returns what has come. None is the end. Throws DecodeError `io` and `changed`.
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
  /** The same bytes, whatever becomes of the identity: for a format that others may write to while it is read. */
  withoutIdentity?(): ByteSource;
}

/** A source that grows no more. */
export interface FinishedSource extends ByteSource {
  readonly size: number;
  withoutIdentity?(): FinishedSource;
}

/** Waits until a source grows no more. */
export async function finished(source: ByteSource): Promise<FinishedSource> {
  await source.end();
  return source as FinishedSource;
}

/** What was read has changed meanwhile; `how`: `it had 7 bytes, and has 3`. */
export function changedError(name: string, how: string): DecodeError {
  const message = `${name} changed while it was read: ${how}`;
  return new DecodeError({ severity: 'error', code: 'changed', message });
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
  return source.locate
    ? source.locate(offset)
    : { offset, length: Math.max(0, (source.size ?? Number.POSITIVE_INFINITY) - offset) };
}

/** Bytes in memory, not copied. */
export function memorySource(bytes: Uint8Array, name = '<memory>'): FinishedSource {
  return {
    name,
    size: bytes.byteLength,
    end: () => Promise.resolve(bytes.byteLength),
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

/** What a browser's `File` and `Blob` have, so that no platform type appears in the API. */
export interface BlobLike {
  readonly size: number;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** A `File` or `Blob` of a browser, which reads a file no more once it has changed. */
export function blobSource(blob: BlobLike, name = '<blob>'): FinishedSource {
  return {
    name,
    size: blob.size,
    end: () => Promise.resolve(blob.size),
    async read(offset, length) {
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'NotReadableError') throw error;
        throw changedError(name, error.message);
      }
    },
  };
}

/** Exactly `length` bytes at `offset`. Throws DecodeError `truncated` when the source ends before. */
export async function readExactly(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const bytes =
    offset + length <= (await source.end()) ? await source.read(offset, length) : new Uint8Array(0);
  if (bytes.byteLength < length) {
    throw new DecodeError({
      severity: 'error',
      code: 'truncated',
      message: `${source.name} ends at ${source.size}, ${length} bytes are needed here`,
      range: { start: offset, end: await source.end() },
    });
  }
  return bytes;
}
