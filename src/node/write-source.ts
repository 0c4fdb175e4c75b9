import type { FinishedSource } from '../bytes/source.ts';
import { writeOutput } from './output.ts';
import { readRanges } from './read-ranges.ts';

/**
 * Writes all bytes of a source into a new file, which appears when it is whole. Returns how many bytes it has. Throws
 * OutputError, also when the file exists already, and what the source throws.
 */
export function writeSource(path: string, source: FinishedSource): Promise<number> {
  return writeOutput(path, readRanges(source, [{ start: 0, end: source.size }]), 'keep');
}
