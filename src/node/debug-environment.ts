import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { badArgument, DecodeError } from '../bytes/diagnostic.ts';
import { type FinishedSource, memorySource } from '../bytes/source.ts';
import type { DebugEnvironment, WantedDebugFile } from '../extract/debug-files.ts';
import { readChunks } from './decoder.ts';
import { decoderOf } from './decompress.ts';
import { type FileSource, openFile } from './file-source.ts';

/** Where to look for symbols that are not in a binary itself. */
export interface DebugFileOptions {
  /** Files with debug information, before all others. Each has to be there, and of this build. */
  readonly files?: readonly string[] | undefined;
  /** Folders as /usr/lib/debug is one, before that. */
  readonly folders?: readonly string[] | undefined;
  /** Called with what could not be used, in a line. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** A file with debug information that was looked for. */
export interface DebugSearch extends WantedDebugFile {
  /** What there was in the places where it could be: the same text as long as all of these files stay what they are. */
  readonly found: string;
}

/** Where distributions put them. */
const DEBUG_FOLDER = '/usr/lib/debug';

/**
 * Files with debug information, found as GDB finds them. `openNamed` comes first, `checkNamed` last; `close` closes all
 * that were opened.
 */
export class NodeDebugEnvironment implements DebugEnvironment {
  readonly #options: DebugFileOptions;
  readonly #opened: FileSource[] = [];
  readonly #named: FileSource[] = [];
  readonly #used = new Set<FileSource>();
  readonly #tried = new Set<FileSource>();
  readonly #warnings = new Set<string>();
  readonly #searches: DebugSearch[] = [];

  constructor(options: DebugFileOptions) {
    this.#options = options;
  }

  /** What was looked for in files that nobody named. */
  get searches(): readonly DebugSearch[] {
    return this.#searches;
  }

  /** Was there anything to warn of? */
  get hasWarned(): boolean {
    return this.#warnings.size > 0;
  }

  /** Each warning once: several files may look for another one at the same place. */
  warn(message: string): void {
    if (this.#warnings.has(message)) return;
    this.#warnings.add(message);
    this.#options.onWarning?.(message);
  }

  /** Opens the files that the user named. Throws DecodeError `io`. */
  async openNamed(): Promise<void> {
    for (const path of this.#options.files ?? []) {
      const source = await openFile(path);
      this.#opened.push(source);
      this.#named.push(source);
    }
  }

  /**
   * To be called when all is read: throws DecodeError `bad-argument` for a file that the user named and that is of another
   * build, and warns of one that nothing was looked for in.
   */
  checkNamed(): void {
    for (const source of this.#named) {
      if (this.#used.has(source)) continue;
      if (this.#tried.has(source)) throw badArgument(`${source.name} has no debug information of this build`);
      this.warn(`${source.name} is not used: the binary has debug information of its own`);
    }
  }

  async decompress(
    format: 'zlib' | 'zstd',
    bytes: Uint8Array,
    size: number,
  ): Promise<Uint8Array | undefined> {
    if (format === 'zlib') {
      const inflate = promisify(process.getBuiltinModule('node:zlib').inflate);
      try {
        return await inflate(bytes, { maxOutputLength: Math.max(size, 1) });
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
          return undefined;
        throw error;
      }
    }
    const content = new Uint8Array(size);
    let length = 0;
    const decode = await decoderOf('zstd');
    const excess = new Error('it unpacks to more than it says');
    try {
      await decode({
        source: memorySource(bytes),
        write(part) {
          if (length + part.byteLength > size) throw excess;
          content.set(part, length);
          length += part.byteLength;
        },
      });
    } catch (error) {
      if (error === excess) return undefined;
      throw error;
    }
    return content.subarray(0, length);
  }

  async crc32(source: FinishedSource): Promise<number> {
    const { crc32 } = process.getBuiltinModule('node:zlib');
    let crc = 0;
    for await (const chunk of readChunks({ source, write() {} }, 0)) crc = crc32(chunk, crc);
    return crc;
  }

  async open(
    wanted: WantedDebugFile,
    isRight: (candidate: FinishedSource) => Promise<boolean>,
  ): Promise<FileSource | undefined> {
    for (const source of this.#named) {
      this.#tried.add(source);
      if (!(await this.#isUsable(source, isRight))) continue;
      this.#used.add(source);
      return source;
    }
    const { folders = [] } = this.#options;
    this.#searches.push({ ...wanted, found: await debugFilesAt(wanted, folders) });
    for (const path of await candidatesFor(wanted, folders)) {
      const source = await this.#openIfThere(path);
      if (!source) continue;
      if (await this.#isUsable(source, isRight)) {
        this.#opened.push(source);
        return source;
      }
      await source.close();
    }
    return undefined;
  }

  async #isUsable(
    source: FileSource,
    isRight: (candidate: FinishedSource) => Promise<boolean>,
  ): Promise<boolean> {
    try {
      return await isRight(source);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.warn(`${source.name}: its debug information is not used: ${error.message}`);
      return false;
    }
  }

  /** What is there but cannot be read, as a link to nothing, is warned of. */
  async #openIfThere(path: string): Promise<FileSource | undefined> {
    try {
      return await openFile(path);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const isThere = await lstat(path).then(
        () => true,
        () => false,
      );
      if (isThere) this.warn(error.message);
      return undefined;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#opened.map((source) => source.close()));
  }
}

/** Says what there is in the places where a file with debug information can be. */
export async function debugFilesAt(
  wanted: WantedDebugFile,
  folders: readonly string[] = [],
): Promise<string> {
  const found: string[] = [];
  for (const path of await candidatesFor(wanted, folders)) {
    const state = await stat(path, { bigint: true }).catch(() => undefined);
    found.push(state ? `${state.dev}:${state.ino}:${state.size}:${state.mtimeNs}:${state.ctimeNs}` : '');
  }
  return found.join(' ');
}

async function candidatesFor(
  { kind, of, buildId, link }: WantedDebugFile,
  folders: readonly string[],
): Promise<readonly string[]> {
  const folder = dirname(await realpath(of).catch(() => resolve(of)));
  const all = [...folders, DEBUG_FOLDER];
  const byBuildId =
    buildId === undefined || buildId.length < 4
      ? []
      : all.map((each) => join(each, '.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`));
  if (link === undefined) return byBuildId;
  const name = basename(link);
  if (kind === 'supplement')
    return [resolve(folder, link), ...byBuildId, ...all.map((each) => join(each, '.dwz', name))];
  const beside = [join(folder, name), join(folder, '.debug', name)];
  return [...byBuildId, ...beside, ...all.map((each) => join(each, folder, name))];
}
