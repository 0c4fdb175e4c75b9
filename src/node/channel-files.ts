import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DecodeError } from '../bytes/diagnostic.ts';
import { type Input, openInput } from './open-input.ts';

/**
 * Opens the channels of a migration as the commands take them: paths, or patterns with `*` and `?` in their last part.
 * Throws DecodeError `io` where there is none.
 */
export async function openChannels(patterns: readonly string[]): Promise<readonly Input[]> {
  const inputs: Input[] = [];
  try {
    for (const pattern of patterns) {
      for (const path of await matchingPaths(pattern)) inputs.push(await openInput(path));
    }
    return inputs;
  } catch (error) {
    for (const input of inputs) await input.close();
    throw error;
  }
}

/** The paths that a pattern stands for, sorted; a file whose name is the pattern itself is meant by it. */
async function matchingPaths(pattern: string): Promise<readonly string[]> {
  const name = basename(pattern);
  const exists = await stat(pattern).then(
    () => true,
    () => false,
  );
  if (exists || !/[*?]/.test(name)) return [pattern];
  const folder = dirname(pattern);
  const source = name.replace(/[.*+?^${}()|[\]\\]/g, (character) =>
    character === '*' ? '.*' : character === '?' ? '.' : `\\${character}`,
  );
  const expression = new RegExp(`^${source}$`, 's');
  const names = await readdir(folder).catch(() => []);
  const matching = names.filter((each) => expression.test(each)).sort();
  if (matching.length === 0) {
    throw new DecodeError({ severity: 'error', code: 'io', message: `no file matches ${pattern}` });
  }
  return matching.map((each) => join(folder, each));
}
