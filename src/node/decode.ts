import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { badArgument, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { readExactly } from '../bytes/source.ts';
import { formOf } from '../edit/edited-entry.ts';
import { commandName, manifestRecords } from '../edit/manifest-records.ts';
import {
  type DecodedSection,
  MANIFEST_FORMAT,
  type Manifest,
  type ManifestRecord,
  parseDecodedSection,
  parseManifest,
} from '../edit/read-decoded.ts';
import type { Layout } from '../layout/node.ts';
import { configurationLayout, layoutOf, type OpenedStream } from '../layout/open.ts';
import { streamPageSize } from '../ops/page-size.ts';
import { decodedSectionJson } from '../render/decoded-json.ts';
import { toJson } from '../render/json.ts';
import type { StreamRecord } from '../stream/records.ts';
import { FileNames } from './file-names.ts';
import { lineOfJson, withLine } from './json-line.ts';
import { OutputFolder } from './output.ts';
import { readRanges } from './read-ranges.ts';
import { readTextFile } from './schema-file.ts';

const MANIFEST = 'manifest.json';

export interface Decoded {
  /** Names of the files inside the folder. */
  readonly files: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Writes the device state of a stream into a folder, for people and for version control: `manifest.json`,
 * `configuration.json`, and `sections/` with a file for each section that is no RAM. `readDecoded` and `planManifest` make
 * a stream of it again. Throws OutputError.
 */
export async function decodeStream(
  opened: OpenedStream,
  folder: string,
  { force = false }: { readonly force?: boolean | undefined } = {},
): Promise<Decoded> {
  const output = new OutputFolder(folder, { force, folders: ['sections'] });
  const files: string[] = [];
  const diagnostics = new DiagnosticList(opened.diagnostics);
  const names = new FileNames();
  const write = async (file: string, layout: Layout) => {
    diagnostics.addAll(layout.diagnostics);
    const { start, end } = layout.root;
    const bytes = await readExactly(opened.source, start, end - start);
    await output.write(
      file,
      decodedSectionJson(layout, (node) => bytes.subarray(node.start - start, node.end - start)),
    );
    files.push(file);
  };
  try {
    const records: ManifestRecord[] = [];
    const configuration = await configurationLayout(opened);
    const sections = new Map(opened.stream.sections.map((section) => [section.records[0], section]));
    for (const record of manifestRecords(opened)) {
      if (record.kind === 'configuration') {
        if (!configuration) continue;
        await write('configuration.json', configuration);
        records.push({ kind: 'configuration', file: 'configuration.json' });
      } else if (record.kind === 'command') {
        records.push({ kind: 'command', name: commandName(record) });
      } else {
        const section = sections.get(record);
        if (!section) continue;
        const { id, idstr, instanceId, versionId } = section;
        const isWhole = section.records.length === 1 && !section.unscanned;
        const layout = isWhole ? await layoutOf(opened, section) : undefined;
        const isHeld = layout?.root.children.every((node) => node.kind !== 'leaf' || node.value !== null);
        const name = `${String(id).padStart(3, '0')}-${idstr}${instanceId > 0 ? `-${instanceId}` : ''}`;
        const file = isHeld ? `sections/${names.next(name, '.json')}` : undefined;
        if (layout && file !== undefined) await write(file, layout);
        records.push({ kind: 'section', id, idstr, instanceId, versionId, file });
      }
    }
    await output.write(MANIFEST, [await manifestText(opened, records)]);
    output.finish(MANIFEST);
    return { files: [...files, MANIFEST], diagnostics: diagnostics.list() };
  } catch (error) {
    output.discard();
    throw output.failure(error);
  }
}

async function manifestText(opened: OpenedStream, records: readonly ManifestRecord[]): Promise<string> {
  const { stream, source, vmdesc, tables } = opened;
  const qemuVersion = tables?.schema.qemuVersion;
  const manifest = {
    format: MANIFEST_FORMAT,
    formatVersion: 1,
    base: { size: source.size, sha256: await baseHash(opened) },
    footers: stream.footers ?? true,
    ...(vmdesc
      ? {
          vmdesc: {
            qemuVersion,
            pageSize: streamPageSize(opened)?.bytes ?? 4096,
            ...formOf(vmdesc, qemuVersion),
          },
        }
      : {}),
    records: records.map((record) => {
      if (record.kind !== 'section') return record;
      const { kind, id, idstr, instanceId, versionId, file } = record;
      return {
        kind,
        id,
        section: idstr,
        instance: instanceId,
        version: versionId,
        ...(file === undefined ? {} : { file }),
      };
    }),
  };
  return `${toJson(manifest)}\n`;
}

/** SHA-256 of the device state of a stream: its configuration, its FULL sections and its vmdesc, with their headers. */
export async function baseHash({ source, stream }: OpenedStream): Promise<string> {
  const hash = createHash('sha256');
  const add = async (record: StreamRecord): Promise<void> => {
    if (record.kind === 'command' && record.detail?.command === 'PACKAGED')
      for (const each of record.detail.records) await add(each);
    const isState =
      record.kind === 'configuration' ||
      record.kind === 'vmdescription' ||
      (record.kind === 'section' && record.type === 'SECTION_FULL');
    if (!isState) return;
    for await (const piece of readRanges(source, [record.range])) hash.update(piece);
  };
  for (const record of stream.records) await add(record);
  return hash.digest('hex');
}

/** A folder that `decodeStream` has filled. */
export interface DecodedFolder {
  readonly manifest: Manifest;
  /** Throws DecodeError `io` or `bad-argument`. */
  read(file: string): Promise<DecodedSection>;
}

/** Opens a folder that `decodeStream` has filled. Throws DecodeError `io` or `bad-argument`. */
export async function openDecoded(folder: string): Promise<DecodedFolder> {
  const parse = async <T>(name: string, read: (text: string, path: string) => T) => {
    const path = join(folder, name);
    // A link leads out of the folder, and a pipe to nowhere.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found && !found.isFile()) throw badArgument(`${printable(path)} is no regular file`);
    const parent = dirname(path);
    if (dirname(name) !== '.' && lstatSync(parent, { throwIfNoEntry: false })?.isSymbolicLink())
      throw badArgument(`${printable(parent)} is a link, which is not followed`);
    const text = await readTextFile(path);
    try {
      return { read: read(text, path), text, path };
    } catch (error) {
      throw await withLine(error, text);
    }
  };
  const { read: manifest } = await parse(MANIFEST, parseManifest);
  return {
    manifest,
    read: async (name) => {
      const { read, text, path } = await parse(name, parseDecodedSection);
      const where = async (at: readonly (string | number)[]): Promise<string> =>
        `${path}: line ${await lineOfJson(text, [...at])}`;
      return { ...read, where };
    },
  };
}

/** Throws DecodeError `bad-argument` where a stream is not the one that was decoded. */
export async function checkBase(opened: OpenedStream, { base }: Manifest): Promise<void> {
  const hash = await baseHash(opened);
  if (opened.source.size !== base.size || hash !== base.sha256)
    throw badArgument(
      `${printable(opened.source.name)} is not the stream that was decoded: another base, or it has changed`,
    );
}
