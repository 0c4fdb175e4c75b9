import { DecodeError, type Diagnostic } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import {
  type CompressionFormat,
  type ContainerEnvironment,
  type Decompressed,
  MAX_UNPACKED_TIMES,
  mostUnpacked,
} from '../containers/container.ts';
import { decompressCluster } from './cluster-decompress.ts';
import { DamagedData, type Decoder } from './decoder.ts';
import { gunzip } from './gunzip.ts';
import { programDecoder } from './run-decoder.ts';
import { SpoolFile } from './spool.ts';
import { unzstd } from './unzstd.ts';

/**
 * Of what Node does not decode, the formats' own programs do: they check every checksum, and are there where such files
 * are made. (The decoders on npm are slower, check less, or have had no release for years.)
 */
const decoders: Record<CompressionFormat, Decoder> = {
  gzip: gunzip,
  bzip2: programDecoder({ name: 'bzip2', args: ['-dc'], packageName: 'bzip2' }),
  xz: programDecoder({ name: 'xz', args: ['-dc'], warningStatus: 2, packageName: 'xz-utils' }),
  lzop: programDecoder({ name: 'lzop', args: ['-dc'], warningStatus: 2, packageName: 'lzop' }),
  zstd: unzstd ?? programDecoder({ name: 'zstd', args: ['-dc'], packageName: 'zstd' }),
};

/** Called with the number of compressed bytes read so far, and of all. */
export type DecompressionProgress = (offset: number, size: number) => void;

/** Decompression with what Node has, or programs on PATH, into a temporary file. */
export function nodeEnvironment(onProgress?: DecompressionProgress): ContainerEnvironment {
  // Of one file: what is compressed several times over may not unpack to more.
  let room: number | undefined;
  return {
    decompressCluster,
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
        const warning = await decoders[format]({
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
