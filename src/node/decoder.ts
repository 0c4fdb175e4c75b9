import { Readable, type Transform } from 'node:stream';
import type { FinishedSource } from '../bytes/source.ts';

/** Bytes of the first read of a member or frame, which may be small, and of those after. */
const FIRST_READ = 64 << 10;
const READ_SIZE = 1 << 20;

/** Compressed data that is cut or damaged. What was decoded before was written. */
export class DamagedData extends Error {}

/** What a decoder reads and writes. */
export interface Decoding {
  readonly source: FinishedSource;
  /** Takes decoded bytes, at once. */
  write(bytes: Uint8Array): void;
  /** Called with the number of compressed bytes read so far. */
  onProgress?(offset: number): void;
}

/**
 * Decodes a whole source. Gives a warning about data that was left out, where there is some. Throws DamagedData, what
 * `write` throws, and DecodeError `io`.
 */
export type Decoder = (decoding: Decoding) => Promise<string | undefined>;

/** The bytes `[start, end)`, each time in another buffer. */
export async function* readChunks(
  { source, onProgress }: Decoding,
  start: number,
  end: number = source.size,
): AsyncGenerator<Uint8Array> {
  for (let offset = start, length = FIRST_READ; offset < end; length = READ_SIZE) {
    const chunk = await source.read(offset, Math.min(length, end - offset));
    if (chunk.byteLength === 0) return;
    offset += chunk.byteLength;
    yield chunk;
    onProgress?.(offset);
  }
}

/** Writes what a stream gives, each piece before the next is asked for. */
export function writeAll(stream: Readable, write: (bytes: Uint8Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('data', (chunk: Uint8Array) => {
      try {
        write(chunk);
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
    stream.once('end', resolve);
    stream.once('error', reject);
    // Without an end: the output of a program that could not be started.
    stream.once('close', resolve);
  });
}

/** Writes what a transform of node:zlib makes of chunks, up to where the compressed data says that it ends. */
export async function runTransform(
  transform: Transform,
  chunks: AsyncIterable<Uint8Array>,
  write: (bytes: Uint8Array) => void,
): Promise<void> {
  const input = Readable.from(chunks);
  input.once('error', (error) => transform.destroy(error));
  input.pipe(transform);
  try {
    await writeAll(transform, write);
  } catch (error) {
    throw isZlibError(error) ? new DamagedData((error as Error).message) : error;
  } finally {
    input.destroy();
    transform.destroy();
  }
}

function isZlibError(error: unknown): boolean {
  return /^(Z_|ZSTD_)/.test(String((error as NodeJS.ErrnoException).code));
}
