import { DecodeError, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { memoryOf, type OpenedStream } from '../layout/open.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import { ramSummaries } from '../ram/iterative.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { toJson } from '../render/json.ts';
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

export interface ExtractOptions {
  /** Write into a folder that holds files already. */
  readonly force?: boolean | undefined;
  /** Called with the bytes of memory that were written since it was called last. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Writes each RAMBlock of a VM that was opened with its memory into a folder, as a sparse file with the last version of
 * every page, and `index.json` which file is what. Names from the stream are made safe, and nothing half-written is left
 * under its name. Throws OutputError when the folder is not empty, or cannot be written; DecodeError `bad-argument` where
 * the memory was not asked for, and `unsupported` where there is no section of RAM.
 */
export async function extractRam(
  vm: OpenedStream,
  folder: string,
  { force = false, onProgress }: ExtractOptions = {},
): Promise<RamExtraction> {
  const memory = memoryOf(vm);
  if (ramSummaries(vm.stream.sections).length === 0) {
    const message = "the stream has nothing of the guest's memory";
    throw new DecodeError({ severity: 'error', code: 'unsupported', message });
  }
  const output = new OutputFolder(folder, { force });
  const ram = new RamFiles(output);
  try {
    const { blocks, diagnostics } = await writeBlocks(vm, memory, ram, onProgress);
    await output.write(INDEX, [`${toJson(blocks)}\n`]);
    output.finish(INDEX);
    // What describes devices is not needed here.
    const found = vm.diagnostics.filter(({ code }) => code !== 'no-schema');
    return { blocks, diagnostics: [...found, ...diagnostics] };
  } catch (error) {
    ram.close();
    output.discard();
    throw output.failure(error);
  }
}

/** Writes the memory of a stream into files. A block without a page has none: its content is not in the stream. */
export async function writeBlocks(
  opened: OpenedStream,
  memory: GuestMemory,
  ram: RamFiles,
  onProgress?: (bytes: number) => void,
): Promise<RamExtraction> {
  const damage = await memory.visit(ram.writer, onProgress);
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
