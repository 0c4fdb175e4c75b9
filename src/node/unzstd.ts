import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { hexOffset } from '../bytes/range.ts';
import { DamagedData, type Decoder, readChunks, runTransform } from './decoder.ts';
import { findZstdFrame } from './zstd-frame.ts';

/** What Node has from 22.15 on. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };

/**
 * Decodes zstd frames one after another by node:zlib; undefined where Node has no zstd. Where a frame ends is seen here:
 * node:zlib stops behind the first, and up to Node 22 takes one that is cut for a whole one.
 */
export const unzstd: Decoder | undefined =
  createZstdDecompress &&
  (async (decoding) => {
    const { source, write } = decoding;
    for (let offset = 0; offset < source.size; ) {
      const frame = await findZstdFrame(source, offset);
      if (frame.kind === 'none' && offset > 0) {
        return `${source.size - offset} bytes behind the zstd data, from ${hexOffset(offset)} on, are no zstd data and left out`;
      }
      if (frame.kind === 'content') {
        const chunks = readChunks(decoding, offset, frame.end);
        await runTransform(createZstdDecompress(), chunks, write).catch((error) => {
          throw error instanceof DamagedData
            ? new DamagedData(`${error.message}, in the frame at ${hexOffset(offset)}`)
            : error;
        });
      }
      if (frame.end > source.size)
        throw new DamagedData(`the file ends inside the frame at ${hexOffset(offset)}`);
      offset = frame.end;
    }
    return undefined;
  });
