import type { Diagnostic } from '../bytes/diagnostic.ts';
import { totalLength } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';
import type { OpenedStream, OpenOptions } from '../layout/open.ts';
import { analyzeMigrationDesc, analyzeMigrationState } from '../render/analyze-migration-text.ts';
import { toJson } from '../render/json.ts';
import { openVm } from '../vm/vm.ts';
import { writeBlocks } from './extract-ram.ts';
import { FileNames } from './file-names.ts';
import { nodeMemory } from './node-memory.ts';
import { OutputFolder } from './output.ts';
import { packagedSchemas } from './packaged-schemas.ts';
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

export interface ExtractOptions extends OpenOptions {
  /** Write into a folder that holds files already. */
  readonly force?: boolean;
}

/**
 * Writes the parts of a stream into a folder: `sections/` the bytes of each section (of RAM the pages alone, below),
 * `ram/` each RAMBlock as a sparse file with the last version of every page, `state.json` and `desc.json` as QEMU's
 * script writes them, and `index.json` which file is what. Names from the stream are made safe: nothing is written
 * outside the folder. Throws when the folder is not empty, or cannot be written.
 */
export async function extractStream(
  source: FinishedSource,
  folder: string,
  options: ExtractOptions = {},
): Promise<Extraction> {
  const output = new OutputFolder(folder, { force: options.force ?? false, folders: ['ram', 'sections'] });
  const ram = new RamFiles(output, 'ram');
  try {
    const extraction = await extractInto(output, source, ram, options);
    output.finish('index.json');
    return extraction;
  } catch (error) {
    ram.close();
    output.discard();
    throw output.failure(error);
  }
}

async function extractInto(
  output: OutputFolder,
  source: FinishedSource,
  ram: RamFiles,
  options: OpenOptions,
): Promise<Extraction> {
  const opened = await openVm(source, { schemas: packagedSchemas, memory: nodeMemory(), ...options });
  const { blocks, diagnostics } = await writeBlocks(opened, ram);
  const files = blocks.flatMap(({ idstr, size, file }): ExtractedFile[] =>
    file === undefined ? [] : [{ file: `ram/${file}`, size, content: { kind: 'ram', idstr } }],
  );
  files.push(...(await extractSections(opened, output)));
  const size = await output.write('state.json', analyzeMigrationState(opened));
  files.push({ file: 'state.json', size, content: { kind: 'state' } });
  const desc = await analyzeMigrationDesc(opened);
  if (desc !== undefined) {
    files.push({
      file: 'desc.json',
      size: await output.write('desc.json', [desc]),
      content: { kind: 'desc' },
    });
  }
  await output.write('index.json', [
    `${toJson(files)}
`,
  ]);
  return { files, diagnostics: [...opened.diagnostics, ...diagnostics] };
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
