import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/*
 * Files that come with this package; names are relative to its root. In the single file that scripts/single-file.mjs makes,
 * another module is in the place of this one, which has them in itself.
 */

/** Throws an error of the system where the package was installed without it. */
export function packageText(name: string): string {
  return readFileSync(packagePath(name), 'utf8');
}

/** Names of the files in a folder, sorted. */
export function packageFolder(name: string): readonly string[] {
  return readdirSync(packagePath(name)).sort();
}

/** Where a file is, to be opened. */
export function packagePath(name: string): string {
  return join(root, name);
}
