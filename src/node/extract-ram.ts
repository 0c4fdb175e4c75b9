import { type Diagnostic, printable } from '../bytes/diagnostic.ts';
import type { ByteSource } from '../bytes/source.ts';
import { watchedSource } from '../bytes/watched-source.ts';
import type { OpenedStream, OpenOptions } from '../layout/open.ts';
import { ramSummaries } from '../ram/iterative.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { toJson } from '../render/json.ts';
import { openVm } from '../vm/vm.ts';
import { nodeMemory } from './node-memory.ts';
import { OutputFolder } from './output.ts';
import { RamFiles } from './ram-files.ts';

const INDEX = 'index.json';

/** A RAMBlock of the stream. */
export interface ExtractedBlock {
  readonly idstr: string;
  /** Bytes. */
  readonly size: number;
  /** Name in the folder; absent where no page of the block was sent. */
  readonly file?: string;
  /** Guest physical address as hexadecimal digits, where the stream has it (x-ignore-shared). */
  readonly address?: string;
  /** Bytes of a page of the memory behind it, where the stream has it (huge pages with postcopy). */
  readonly pageSize?: number;
}

export interface RamExtraction {
  readonly blocks: readonly ExtractedBlock[];
  readonly diagnostics: readonly Diagnostic[];
}

export interface ExtractRamOptions extends OpenOptions {
  /** Write into a folder that holds files already. */
  readonly force?: boolean;
  /** Stops the extraction, which then throws the signal's reason and leaves nothing behind. */
  readonly signal?: AbortSignal;
}

/**
 * Writes each RAMBlock of a stream into a folder, as a sparse file with the last version of every page, and
 * `index.json` which file is what. Names from the stream are made safe, and nothing half-written is left under its
 * name. `onProgress` is called with the bytes read of stream and channels together. Throws when the folder is not
 * empty, or cannot be written.
 */
export async function extractRam(
  source: ByteSource,
  folder: string,
  options: ExtractRamOptions = {},
): Promise<RamExtraction> {
  const output = new OutputFolder(folder, { force: options.force ?? false });
  const ram = new RamFiles(output);
  try {
    const sources = watchTogether([source, ...(options.channels ?? [])], options);
    const opened = await openVm(sources[0] as ByteSource, {
      memory: nodeMemory(),
      ...options,
      ...(options.channels ? { channels: sources.slice(1) } : {}),
      // Reads tell more often how far it is.
      onProgress() {},
    });
    const { blocks, diagnostics } = await writeBlocks(opened, ram);
    await output.write(INDEX, [
      `${toJson(blocks)}
`,
    ]);
    output.finish(INDEX);
    // What describes devices is not needed here.
    const found = opened.diagnostics.filter(({ code }) => code !== 'no-schema');
    return { blocks, diagnostics: [...found, ...diagnostics] };
  } catch (error) {
    ram.close();
    output.discard();
    throw output.failure(error);
  }
}

function watchTogether(
  sources: readonly ByteSource[],
  { signal, onProgress }: ExtractRamOptions,
): ByteSource[] {
  const ends = sources.map(() => 0);
  return sources.map((source, i) =>
    watchedSource(source, {
      signal,
      onRead(end) {
        ends[i] = end;
        onProgress?.(ends.reduce((sum, each) => sum + each, 0));
      },
    }),
  );
}

/**
 * Writes the memory of a stream into files, and closes it. A block without a page has none: its content is not in the
 * stream.
 */
export async function writeBlocks(
  opened: OpenedStream,
  ram: RamFiles,
): Promise<{ blocks: readonly ExtractedBlock[]; diagnostics: readonly Diagnostic[] }> {
  const { memory } = opened;
  const damage = (await memory?.visit(ram.writer)) ?? [];
  await memory?.close();
  const summaries = ramSummaries(opened.stream.sections).flatMap(({ blocks }) => blocks);
  const names = new Map(
    ram.finish(summaries, isZeroWithoutPages).map(({ block, name }) => [block.idstr, name]),
  );
  const diagnostics: Diagnostic[] = [...damage, ...ram.diagnostics];
  const blocks = summaries.map(({ idstr, length, address, pageSize }): ExtractedBlock => {
    const file = names.get(idstr);
    if (file === undefined) {
      const message = `no page of RAMBlock ${printable(idstr)} (${length} bytes) is in the stream, so that there is no file of it`;
      diagnostics.push({ severity: 'warning', code: 'missing-pages', section: 'ram', message });
    }
    return {
      idstr,
      size: length,
      ...(file === undefined ? {} : { file }),
      ...(address === undefined ? {} : { address: `0x${address.toString(16)}` }),
      ...(pageSize === undefined ? {} : { pageSize }),
    };
  });
  return { blocks, diagnostics };
}

/** With mapped-ram, and for an empty block, no page means zeros. */
function isZeroWithoutPages({ length, mapped }: RamBlock): boolean {
  return length === 0 || mapped !== undefined;
}
