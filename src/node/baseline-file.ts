import { type KnownBlockers, parseKnown } from '../check/known-blockers.ts';
import { type Baseline, parseBaseline } from '../compat/baseline.ts';
import { readTextFile } from './schema-file.ts';

/** Reads a file that `serializeBaseline` made, compressed or not. Throws DecodeError `io` or `bad-argument`. */
export async function readBaseline(path: string): Promise<Baseline> {
  return parseBaseline(await readTextFile(path), path);
}

/** Reads a file that `serializeKnown` made, compressed or not. Throws DecodeError `io` or `bad-argument`. */
export async function readKnownBlockers(path: string): Promise<KnownBlockers> {
  return parseKnown(await readTextFile(path), path);
}
