import { encodeText } from '../bytes/byte-writer.ts';
import { DecodeError, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { type Range, rangeLength } from '../bytes/range.ts';
import type { Piece } from '../bytes/splice.ts';
import { memoryOf, type OpenedStream } from '../layout/open.ts';
import { ramSummaries } from '../ram/iterative.ts';
import type { RamSummary } from '../ram/ram.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { writeConfiguration } from '../stream/configuration.ts';
import type { CommandRecord, ConfigurationRecord, SectionRecord, StreamRecord } from '../stream/records.ts';
import { writeVmDescriptionHeader } from '../stream/vmdescription.ts';
import { recordPieces } from '../stream/write-records.ts';
import { withCapabilities } from './vmdesc-capabilities.ts';

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
  'PACKAGED',
]);
/** Commands of what is no whole migration: a replica that goes on, or the rest of a postcopy that was interrupted. */
const REFUSED: ReadonlySet<string> = new Set(['ENABLE_COLO', 'POSTCOPY_RESUME', 'RECV_BITMAP']);

export interface PlanOptions {
  /** Pages that are missing or damaged are no reason not to write. */
  readonly partial: boolean;
  /** Pages are to be kept as the capability mapped-ram does. */
  readonly isMapped: boolean;
}

/** How a stream is put together again, of pieces of itself and of new bytes. */
export interface ConversionPlan {
  /** In front of the list of blocks. */
  readonly before: readonly Piece[];
  /** Between it and the pages: what else is begun there. */
  readonly between: readonly Piece[];
  /** Behind the pages. */
  readonly behind: readonly Piece[];
  /** Undefined for a stream without RAM, which is all in front of the list. */
  readonly ram: PlannedRam | undefined;
  readonly commandsLeftOut: readonly string[];
  /** What is wrong with the stream, or is not in it: warnings. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface PlannedRam {
  /** The record that begins the section. */
  readonly start: SectionRecord;
  /** As they are to be announced. */
  readonly blocks: readonly RamBlock[];
  /** Those that the stream has nothing of, by idstr. */
  readonly absent: ReadonlySet<string>;
  /** TARGET_PAGE_SIZE in bytes; undefined in a stream without a page. */
  readonly pageSize: number | undefined;
}

/**
 * Throws DecodeError: what is wrong with a stream that is damaged, cut, or lacks pages; `unsupported` for one that is no
 * whole migration; `bad-argument` where the memory was not asked for.
 */
export async function planConversion(
  vm: OpenedStream,
  { partial, isMapped }: PlanOptions,
): Promise<ConversionPlan> {
  const { stream } = vm;
  const diagnostics: Diagnostic[] = [...refuseUnsound(vm, partial)];
  const [summary, ...others] = ramSummaries(stream.sections);
  if (others.length > 0) throw unsupported('it has several sections of RAM');
  // Machine types of QEMU 2.3 and before: nothing would say how RAM is kept.
  if (isMapped && summary && !stream.configuration)
    throw unsupported('it has no configuration, whose capabilities a destination of mapped-ram looks for');
  const absent = summary ? await absentBlocks(vm, summary) : [];
  diagnostics.push(...absent.map((block) => absentBlock(vm, block)));
  if (!summary) diagnostics.push(warning('the stream has no RAM, and neither has what was written'));
  const capabilities = {
    // What a destination has to share, too.
    [IGNORE_SHARED]: isShared(vm) && absent.length > 0,
    [MAPPED_RAM]: isMapped && summary !== undefined,
  };
  const pieces: Record<'before' | 'between' | 'behind', Piece[]> = { before: [], between: [], behind: [] };
  const commandsLeftOut = new Set<string>();
  let start: SectionRecord | undefined;
  let into = pieces.before;
  for (const record of flattened(stream.records)) {
    // Behind these are devices, which may look at memory when they are loaded.
    const isBehindPages = isOfRam(record) || isCommand(record, 'PACKAGED') || record.kind === 'eof';
    if (start && isBehindPages) into = pieces.behind;
    if (record.kind === 'command' && isLeftOut(record)) commandsLeftOut.add(record.name!);
    else if (!isOfRam(record)) into.push(...piecesOf(vm, record, capabilities));
    else if (record.type === 'SECTION_START') {
      start = record;
      into = pieces.between;
    }
    if (record.kind === 'vmdescription') break;
  }
  const ram = start &&
    summary && {
      start,
      blocks: summary.blocks.map((block) => announced(block, capabilities[IGNORE_SHARED])),
      absent: new Set(absent.map(({ idstr }) => idstr)),
      pageSize: memoryOf(vm).pageSize ?? summary.pageSize,
    };
  return { ...pieces, ram, commandsLeftOut: [...commandsLeftOut], diagnostics };
}

/** Throws what is wrong with a stream; what need not be comes back as warnings. */
function refuseUnsound({ stream, diagnostics }: OpenedStream, partial: boolean): readonly Diagnostic[] {
  // What describes devices is not needed here.
  const found = diagnostics.filter(({ severity, code }) => severity !== 'note' && code !== 'no-schema');
  const end = stream.records.findIndex(({ kind }) => kind === 'eof');
  const records = flattened(stream.records.slice(0, end + 1));
  const isWhole = end >= 0 && !records.some(({ kind }) => kind === 'gap');
  const first = found.find((each) => isSerious(each) && !(isWhole && partial && isOfPages(each)));
  if (first) throw new DecodeError(first);
  if (!isWhole) throw unsupported('it is damaged between its records');
  return found.map(asWarning);
}

/** Without pages that postcopy took back, a stream is no better than without those that are damaged. */
function isSerious({ severity, code }: Diagnostic): boolean {
  return code === 'missing-pages' || (severity === 'error' && code !== 'bad-vmdesc');
}

/** Is it about pages that can be left out? What is wrong in a channel has no place in the stream. */
function isOfPages({ severity, code, range }: Diagnostic): boolean {
  if (code === 'missing-pages') return severity === 'warning';
  return code === 'bad-ram' || code === 'bad-channel' || (code === 'truncated' && range === undefined);
}

export function asWarning(diagnostic: Diagnostic): Diagnostic {
  return diagnostic.severity === 'error' ? { ...diagnostic, severity: 'warning' } : diagnostic;
}

export function unsupported(message: string, range?: Range): DecodeError {
  const diagnostic = { severity: 'error', code: 'unsupported', message } as const;
  return new DecodeError(range ? { ...diagnostic, range } : diagnostic);
}

/** With x-ignore-shared, up to QEMU 11 or so, mapped-ram has a bitmap of no page for what is left out, too. */
async function absentBlocks(vm: OpenedStream, { blocks }: RamSummary): Promise<readonly RamBlock[]> {
  const memory = memoryOf(vm);
  const found: RamBlock[] = [];
  for (const block of blocks) {
    const { idstr, length, mapped, pages } = block;
    const isThere = mapped ? !isShared(vm) || pages.mapped.pages > 0 : await memory.holds(idstr);
    if (!isThere && length > 0) found.push(block);
  }
  return found;
}

/** Records in the order in which a destination meets them, those of packages behind these. */
function flattened(records: readonly StreamRecord[]): readonly StreamRecord[] {
  return records.flatMap((record) => {
    if (record.kind !== 'command' || record.detail?.command !== 'PACKAGED') return [record];
    return [record, ...record.detail.records.filter(({ kind }) => kind !== 'eof')];
  });
}

function isOfRam(record: StreamRecord): record is SectionRecord {
  return record.kind === 'section' && record.idstr === 'ram';
}

function isCommand(record: StreamRecord, name: string): record is CommandRecord {
  return record.kind === 'command' && record.name === name;
}

/** Throws DecodeError `unsupported` for a command that nothing can be done with. */
function isLeftOut({ name, range }: CommandRecord): boolean {
  if (name === undefined) return false;
  if (REFUSED.has(name))
    throw unsupported(`MIG_CMD_${name}: it is a part of a migration, which is of no use alone`, range);
  return LEFT_OUT.has(name);
}

function piecesOf(
  vm: OpenedStream,
  record: StreamRecord,
  capabilities: Readonly<Record<string, boolean>>,
): readonly Piece[] {
  if (record.kind === 'configuration') return configurationPieces(record, capabilities);
  if (record.kind !== 'vmdescription' || !vm.vmdesc) return recordPieces(record);
  const { configuration } = vm.stream;
  const changed = changedCapabilities(configuration, capabilities);
  if (String(changed) === String(configuration?.capabilities)) return recordPieces(record);
  const described = withCapabilities(vm.vmdesc, changed);
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

/** A block as it is announced; page sizes are said for postcopy alone. */
function announced({ idstr, length, address }: RamBlock, isIgnoring: boolean): RamBlock {
  return { idstr, length, ...(isIgnoring && address !== undefined ? { address } : {}) };
}

function warning(message: string): Diagnostic {
  return { severity: 'warning', code: 'missing-pages', section: 'ram', message };
}

function absentBlock(vm: OpenedStream, { idstr, length }: RamBlock): Diagnostic {
  const why = isShared(vm)
    ? 'it was shared (x-ignore-shared), which the destination has to have on, too, with the same memory'
    : 'the destination keeps there what it has';
  return warning(`no page of RAMBlock '${printable(idstr)}' (${length} bytes) is in the stream: ${why}`);
}
