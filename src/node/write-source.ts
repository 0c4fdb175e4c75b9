import { fchmodSync, fstatSync, ftruncateSync } from 'node:fs';
import { copyFile, stat } from 'node:fs/promises';
import { type FinishedSource, locate } from '../bytes/source.ts';
import { fillOutput, writeFully, writeOutput } from './output.ts';
import { readRanges } from './read-ranges.ts';

/**
 * Writes all bytes of a source into a new file, which appears when it is whole. `model` is the regular file of which the
 * source is an edited copy, if it is one: what is at the same place in both is copied by the system, or shared where the
 * file system can do that. Returns how many bytes it has. Throws OutputError, also when the file exists already, and what
 * the source throws.
 */
export async function writeSource(path: string, source: FinishedSource, model?: string): Promise<number> {
  const all = [{ start: 0, end: source.size }];
  const isFile = model !== undefined && process.platform === 'linux' && (await stat(model)).isFile();
  if (!isFile) return writeOutput(path, readRanges(source, all), 'keep');
  return fillOutput(path, 'keep', async ({ fd, isSequential }) => {
    if (isSequential) {
      for await (const piece of readRanges(source, all)) writeFully(fd, piece);
      return source.size;
    }
    const { mode } = fstatSync(fd);
    await copyFile(model, `/proc/self/fd/${fd}`);
    // It was given the permissions of the other one.
    fchmodSync(fd, mode);
    ftruncateSync(fd, source.size);
    for (let offset = 0; offset < source.size; ) {
      const place = await locate(source, offset);
      const end = offset + Math.max(1, place.length);
      if (place.offset !== offset) {
        let at = offset;
        for await (const piece of readRanges(source, [{ start: offset, end: Math.min(end, source.size) }])) {
          writeFully(fd, piece, at);
          at += piece.byteLength;
        }
      }
      offset = end;
    }
    return source.size;
  });
}
