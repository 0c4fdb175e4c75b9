import { createHash, type Hash } from 'node:crypto';
import { readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { FinishedSource } from '../bytes/source.ts';
import { decodeText } from '../bytes/window.ts';
import { readSections } from '../extract/elf/sections.ts';
import { parseSchema } from '../schema/parse-schema.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { serializeSchema } from '../schema/serialize-schema.ts';
import { type DebugSearch, debugFilesAt } from './debug-environment.ts';
import { keepFile, privateCacheFolder, readKept } from './private-cache.ts';

/** Stands for all that makes schemas, as scripts/bundle-options.mjs counts it; not there but in bundles. */
declare const VMWALK_SOURCES: string | undefined;

/** Bytes of one that is kept, and of all. One of an unstripped QEMU for x86_64 has 2 MB. */
const MAX_KEPT = 64 << 20;
const MAX_ALL_KEPT = 256 << 20;
const ENDING = '.schema';
/** Bytes that are read at once. */
const CHUNK = 256 << 10;
/** A section of debug information, which a build id stands for. */
const DEBUG_SECTION = /^\.z?debug_/;

/** Files of a QEMU, of which a schema is made. */
interface QemuFiles {
  readonly binary: FinishedSource;
  readonly modules: readonly FinishedSource[];
}

/**
 * Schemas that were read out of binaries, for later runs. One is found by the content of all files that it was made of,
 * but for debug information, for which their build ids stand; and it is only taken as long as what was looked for in other
 * files (separate debug information) is what it was. What is kept is read as carefully as any schema file.
 */
export class SchemaCache {
  readonly #folder: string;
  readonly #reader: string;

  /** `reader` is another one for each program that may make other schemas of the same files. */
  constructor(folder: string, reader: string) {
    this.#folder = folder;
    this.#reader = reader;
  }

  /** The one of the program that runs; undefined where it is not known which that is, or it has no place. */
  static open(): SchemaCache | undefined {
    if (typeof VMWALK_SOURCES !== 'string') return undefined;
    const folder = privateCacheFolder('schemas');
    return folder === undefined ? undefined : new SchemaCache(folder, VMWALK_SOURCES);
  }

  /** The place of the schema of some files. Throws what reading them throws. */
  async entry(files: QemuFiles): Promise<SchemaCacheEntry> {
    const hash = createHash('blake2b512').update(`${this.#reader}\n`);
    for (const source of [files.binary, ...files.modules]) await hashProgram(hash, source);
    return new SchemaCacheEntry(this.#folder, hash.digest('hex').slice(0, 64), files);
  }
}

/** Where the schema of some files is kept. */
class SchemaCacheEntry {
  readonly #folder: string;
  readonly #key: string;
  readonly #paths: readonly string[];

  constructor(folder: string, key: string, { binary, modules }: QemuFiles) {
    this.#folder = folder;
    this.#key = key;
    this.#paths = [binary, ...modules].map(({ name }) => name);
  }

  /** Undefined where there is none that is still right. */
  async find(): Promise<QemuSchema | undefined> {
    const path = this.#path;
    const content = readKept(path, this.#state, MAX_KEPT);
    if (!content) return undefined;
    try {
      const end = content.indexOf('\n');
      const searches = JSON.parse(decodeText(content.subarray(0, end))) as readonly KeptSearch[];
      for (const { of, ...wanted } of searches) {
        const name = typeof of === 'number' ? this.#paths[of]! : of;
        if ((await debugFilesAt({ ...wanted, of: name })) !== wanted.found) return undefined;
      }
      const schema = parseSchema(decodeText(content.subarray(end + 1)), path);
      // The oldest are removed first.
      const now = new Date();
      utimesSync(path, now, now);
      return schema;
    } catch {
      return undefined;
    }
  }

  /** Keeps a schema that was made of the files, and for which these searches were made. */
  keep(schema: QemuSchema, searches: readonly DebugSearch[]): void {
    const kept = searches.map((search): KeptSearch => {
      const index = this.#paths.indexOf(search.of);
      return { ...search, of: index < 0 ? search.of : index };
    });
    const content = Buffer.from(`${JSON.stringify(kept)}\n${serializeSchema(schema)}`);
    if (content.byteLength > MAX_KEPT - this.#state.length) return;
    keepFile(this.#path, this.#state, content);
    removeOldest(this.#folder);
  }

  get #path(): string {
    return join(this.#folder, `${this.#key}${ENDING}`);
  }

  get #state(): string {
    return `${this.#key}\n`;
  }
}

/** As it is kept: the file that names the one that is looked for is the binary, a module (by index), or another one. */
type KeptSearch = Omit<DebugSearch, 'of'> & { readonly of: number | string };

/** All that a schema may depend on in a file: its name, and its bytes, but for debug information where it has a build id. */
async function hashProgram(hash: Hash, source: FinishedSource): Promise<void> {
  hash.update(`${JSON.stringify(basename(source.name))} ${source.size}\n`);
  const skipped = (await debugSections(source)).sort((a, b) => a.offset - b.offset);
  let offset = 0;
  for (const section of skipped) {
    await hashBytes(hash, source, offset, section.offset);
    offset = Math.max(offset, section.offset + section.size);
  }
  await hashBytes(hash, source, offset, source.size);
}

async function debugSections(source: FinishedSource): Promise<{ offset: number; size: number }[]> {
  try {
    const { sections = [] } = (await readSections(source)) ?? {};
    if (!sections.some(({ name, size }) => name === '.note.gnu.build-id' && size > 0)) return [];
    return sections.filter(({ name }) => DEBUG_SECTION.test(name));
  } catch {
    // Its sections are not what they say.
    return [];
  }
}

async function hashBytes(hash: Hash, source: FinishedSource, start: number, end: number): Promise<void> {
  const buffer = new Uint8Array(CHUNK);
  for (let offset = start; offset < end; offset += CHUNK)
    hash.update(await source.read(offset, Math.min(CHUNK, end - offset), buffer));
}

/** Keeps no more than may be: what was not used for the longest time goes. */
function removeOldest(folder: string): void {
  try {
    const kept = readdirSync(folder)
      .map((name) => join(folder, name))
      .flatMap((path) => {
        const found = statSync(path, { throwIfNoEntry: false });
        return found?.isFile() ? [{ path, size: found.size, used: found.mtimeMs }] : [];
      })
      .sort((a, b) => b.used - a.used);
    let size = 0;
    for (const each of kept) {
      size += each.size;
      if (size > MAX_ALL_KEPT) rmSync(each.path, { force: true });
    }
  } catch {
    // They stay.
  }
}
