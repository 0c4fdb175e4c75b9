import { DecodeError } from '../bytes/diagnostic.ts';

/**
 * A private place for bytes that are kept while a stream is worked on: a sparse file of whoever has one. What was not
 * written reads as zeros.
 */
export interface Spool {
  /** Both throw DecodeError `io` where there is no more room, or the place fails. Offsets and lengths in bytes. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  read(offset: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a spool that `bytes` bytes are to be written to. Throws DecodeError `io` where there is less room, or where it
 * cannot be opened.
 */
export type OpenSpool = (bytes: number) => Promise<Spool>;

/** Bytes that are kept together. */
const CHUNK = 64 << 10;
/** Bytes that a spool in memory takes unless it is told otherwise: as much as a browser has for sure. */
const DEFAULT_LIMIT = 256 << 20;

/** A spool in memory, for platforms without files, which takes `limit` bytes. */
export function memorySpool(limit = DEFAULT_LIMIT): Spool {
  const chunks = new Map<number, Uint8Array>();
  const chunkAt = (index: number) => {
    let chunk = chunks.get(index);
    if (!chunk) {
      if ((chunks.size + 1) * CHUNK > limit) {
        const message = `more than ${limit} bytes of memory have to be kept meanwhile, and nothing was given to keep them in`;
        throw new DecodeError({ severity: 'error', code: 'io', message });
      }
      chunk = new Uint8Array(CHUNK);
      chunks.set(index, chunk);
    }
    return chunk;
  };
  return {
    async write(offset, bytes) {
      for (let done = 0; done < bytes.length; ) {
        const inside = (offset + done) % CHUNK;
        const part = bytes.subarray(done, done + CHUNK - inside);
        chunkAt(Math.floor((offset + done) / CHUNK)).set(part, inside);
        done += part.length;
      }
    },
    async read(offset, into) {
      for (let done = 0; done < into.length; ) {
        const inside = (offset + done) % CHUNK;
        const part = into.subarray(done, done + CHUNK - inside);
        const chunk = chunks.get(Math.floor((offset + done) / CHUNK));
        if (chunk) part.set(chunk.subarray(inside, inside + part.length));
        else part.fill(0);
        done += part.length;
      }
    },
    async close() {
      chunks.clear();
    },
  };
}
