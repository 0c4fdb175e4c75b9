import { read } from 'node:fs';
import { promisify } from 'node:util';
import { printable } from '../bytes/printable.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { type OpenedStream, openStream } from '../layout/open.ts';
import { conversionProblem } from '../ops/conversion-problem.ts';
import { type Conversion, type ConvertOptions, convertStream } from '../ops/convert.ts';
import { fillOutput, OutputError, writeFully } from './output.ts';

/**
 * Writes a VM that was opened with its memory as a plain stream into a new file (see `convertStream`). What was written is
 * read once more, and compared with what it was made of, before the file gets its name; of a pipe, nothing is. Throws
 * OutputError, also when the file exists already, and what `convertStream` throws; then nothing is left.
 */
export function convertFile(
  vm: OpenedStream,
  path: string,
  options: ConvertOptions = {},
): Promise<Conversion> {
  return fillOutput(path, 'keep', async ({ fd, isSequential }) => {
    const conversion = await convertStream(vm, (bytes) => writeFully(fd, bytes), options);
    if (!isSequential) await checkWritten(vm, descriptorSource(fd, path, conversion.size), conversion);
    return conversion;
  });
}

async function checkWritten(
  vm: OpenedStream,
  written: FinishedSource,
  conversion: Conversion,
): Promise<void> {
  const problem = await conversionProblem(vm, await openStream(written), conversion);
  if (problem !== undefined)
    throw new OutputError(`cannot write ${printable(written.name)}: what was written is wrong: ${problem}`);
}

const readAt = promisify(read);

/** A file that is open, and not written to any more. */
function descriptorSource(fd: number, name: string, size: number): FinishedSource {
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
