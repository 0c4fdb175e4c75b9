import { DecodeError, type Diagnostic } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import {
  type CompressionFormat,
  type ContainerEnvironment,
  type Decompressed,
  MAX_UNPACKED_TIMES,
  mostUnpacked,
} from '../containers/container.ts';
import { DamagedData, type Decoder } from './decoder.ts';
import type { DecoderProgram } from './run-decoder.ts';
import { SpoolFile } from './spool.ts';

/**
 * Of what Node does not decode, the formats' own programs do: they check every checksum, and are there where such files
 * are made. (The decoders on npm are slower, check less, or have had no release for years.)
 */
const programs: Record<Exclude<CompressionFormat, 'gzip'>, DecoderProgram> = {
  bzip2: { name: 'bzip2', args: ['-dc'], packageName: 'bzip2' },
  xz: { name: 'xz', args: ['-dc'], warningStatus: 2, packageName: 'xz-utils' },
  lzop: { name: 'lzop', args: ['-dc'], warningStatus: 2, packageName: 'lzop' },
  zstd: { name: 'zstd', args: ['-dc'], packageName: 'zstd' },
};

/** Loaded only here, with node:zlib or node:child_process: most files are not compressed. */
export async function decoderOf(format: CompressionFormat): Promise<Decoder> {
  if (format === 'gzip') return (await import('./gunzip.ts')).gunzip;
  const own = format === 'zstd' ? (await import('./unzstd.ts')).unzstd : undefined;
  return own ?? (await import('./run-decoder.ts')).programDecoder(programs[format]);
}

/** Called with the number of compressed bytes read so far, and of all. */
export type DecompressionProgress = (offset: number, size: number) => void;

/** Decompression with what Node has, or programs on PATH, into a temporary file. */
export function nodeEnvironment(onProgress?: DecompressionProgress): ContainerEnvironment {
  // Of one file: what is compressed several times over may not unpack to more.
  let room: number | undefined;
  return {
    async decompressCluster(...cluster) {
      const { decompressCluster } = await import('./cluster-decompress.ts');
      return decompressCluster(...cluster);
    },
    async decompress(format, source): Promise<Decompressed> {
      const spool = await SpoolFile.create();
      const diagnostics: Diagnostic[] = [];
      room ??= mostUnpacked(source.size);
      let left = room;
      const write = (bytes: Uint8Array) => {
        spool.write(bytes.subarray(0, left));
        if (bytes.byteLength > left) throw new ExcessiveData();
        left -= bytes.byteLength;
      };
      try {
        const decode = await decoderOf(format);
        const warning = await decode({
          source,
          write,
          onProgress: (offset) => onProgress?.(offset, source.size),
        });
        if (warning !== undefined) {
          diagnostics.push({ severity: 'warning', code: 'bad-container', message: `${format}: ${warning}` });
        }
      } catch (error) {
        const problem = problemOf(error, format);
        if (problem === undefined || spool.size === 0) await spool.discard();
        if (problem === undefined) throw error;
        const damage: Diagnostic = {
          severity: 'error',
          code: 'bad-container',
          message: `${problem}; its content ends at ${hexOffset(spool.size)}`,
        };
        if (spool.size === 0) throw new DecodeError(damage, { source: source.name });
        diagnostics.push(damage);
      }
      room = left;
      const file = spool.finish(source.name);
      const locate = async (offset: number) => ({
        offset: undefined,
        length: Math.max(0, file.size - offset),
      });
      return { source: { ...file, locate }, diagnostics };
    },
  };
}

/** More came out than may. */
class ExcessiveData extends Error {}

/** What is wrong with the data; undefined for an error that is none of it. */
function problemOf(error: unknown, format: CompressionFormat): string | undefined {
  if (error instanceof ExcessiveData)
    return `the ${format} data unpacks to more than ${MAX_UNPACKED_TIMES} times the size of the file, and is not read further: what you trust, unpack yourself`;
  return error instanceof DamagedData ? `the ${format} data is cut or damaged (${error.message})` : undefined;
}
