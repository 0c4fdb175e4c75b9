import { lstatSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

const GROUP_AND_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

/**
 * A folder for compiled code that only this user can write to: what is in it is run. (Node's own choice is in the system's
 * temporary folder, where anyone can make it first.) Undefined where there is none that can be trusted.
 */
export function compileCacheFolder(): string | undefined {
  const { XDG_CACHE_HOME: given = '', NODE_DISABLE_COMPILE_CACHE: disabled } = process.env;
  if (disabled) return undefined;
  const user = process.geteuid?.();
  try {
    const folder = join(isAbsolute(given) ? given : join(homedir(), '.cache'), 'vmwalk', 'compiled');
    if (user === undefined || process.getuid?.() !== user || !isAbsolute(folder)) return undefined;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isPrivate(folder, user)) return undefined;
    for (let parent = dirname(folder); ; parent = dirname(parent)) {
      if (!cannotBeReplaced(parent, user)) return undefined;
      if (parent === dirname(parent)) return folder;
    }
  } catch {
    return undefined;
  }
}

function isPrivate(folder: string, user: number): boolean {
  const found = lstatSync(folder);
  return found.isDirectory() && found.uid === user && (found.mode & 0o077) === 0;
}

/** Only this user or root can put something else in the place of what is in it. A link is not trusted. */
function cannotBeReplaced(folder: string, user: number): boolean {
  const found = lstatSync(folder);
  const isOwn = found.uid === user || found.uid === 0;
  return (
    found.isDirectory() &&
    isOwn &&
    ((found.mode & GROUP_AND_OTHERS_WRITE) === 0 || (found.mode & STICKY) !== 0)
  );
}
