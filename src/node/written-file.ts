import { fstatSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { printable } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import type { CompressionFormat } from '../containers/container.ts';
import { decoderOf } from './decompress.ts';
import { OutputError } from './output.ts';

const readAt = promisify(read);

/** A file that is open, and not written to any more: what was written is read once more before it gets its name. */
export function writtenFile(fd: number, name: string): FinishedSource {
  const { size } = fstatSync(fd);
  return {
    name,
    size,
    end: () => Promise.resolve(size),
    async read(offset, length, into) {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const bytes = into ?? new Uint8Array(wanted);
      let loaded = 0;
      while (loaded < wanted) {
        const { bytesRead } = await readAt(fd, bytes, loaded, wanted - loaded, offset + loaded);
        if (bytesRead === 0) break;
        loaded += bytesRead;
      }
      return bytes.subarray(0, loaded);
    },
  };
}

export function wronglyWritten({ name }: FinishedSource, problem: string): OutputError {
  return new OutputError(`cannot write ${printable(name)}: what was written is wrong: ${problem}`);
}

/**
 * Decompresses what was written, with its checksums: what it is was the same as ever until it was compressed. Throws
 * OutputError where it is not `size` bytes.
 */
export async function checkCompressed(
  file: FinishedSource,
  format: CompressionFormat,
  size: number,
): Promise<void> {
  let found = 0;
  const decode = await decoderOf(format);
  await decode({
    source: file,
    write(bytes) {
      found += bytes.byteLength;
    },
  });
  if (found !== size) throw wronglyWritten(file, `it is ${found} bytes, decompressed, in place of ${size}`);
}
