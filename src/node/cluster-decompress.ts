import * as zlib from 'node:zlib';
import { DecodeError } from '../bytes/diagnostic.ts';

/** Node has zstd from 22.15 on; the types are those of the oldest Node that is supported. */
const { zstdDecompressSync } = zlib as {
  zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
};

/**
 * A compressed qcow2 cluster, by Node's own decoders. What is behind the compressed data in its last sector belongs to
 * another cluster.
 */
export async function decompressCluster(
  compression: 'zlib' | 'zstd',
  bytes: Uint8Array,
  size: number,
): Promise<Uint8Array> {
  if (compression === 'zstd' && !zstdDecompressSync) {
    const message = 'the image has clusters that are compressed with zstd, which takes Node 22.15 or later';
    throw new DecodeError({ severity: 'error', code: 'unsupported', message });
  }
  const damaged = (problem: string, cause?: unknown) => {
    const message = `a cluster that is compressed with ${compression} is damaged: ${problem}`;
    return new DecodeError({ severity: 'error', code: 'bad-container', message }, { cause });
  };
  let cluster: Uint8Array;
  try {
    const options = { maxOutputLength: size };
    cluster =
      compression === 'zstd'
        ? zstdDecompressSync!(bytes.subarray(0, zstdFrameLength(bytes)), options)
        : zlib.inflateRawSync(bytes, options);
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
  if (cluster.length < size) throw damaged(`${cluster.length} bytes come out of it, not ${size}`);
  return cluster;
}

const ZSTD_BLOCK_RLE = 1;

/** Length of the zstd frame that the bytes begin with, by the headers of its blocks (RFC 8878); QEMU writes one. */
function zstdFrameLength(bytes: Uint8Array): number {
  const descriptor = bytes[4] ?? 0;
  const windowSize = descriptor & 0x20 ? 0 : 1;
  const contentSize = [1 - windowSize, 2, 4, 8][descriptor >> 6]!;
  const checksumSize = descriptor & 4 ? 4 : 0;
  for (let pos = 5 + windowSize + [0, 1, 2, 4][descriptor & 3]! + contentSize; pos + 3 <= bytes.length; ) {
    const block = bytes[pos]! | (bytes[pos + 1]! << 8) | (bytes[pos + 2]! << 16);
    pos += 3 + (((block >> 1) & 3) === ZSTD_BLOCK_RLE ? 1 : block >> 3);
    if (block & 1) return pos + checksumSize;
  }
  return bytes.length;
}
