import { type Baseline, parseBaseline } from '../compat/baseline.ts';
import { readTextFile } from './schema-file.ts';

/** Reads a file that `serializeBaseline` made, compressed or not. Throws DecodeError `io` or `bad-argument`. */
export async function readBaseline(path: string): Promise<Baseline> {
  return parseBaseline(await readTextFile(path), path);
}
