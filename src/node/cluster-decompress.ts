import * as zlib from 'node:zlib';
import { DecodeError } from '../bytes/diagnostic.ts';
import { memorySource } from '../bytes/source.ts';
import { findZstdFrame } from './zstd-frame.ts';

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
    if (compression === 'zstd') {
      const { end } = await findZstdFrame(memorySource(bytes), 0);
      cluster = zstdDecompressSync!(bytes.subarray(0, end), options);
    } else cluster = zlib.inflateRawSync(bytes, options);
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
  if (cluster.length < size) throw damaged(`${cluster.length} bytes come out of it, not ${size}`);
  return cluster;
}
