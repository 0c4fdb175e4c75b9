import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { DecodeError } from '../bytes/diagnostic.ts';
import { type FinishedSource, memorySource } from '../bytes/source.ts';
import type { DebugEnvironment, WantedDebugFile } from '../extract/debug-files.ts';
import { readChunks } from './decoder.ts';
import { decoderOf } from './decompress.ts';
import { type FileSource, openFile } from './file-source.ts';

/** Where to look for symbols that are not in a binary itself. */
export interface DebugFileOptions {
  /** Files with debug information, before all others. One that is of another build is not used. */
  readonly files?: readonly string[] | undefined;
  /** Folders as /usr/lib/debug is one, before that. */
  readonly folders?: readonly string[] | undefined;
  /** Called with what could not be used, in a line. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Where distributions put them. */
const DEBUG_FOLDER = '/usr/lib/debug';

/** Files with debug information, found as GDB finds them. `close` closes those that were opened. */
export class NodeDebugEnvironment implements DebugEnvironment {
  readonly #options: DebugFileOptions;
  readonly #opened: FileSource[] = [];
  readonly #used = new Set<string>();

  constructor(options: DebugFileOptions) {
    this.#options = options;
  }

  warn(message: string): void {
    this.#options.onWarning?.(message);
  }

  async decompress(format: 'zlib' | 'zstd', bytes: Uint8Array, size: number): Promise<Uint8Array> {
    const limit = { maxOutputLength: Math.max(size, 1) };
    if (format === 'zlib') return promisify(process.getBuiltinModule('node:zlib').inflate)(bytes, limit);
    const content = new Uint8Array(size);
    let length = 0;
    const decode = await decoderOf('zstd');
    await decode({
      source: memorySource(bytes),
      write(part) {
        if (length + part.byteLength > size) throw new Error('a section unpacks to more than it says');
        content.set(part, length);
        length += part.byteLength;
      },
    });
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
    for (const path of await this.#candidates(wanted)) {
      const source = await this.#openIfThere(path);
      if (!source) continue;
      if (await isRight(source).catch(() => false)) {
        this.#opened.push(source);
        this.#used.add(path);
        return source;
      }
      await source.close();
    }
    return undefined;
  }

  async #openIfThere(path: string): Promise<FileSource | undefined> {
    try {
      return await openFile(path);
    } catch (error) {
      // Only what the user named has to be there.
      if (error instanceof DecodeError && !this.#options.files?.includes(path)) return undefined;
      throw error;
    }
  }

  async #candidates({ kind, of, buildId, link }: WantedDebugFile): Promise<readonly string[]> {
    const { files = [], folders = [] } = this.#options;
    const folder = dirname(await realpath(of).catch(() => resolve(of)));
    const all = [...folders, DEBUG_FOLDER];
    const byBuildId =
      buildId === undefined || buildId.length < 4
        ? []
        : all.map((each) => join(each, '.build-id', buildId.slice(0, 2), `${buildId.slice(2)}.debug`));
    if (link === undefined) return [...files, ...byBuildId];
    const name = basename(link);
    if (kind === 'supplement')
      return [...files, resolve(folder, link), ...byBuildId, ...all.map((each) => join(each, '.dwz', name))];
    const beside = [join(folder, name), join(folder, '.debug', name)];
    return [...files, ...byBuildId, ...beside, ...all.map((each) => join(each, folder, name))];
  }

  /** Closes the files, and warns of those that the user named for nothing. */
  async close(): Promise<void> {
    for (const path of this.#options.files ?? [])
      if (!this.#used.has(path)) this.warn(`${path} has no debug information of this build; left out`);
    await Promise.all(this.#opened.map((source) => source.close()));
  }
}
