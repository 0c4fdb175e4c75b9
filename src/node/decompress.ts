import { DecodeError, type Diagnostic } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { CompressionFormat, ContainerEnvironment, Decompressed } from '../containers/container.ts';
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
  return {
    decompressCluster,
    async decompress(format, source): Promise<Decompressed> {
      const spool = await SpoolFile.create();
      const diagnostics: Diagnostic[] = [];
      try {
        const warning = await decoders[format]({
          source,
          write: (bytes) => spool.write(bytes),
          onProgress: (offset) => onProgress?.(offset, source.size),
        });
        if (warning !== undefined) {
          diagnostics.push({ severity: 'warning', code: 'bad-container', message: `${format}: ${warning}` });
        }
      } catch (error) {
        if (!(error instanceof DamagedData) || spool.size === 0) await spool.discard();
        if (!(error instanceof DamagedData)) throw error;
        const damage: Diagnostic = {
          severity: 'error',
          code: 'bad-container',
          message: `the ${format} data is cut or damaged (${error.message}); its content ends at ${hexOffset(spool.size)}`,
        };
        if (spool.size === 0) throw new DecodeError(damage, { source: source.name });
        diagnostics.push(damage);
      }
      const file = spool.finish(source.name);
      const locate = async (offset: number) => ({
        offset: undefined,
        length: Math.max(0, file.size - offset),
      });
      return { source: { ...file, locate }, diagnostics };
    },
  };
}
