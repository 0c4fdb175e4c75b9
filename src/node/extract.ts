import type { Diagnostic } from '../bytes/diagnostic.ts';
import { totalLength } from '../bytes/range.ts';
import { memoryOf, type OpenedStream } from '../layout/open.ts';
import { analyzeMigrationDesc, analyzeMigrationState } from '../render/analyze-migration-text.ts';
import { toJson } from '../render/json.ts';
import { type ExtractedBlock, type ExtractOptions, writeBlocks } from './extract-ram.ts';
import { FileNames } from './file-names.ts';
import { OutputFolder } from './output.ts';
import { RamFiles } from './ram-files.ts';
import { readRanges } from './read-ranges.ts';

export interface ExtractedFile {
  /** Path inside the folder. */
  readonly file: string;
  readonly size: number;
  /** What it holds: `section ID IDSTR INSTANCE`, `RAMBlock IDSTR` … as data. */
  readonly content:
    | {
        readonly kind: 'section';
        readonly id: number;
        readonly idstr: string;
        readonly instanceId: number;
        readonly offset: number;
      }
    | { readonly kind: 'ram'; readonly idstr: string }
    | { readonly kind: 'state' | 'desc' };
}

export interface Extraction {
  readonly files: readonly ExtractedFile[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Writes the parts of a VM that was opened with its memory into a folder: `sections/` the bytes of each section (of RAM
 * the pages alone, below), `ram/` each RAMBlock as a sparse file with the last version of every page, `state.json` and
 * `desc.json` as QEMU's script writes them, and `index.json` which file is what. Names from the stream are made safe:
 * nothing is written outside the folder. Throws OutputError when the folder is not empty, or cannot be written;
 * DecodeError `bad-argument` where the memory was not asked for.
 */
export async function extractStream(
  vm: OpenedStream,
  folder: string,
  { force = false, onProgress }: ExtractOptions = {},
): Promise<Extraction> {
  const memory = memoryOf(vm);
  const output = new OutputFolder(folder, { force, folders: ['ram', 'sections'] });
  const ram = new RamFiles(output, 'ram');
  try {
    const { blocks, diagnostics } = await writeBlocks(vm, memory, ram, onProgress);
    const files = [...blocks.flatMap(ramFile), ...(await extractSections(vm, output))];
    const size = await output.write('state.json', analyzeMigrationState(vm));
    files.push({ file: 'state.json', size, content: { kind: 'state' } });
    const desc = await analyzeMigrationDesc(vm);
    if (desc !== undefined) {
      const length = await output.write('desc.json', [desc]);
      files.push({ file: 'desc.json', size: length, content: { kind: 'desc' } });
    }
    await output.write('index.json', [`${toJson(files)}\n`]);
    output.finish('index.json');
    return { files, diagnostics: [...vm.diagnostics, ...diagnostics] };
  } catch (error) {
    ram.close();
    output.discard();
    throw output.failure(error);
  }
}

function ramFile({ idstr, size, file }: ExtractedBlock): ExtractedFile[] {
  return file === undefined ? [] : [{ file: `ram/${file}`, size, content: { kind: 'ram', idstr } }];
}

async function extractSections(opened: OpenedStream, output: OutputFolder): Promise<ExtractedFile[]> {
  const names = new FileNames();
  const files: ExtractedFile[] = [];
  for (const { id, idstr, instanceId, records, scanner } of opened.stream.sections) {
    if (scanner?.summary().kind === 'ram') continue;
    const name = names.next(
      `${String(id).padStart(3, '0')}-${idstr}${instanceId > 0 ? `-${instanceId}` : ''}`,
      '.bin',
    );
    const bodies = records.map(({ body }) => body);
    const file = `sections/${name}`;
    await output.write(file, readRanges(opened.source, bodies));
    files.push({
      file,
      size: totalLength(bodies),
      content: { kind: 'section', id, idstr, instanceId, offset: bodies[0]?.start ?? 0 },
    });
  }
  return files;
}
