import * as zlib from 'node:zlib';
import { DecodeError } from '../bytes/diagnostic.ts';

/** Node has zstd from 22.15 on; the types are those of the oldest Node that is supported. */
const { zstdDecompressSync } = zlib as {
  zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;
};

/** A compressed qcow2 cluster, with Node's own decoders. */
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
    // The last sector may hold bytes of the next cluster, or end with the file, so that the end is not asked for.
    const options = { maxOutputLength: size, finishFlush: zlib.constants.Z_SYNC_FLUSH };
    cluster =
      compression === 'zstd'
        ? zstdDecompressSync!(bytes, { maxOutputLength: size })
        : zlib.inflateRawSync(bytes, options);
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error), error);
  }
  if (cluster.length < size) throw damaged(`${cluster.length} bytes come out of it, not ${size}`);
  return cluster;
}
