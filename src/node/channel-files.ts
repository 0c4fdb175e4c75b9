import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { DecodeError, printable } from '../bytes/diagnostic.ts';
import { isChannel } from '../ram/channels.ts';
import { type Input, openInput } from './open-input.ts';

/**
 * Opens the channels of a migration as the commands take them: paths, or patterns as a shell has them
 * (`vm.ch*`, `vm.ch[0-3]`, `vm.{ch0,ch1}`). Throws DecodeError `io` where there is none.
 */
export async function openChannels(patterns: readonly string[]): Promise<readonly Input[]> {
  const inputs: Input[] = [];
  try {
    for (const pattern of patterns) {
      for (const path of await matchingPaths(pattern))
        inputs.push(await openInput(path, { isOfUse: isChannel }));
    }
    return inputs;
  } catch (error) {
    for (const input of inputs) await input.close();
    throw error;
  }
}

/** The paths that a pattern stands for, sorted; a file whose name is the pattern itself is meant by it. */
async function matchingPaths(pattern: string): Promise<readonly string[]> {
  const exists = await stat(pattern).then(
    () => true,
    () => false,
  );
  if (exists || !isDynamicPattern(pattern)) return [pattern];
  // Sockets and the like are found as well: to open them says best what is wrong with them.
  const paths = await glob(pattern, {
    absolute: isAbsolute(pattern),
    dot: true,
    onlyFiles: false,
    expandDirectories: false,
  });
  if (paths.length === 0) {
    throw new DecodeError({
      severity: 'error',
      code: 'io',
      message: `no file matches ${printable(pattern)}`,
    });
  }
  return paths.sort();
}
