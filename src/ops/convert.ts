import { encodeText } from '../bytes/byte-writer.ts';
import { DecodeError, type Diagnostic, type DiagnosticCode, printable } from '../bytes/diagnostic.ts';
import { type Range, rangeLength } from '../bytes/range.ts';
import { type Piece, splicedSource } from '../bytes/splice.ts';
import { memoryOf, type OpenedStream } from '../layout/open.ts';
import { ramSummaries } from '../ram/iterative.ts';
import { presentPages } from '../ram/mapped-ram.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { RamBodyWriter, writeBlockList, writeEndOfSection } from '../ram/write-ram.ts';
import { writeConfiguration } from '../stream/configuration.ts';
import type { CommandRecord, ConfigurationRecord, SectionRecord, StreamRecord } from '../stream/records.ts';
import { writeVmDescriptionHeader } from '../stream/vmdescription.ts';
import { recordPieces, sectionPieces } from '../stream/write-records.ts';
import { withCapabilities } from './vmdesc-capabilities.ts';

/** Bytes of a RAM record, and of what is copied at a time. */
const RECORD_SIZE = 1 << 20;

const IGNORE_SHARED = 'x-ignore-shared';
const MAPPED_RAM = 'mapped-ram';

/**
 * Commands that have no place in a stream that is read from a file: there is no return path, and no postcopy, as all
 * pages come before the devices. What a package holds is taken out of it.
 */
const LEFT_OUT: ReadonlySet<string> = new Set([
  'OPEN_RETURN_PATH',
  'PING',
  'POSTCOPY_ADVISE',
  'POSTCOPY_LISTEN',
  'POSTCOPY_RUN',
  'POSTCOPY_RAM_DISCARD',
]);
/** Commands of what is no whole migration: a replica that goes on, or the rest of a postcopy that was interrupted. */
const REFUSED: ReadonlySet<string> = new Set(['ENABLE_COLO', 'POSTCOPY_RESUME', 'RECV_BITMAP']);

export interface ConvertOptions {
  /** Write a stream also where pages of RAM are missing or damaged: without them, which the result says. */
  readonly partial?: boolean | undefined;
  /** Called with the bytes of memory that were read since it was called last. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** What was written. */
export interface Conversion {
  /** Bytes. */
  readonly size: number;
  /** Pages that were written with their content, and as zeros. */
  readonly pages: { readonly plain: number; readonly zero: number };
  /** Commands of the stream that are not in what was written, each name once. */
  readonly commandsLeftOut: readonly string[];
  /** What is wrong with the stream, or is not in what was written: warnings. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Takes the next bytes of what is written, which stay as they are until what it returns is settled. */
export type WriteNext = (bytes: Uint8Array) => void | Promise<void>;

/**
 * Writes a VM that was opened with its memory as a plain stream, whatever the encoding of its RAM: one version of each
 * page, in records of the one connection. All that is not RAM is copied as it is, but for the capabilities in the
 * configuration (and in its description), which a destination compares with its own, and commands that need a return
 * path or postcopy.
 *
 * Throws DecodeError: what is wrong with a stream that is damaged, cut, or lacks pages; `unsupported` for one that is no
 * whole migration; `bad-argument` where the memory was not asked for; what source and `write` throw.
 */
export async function convertStream(
  vm: OpenedStream,
  write: WriteNext,
  { partial = false, onProgress }: ConvertOptions = {},
): Promise<Conversion> {
  const warnings = refuseUnsound(vm, partial);
  const plan = await planConversion(vm);
  let size = 0;
  const next: WriteNext = (bytes) => {
    size += bytes.byteLength;
    return write(bytes);
  };
  await copyPieces(vm, plan.before, next);
  const { pages, diagnostics: damage } = plan.ram
    ? await writePages(vm, plan, plan.ram, next, onProgress)
    : { pages: { plain: 0, zero: 0 }, diagnostics: [] };
  if (damage.length > 0 && !partial) throw new DecodeError(damage[0]!);
  await copyPieces(vm, plan.behind, next);
  const diagnostics = [...warnings, ...plan.diagnostics, ...damage.map(asWarning)];
  return { size, pages, commandsLeftOut: plan.commandsLeftOut, diagnostics };
}

/** How a stream is put together. */
interface ConversionPlan {
  /** In front of the pages. */
  readonly before: readonly Piece[];
  readonly behind: readonly Piece[];
  /** The record that begins the section of the pages; undefined for a stream without RAM. */
  readonly ram: SectionRecord | undefined;
  /** Blocks that the stream has nothing of. */
  readonly absent: ReadonlySet<string>;
  readonly commandsLeftOut: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Throws what is wrong with a stream; what is not, or may be, comes back as warnings. */
function refuseUnsound({ stream, diagnostics }: OpenedStream, partial: boolean): readonly Diagnostic[] {
  // What describes devices is not needed here.
  const found = diagnostics.filter(({ severity, code }) => severity !== 'note' && code !== 'no-schema');
  const end = stream.records.findIndex(({ kind }) => kind === 'eof');
  const isWhole = end >= 0 && !flattened(stream.records.slice(0, end)).some(({ kind }) => kind === 'gap');
  const serious = found.find(({ severity, code }) => isSerious(severity, code));
  if (serious && !(partial && isWhole)) throw new DecodeError(serious);
  if (!isWhole) throw unsupported('it is damaged between its records');
  return found.map(asWarning);
}

function isSerious(severity: Diagnostic['severity'], code: DiagnosticCode): boolean {
  if (code === 'missing-pages') return severity !== 'note';
  return severity === 'error' && code !== 'bad-vmdesc';
}

function asWarning(diagnostic: Diagnostic): Diagnostic {
  return diagnostic.severity === 'error' ? { ...diagnostic, severity: 'warning' } : diagnostic;
}

function unsupported(message: string, range?: Range): DecodeError {
  const diagnostic = { severity: 'error', code: 'unsupported', message } as const;
  return new DecodeError(range ? { ...diagnostic, range } : diagnostic);
}

async function planConversion(vm: OpenedStream): Promise<ConversionPlan> {
  const { stream } = vm;
  const diagnostics: Diagnostic[] = [];
  const [summary, ...others] = ramSummaries(stream.sections);
  if (others.length > 0) throw unsupported('it has several sections of RAM');
  const absent = new Set<string>();
  if (summary) {
    const memory = memoryOf(vm);
    for (const { idstr, length, mapped, pages } of summary.blocks) {
      const isThere = mapped ? !isShared(vm) || pages.mapped.pages > 0 : await memory.holds(idstr);
      if (isThere || length === 0) continue;
      absent.add(idstr);
      diagnostics.push(absentBlock(vm, idstr, length));
    }
  } else diagnostics.push(warning('the stream has no RAM, and neither has what was written'));
  // What a destination has to share, too.
  const isIgnoring = isShared(vm) && absent.size > 0;
  const capabilities = { [IGNORE_SHARED]: isIgnoring, [MAPPED_RAM]: false };
  const blocks = summary?.blocks.map((block) => plainBlock(block, isIgnoring)) ?? [];
  const pieces: { before: Piece[]; behind: Piece[] } = { before: [], behind: [] };
  const commandsLeftOut = new Set<string>();
  let ram: SectionRecord | undefined;
  let into = pieces.before;
  for (const record of flattened(stream.records)) {
    if (record.kind === 'command') {
      refuseCommand(record);
      const { name } = record;
      if (name !== undefined && (LEFT_OUT.has(name) || name === 'PACKAGED')) {
        commandsLeftOut.add(name);
        // Behind it are devices, which may look at memory when they are loaded.
        if (ram) into = pieces.behind;
        continue;
      }
    }
    if (record.kind === 'section' && record.idstr === 'ram') {
      if (record.type === 'SECTION_START') {
        ram = record;
        into.push(...sectionPieces(record, [writeBlockList(blocks)]));
      } else into = pieces.behind;
      continue;
    }
    if (record.kind === 'eof' && ram) into = pieces.behind;
    into.push(...piecesOf(vm, record, capabilities));
    if (record.kind === 'vmdescription') break;
  }
  return { ...pieces, ram, absent, commandsLeftOut: [...commandsLeftOut], diagnostics };
}

/** Records in the order in which a destination meets them, those of packages in the place of these. */
function flattened(records: readonly StreamRecord[]): readonly StreamRecord[] {
  return records.flatMap((record) => {
    if (record.kind !== 'command' || record.detail?.command !== 'PACKAGED') return [record];
    return [record, ...record.detail.records.filter(({ kind }) => kind !== 'eof')];
  });
}

function refuseCommand({ name, range }: CommandRecord): void {
  if (name !== undefined && REFUSED.has(name))
    throw unsupported(`MIG_CMD_${name}: it is a part of a migration, which is of no use alone`, range);
}

function piecesOf(
  vm: OpenedStream,
  record: StreamRecord,
  capabilities: Readonly<Record<string, boolean>>,
): readonly Piece[] {
  if (record.kind === 'configuration') return configurationPieces(record, capabilities);
  if (record.kind !== 'vmdescription' || !vm.vmdesc) return recordPieces(record);
  const described = withCapabilities(vm.vmdesc, changedCapabilities(vm.stream.configuration, capabilities));
  if (!described) return recordPieces(record);
  const json = encodeText(JSON.stringify(described));
  return [writeVmDescriptionHeader(json.byteLength), json];
}

/** Capabilities with these on or off; undefined where none is on, or the stream says nothing of any. */
function changedCapabilities(
  configuration: ConfigurationRecord | undefined,
  change: Readonly<Record<string, boolean>>,
): readonly string[] | undefined {
  const before = configuration?.capabilities ?? [];
  const kept = before.filter((name) => change[name] !== false);
  const added = Object.keys(change).filter((name) => change[name] && !kept.includes(name));
  return kept.length + added.length === 0 ? undefined : [...kept, ...added];
}

/** A configuration whose capabilities are others; behind what is known of it may be what is not. */
function configurationPieces(
  record: ConfigurationRecord,
  change: Readonly<Record<string, boolean>>,
): Piece[] {
  const known = writeConfiguration(record).byteLength;
  const written = writeConfiguration({ ...record, capabilities: changedCapabilities(record, change) });
  const rest = { start: record.range.start + known, end: record.range.end };
  return rangeLength(rest) > 0 ? [written, rest] : [written];
}

function isShared({ stream }: OpenedStream): boolean {
  return stream.configuration?.capabilities?.includes(IGNORE_SHARED) ?? false;
}

/** A block as a stream has it whose pages are all in records: page sizes are said for postcopy alone. */
function plainBlock({ idstr, length, address }: RamBlock, isIgnoring: boolean): RamBlock {
  return { idstr, length, ...(isIgnoring && address !== undefined ? { address } : {}) };
}

function warning(message: string): Diagnostic {
  return { severity: 'warning', code: 'missing-pages', section: 'ram', message };
}

function absentBlock(vm: OpenedStream, idstr: string, length: number): Diagnostic {
  const why = isShared(vm)
    ? 'it was shared (x-ignore-shared), which the destination has to have on, too, with the same memory'
    : 'the destination keeps there what it has';
  return warning(`no page of RAMBlock '${printable(idstr)}' (${length} bytes) is in the stream: ${why}`);
}

/** Copies pieces of a stream. */
async function copyPieces(
  { source }: OpenedStream,
  pieces: readonly Piece[],
  write: WriteNext,
): Promise<void> {
  const spliced = splicedSource(source, pieces);
  for (let offset = 0; offset < spliced.size; offset += RECORD_SIZE)
    await write(await spliced.read(offset, Math.min(RECORD_SIZE, spliced.size - offset)));
}

/** Writes all pages in PART records, and the END record of the section. */
async function writePages(
  vm: OpenedStream,
  { absent }: ConversionPlan,
  ram: SectionRecord,
  write: WriteNext,
  onProgress: ((bytes: number) => void) | undefined,
): Promise<Pick<Conversion, 'pages' | 'diagnostics'>> {
  const record = async (type: 'SECTION_PART' | 'SECTION_END', body: Uint8Array) => {
    for (const piece of sectionPieces({ ...ram, type }, [body])) await write(piece as Uint8Array);
  };
  const memory = memoryOf(vm);
  const { pageSize } = memory;
  let counts = { plain: 0, zero: 0 };
  let diagnostics: readonly Diagnostic[] = [];
  if (pageSize !== undefined) {
    const writer = new RamBodyWriter((body) => record('SECTION_PART', body), { pageSize, most: RECORD_SIZE });
    for (const block of memory.blocks) if (!absent.has(block.idstr)) await writeZeros(vm, block, writer);
    diagnostics = await memory.visit(writer, onProgress);
    await writer.finish();
    counts = writer.written;
  }
  await record('SECTION_END', writeEndOfSection());
  return { pages: counts, diagnostics };
}

/** Writes the pages that a mapped block has no content of: they are zeros. */
async function writeZeros({ source }: OpenedStream, block: RamBlock, writer: RamBodyWriter): Promise<void> {
  const { mapped } = block;
  if (!mapped) return;
  const { pageSize } = mapped;
  let end = 0;
  for await (const { page, count } of presentPages(source, block, mapped)) {
    await writer.fill(block, end, page * pageSize - end, 0);
    end = (page + count) * pageSize;
  }
  await writer.fill(block, end, Math.floor(block.length / pageSize) * pageSize - end, 0);
}
