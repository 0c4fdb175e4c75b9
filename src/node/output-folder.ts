import { mkdir, mkdtemp, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/**
 * A folder that is filled all at once: files are written into a folder inside it and get their places in the end, so
 * that nothing half-written is ever found under its final name.
 */
export class OutputFolder {
  /** Where to write. */
  readonly partial: string;
  readonly #folder: string;
  /** The topmost folder that was made; undefined where all existed. */
  readonly #made: string | undefined;

  private constructor(folder: string, partial: string, made: string | undefined) {
    this.#folder = folder;
    this.partial = partial;
    this.#made = made;
  }

  /** Makes the folder where there is none. Throws where it holds something, unless it is forced, or what mkdir throws. */
  static async create(folder: string, force: boolean): Promise<OutputFolder> {
    const made = await mkdir(folder, { recursive: true });
    if (!force && (await readdir(folder)).length > 0) throw new Error(`${folder} is not empty`);
    return new OutputFolder(folder, await mkdtemp(join(folder, '.partial-')), made);
  }

  /** Moves all files to their places, `last` behind the others. A file that is there already is replaced. */
  async finish(last: string): Promise<void> {
    const entries = await readdir(this.partial, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(this.partial, join(entry.parentPath, entry.name)));
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const path = relative(this.partial, join(entry.parentPath, entry.name));
      await mkdir(join(this.#folder, path), { recursive: true });
    }
    for (const file of files.sort((a, b) => Number(a === last) - Number(b === last))) {
      await rename(join(this.partial, file), join(this.#folder, file));
    }
    await rm(this.partial, { recursive: true });
  }

  /** Removes what was written, and the folders that were made for it. */
  async discard(): Promise<void> {
    await rm(this.partial, { recursive: true, force: true });
    if (this.#made === undefined) return;
    for (let folder = this.#folder; ; folder = dirname(folder)) {
      // Others may have put something there.
      if (
        !(await rmdir(folder).then(
          () => true,
          () => false,
        )) ||
        folder === this.#made
      )
        return;
    }
  }
}
