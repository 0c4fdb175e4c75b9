import { badArgument, DecodeError, type Diagnostic, printable, problemIn } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { type Range, rangeLength } from '../bytes/range.ts';
import { type ByteSource, type FinishedSource, finished } from '../bytes/source.ts';
import { decodeText } from '../bytes/window.ts';
import type { Infos } from '../infos/info.ts';
import type { GuestMemory } from '../memory/guest-memory.ts';
import { finishMemory } from '../memory/open-memory.ts';
import { type MemoryOptions, PageIndexBuilder } from '../memory/page-index-builder.ts';
import { RamChannels } from '../ram/channels.ts';
import { findIterativeScanner, type IterativeScanner, ramSummaries } from '../ram/iterative.ts';
import { joinSinks, type PageSink } from '../ram/page-sink.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { findDevice, type Schema, structLength } from '../schema/schema.ts';
import { type JsonObject, parseVmdesc } from '../schema/vmdesc.ts';
import type { Configuration, SectionRecord } from '../stream/records.ts';
import { scanStream } from '../stream/scan.ts';
import type { ScanOptions, Section, SkipRam, Stream } from '../stream/stream.ts';
import { locateVmDescription, MAX_VMDESC_LENGTH, VMDESC_HEADER_LENGTH } from '../stream/vmdescription.ts';
import type { Layout } from './node.ts';
import { resolveConfiguration, resolveSection } from './section.ts';
import type { SectionInput } from './section-machine.ts';
import type { SchemaTables } from './tables.ts';

export interface OpenOptions {
  /** Takes the pages of RAM while they are scanned. */
  readonly sink?: PageSink;
  /** Note where each page is while the stream is scanned, so that the result has the `memory` of the guest. */
  readonly memory?: MemoryOptions | undefined;
  /** The further connections of the migration (multifd, postcopy preempt), in any order. */
  readonly channels?: readonly ByteSource[];
  /** The stream had pages of RAM, and they were taken out on purpose: of a profile. */
  readonly pagesLeftOut?: boolean;
  /** VMSD tables of the QEMU that wrote the stream, for what its vmdesc does not describe. */
  readonly tables?: SchemaTables;
  /** What is known of custom VMStateInfos: `withInfos` adds one's own to those that vmwalk knows. */
  readonly infos?: Infos | undefined;
  /** The VM that it was captured of, where more is known of it. */
  readonly sender?: Sender | undefined;
  /** Do not use the stream's own description. */
  readonly ignoreVmdesc?: boolean;
  /**
   * Skip the records of RAM and other iterative sections where they are more bytes than this and the vmdesc, which must
   * end the source, tells where the device state behind them begins. For who needs the device state only: what is
   * skipped is not counted, and damage in it is not seen. In doubt there is a full scan; but that a stream was written
   * over an older one of the same VM, whose end still ends the source, cannot be seen without one. Ignored with a sink,
   * and where memory is asked for.
   */
  readonly skipRamOver?: number | undefined;
  /** Called with the number of bytes scanned so far, after each record. */
  onProgress?(offset: number): void;
}

/** What is known of the VM that a stream comes from and the stream does not say: of a capture of its devices alone. */
export interface Sender {
  /** What a migration would send, as it was set up then. */
  readonly configuration: Configuration;
  readonly ramBlocks: readonly RamBlock[];
  /** QOM types of its devices; undefined where they are not known. */
  readonly deviceTypes?: ReadonlySet<string>;
  /** Where the stream has zeros in place of what it had, in order; undefined where nothing was taken out. */
  readonly redacted?: readonly Range[];
  /** Of virtqueues, how far guest and device were by the rings in memory; undefined where none were read. */
  readonly rings?: readonly QueueRings[];
}

/** What was read of the rings of a virtqueue when its VM was captured. */
export interface QueueRings {
  /** idstr and instance of its device's section. */
  readonly section: string;
  readonly instanceId: number;
  /** Number of the queue. */
  readonly queue: number;
  /** What the guest has given, and what was given back to it: u16; or why that is not known. */
  readonly indexes: { readonly available: number; readonly used: number } | RingsUnread;
}

/**
 * `moved`: the device has taken something between the capture and the reading. `untold`: the VM ran, and QEMU does not
 * tell whether it has. `refused`: QEMU does not tell what is in memory there.
 */
export type RingsUnread = 'moved' | 'untold' | 'refused';

/** A stream, framed, and what its bytes may mean. */
export interface OpenedStream {
  readonly source: FinishedSource;
  readonly sender?: Sender | undefined;
  readonly stream: Stream<IterativeScanner>;
  /** Undefined when the stream has no usable vmdesc. */
  readonly schema: Schema | undefined;
  readonly tables: SchemaTables | undefined;
  /** What is known of custom VMStateInfos; undefined for what vmwalk itself knows. */
  readonly infos?: Infos | undefined;
  /** For what the vmdesc leaves closed; see SectionKnowledge. */
  readonly infoTables?: Iterable<SchemaTables> | undefined;
  /** Layouts of sections that were made already, with these tables. */
  readonly resolved?: ReadonlyMap<Section, Layout> | undefined;
  /** The vmdesc blob as JSON. */
  readonly vmdesc: JsonObject | undefined;
  /** The guest's RAM, where it was asked for. Its pages are read from the source. To be closed. */
  readonly memory?: GuestMemory | undefined;
  /** Problems of framing and description; those of each section are in its layout. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Opens a migration stream: finds the vmdesc, makes a schema of it, and frames the records. Problems in the bytes are
 * diagnostics; only a source that is no migration stream, or cannot be read, throws.
 */
export async function openStream(from: ByteSource, options: OpenOptions = {}): Promise<OpenedStream> {
  // What describes the stream is at its end.
  const source = await finished(from);
  const { tables, ignoreVmdesc = false } = options;
  const located = ignoreVmdesc ? undefined : await locateVmDescription(source);
  let described =
    located && (await readVmdesc(source, { ...located, start: located.start + VMDESC_HEADER_LENGTH }));
  const skipRam =
    options.sink || options.memory || options.channels || described?.diagnostics.length
      ? undefined
      : skipRamBy(described?.schema, options);
  let { stream, memory } = await scan(source, described?.schema, {
    ...options,
    skipRam,
    vmdescription: located,
  });
  const found = stream.vmdescription;
  if (!ignoreVmdesc && found && rangeLength(found.json) > 0 && found.range.start !== located?.start) {
    // The blob was not at the very end; what is there may belong to an older, longer stream that this one was written
    // over. Sections that were framed by search, or by that one, are framed anew by description.
    described = await readVmdesc(source, found.json);
    const guessed =
      located !== undefined ||
      stream.sections.some(({ records }) => records.some(({ boundary }) => boundary === 'footer-search'));
    if (described?.schema && guessed && !options.sink) {
      await memory?.close();
      ({ stream, memory } = await scan(source, described.schema, options));
    }
  }
  const diagnostics = new DiagnosticList([...(described?.diagnostics ?? []), ...stream.diagnostics]);
  if (!described?.schema && !tables) {
    diagnostics.add({
      severity: 'warning',
      code: 'no-schema',
      message: described
        ? 'the vmdesc of this stream is unusable, so that its device state cannot be decoded'
        : 'the stream has no vmdesc, so that its device state cannot be decoded (suppress-vmdesc=on, postcopy or a cut stream)',
    });
  }
  return {
    source,
    sender: options.sender,
    stream,
    schema: described?.schema,
    tables,
    infos: options.infos,
    vmdesc: described?.json,
    memory,
    diagnostics: diagnostics.list(),
  };
}

async function readVmdesc(
  source: FinishedSource,
  range: Range,
): Promise<{ schema: Schema | undefined; json: JsonObject | undefined; diagnostics: readonly Diagnostic[] }> {
  const length = rangeLength(range);
  if (length > MAX_VMDESC_LENGTH) {
    const message = `the vmdesc is ${length} bytes long; no more than ${MAX_VMDESC_LENGTH} are read`;
    const diagnostics: Diagnostic[] = [{ severity: 'error', code: 'bad-vmdesc', message, range }];
    return { schema: undefined, json: undefined, diagnostics };
  }
  const { vmdesc, diagnostics } = parseVmdesc(decodeText(await source.read(range.start, length)), range);
  return { schema: vmdesc?.schema, json: vmdesc?.json, diagnostics };
}

function skipRamBy(schema: Schema | undefined, { skipRamOver }: OpenOptions): SkipRam | undefined {
  if (!schema || skipRamOver === undefined) return undefined;
  const described = schema.devices.map((device) => ({
    idstr: device.idstr,
    instanceId: device.instanceId,
    bodyLength: structLength(device),
  }));
  return { over: skipRamOver, described };
}

async function scan(
  source: FinishedSource,
  schema: Schema | undefined,
  options: OpenOptions & Pick<ScanOptions, 'skipRam' | 'vmdescription'>,
): Promise<{ stream: Stream<IterativeScanner>; memory: GuestMemory | undefined }> {
  const { onProgress, skipRam, vmdescription, pagesLeftOut = false } = options;
  const builder = options.memory && new PageIndexBuilder(options.memory);
  const sink = joinSinks([options.sink, builder].filter((each) => each !== undefined));
  const diagnostics = new DiagnosticList();
  const channels =
    options.channels &&
    (await RamChannels.open(await Promise.all(options.channels.map(finished)), {
      report: (diagnostic) => diagnostics.add(diagnostic),
    }));
  const extra = { ...(sink ? { sink } : {}), ...(channels ? { channels } : {}), pagesLeftOut };
  let ram: IterativeScanner | undefined;
  const stream = await scanStream<IterativeScanner>(source, {
    pageSize: schema?.pageSize,
    vmdescription,
    skipRam,
    bodyLength(idstr, instanceId, occurrence) {
      if (idstr === 'configuration') return schema?.configuration && structLength(schema.configuration);
      const device = schema && findDevice(schema, idstr, instanceId, occurrence);
      return device && structLength(device);
    },
    scannerFor(context) {
      const scanner = findIterativeScanner(context.idstr)?.({ ...context, ...extra });
      if (scanner?.discard) ram = scanner;
      return scanner;
    },
    onCommand: (name, detail) => {
      if (detail?.command === 'POSTCOPY_RAM_DISCARD') ram?.discard?.(detail.block, detail.ranges);
      if (name === 'POSTCOPY_LISTEN') sink?.postcopy?.();
    },
    ...(onProgress ? { onProgress } : {}),
  });
  const uuid = stream.configuration?.uuid;
  if (uuid !== undefined) channels?.checkUuid(uuid);
  for (const { scanner, unscanned } of stream.sections) if (!unscanned) await scanner?.finish?.();
  diagnostics.addAll(stream.diagnostics);
  let memory: GuestMemory | undefined;
  try {
    memory =
      builder && (await finishMemory(source, builder, ramSummaries(stream.sections), options.memory ?? {}));
  } catch (error) {
    diagnostics.add(problemIn(error).diagnostic);
  }
  return { stream: { ...stream, diagnostics: diagnostics.list() }, memory };
}

/**
 * The memory of a stream that was opened with it. Throws DecodeError `bad-argument` of one that was not, and `io` where
 * there was no place to keep what is needed for it.
 */
export function memoryOf({ source, memory, diagnostics }: OpenedStream): GuestMemory {
  if (memory) return memory;
  const problem = diagnostics.find(({ code, severity }) => code === 'io' && severity === 'error');
  if (problem) throw new DecodeError(problem);
  throw badArgument(
    `${printable(source.name)} was opened without its memory: the option 'memory' asks for it`,
  );
}

/** Sections of device state, of one record each, that the stream's own description has nothing for. */
export function undescribedSections({ schema, stream }: Pick<OpenedStream, 'schema' | 'stream'>): Section[] {
  return stream.sections.filter(
    ({ scanner, records, idstr, instanceId, occurrence }) =>
      !scanner && records.length === 1 && !(schema && findDevice(schema, idstr, instanceId, occurrence)),
  );
}

/** What the stream, or else what is known of its sender, tells of the machine. */
export function configurationOf({
  stream,
  sender,
}: Pick<OpenedStream, 'stream' | 'sender'>): Configuration | undefined {
  return stream.configuration ?? sender?.configuration;
}

/** The RAMBlocks that the stream, or what is known of its sender, lists; undefined where neither does. */
export function ramBlocksOf({
  stream,
  sender,
}: Pick<OpenedStream, 'stream' | 'sender'>): readonly RamBlock[] | undefined {
  const [summary] = ramSummaries(stream.sections);
  return summary?.blocks ?? sender?.ramBlocks;
}

/** The layout of one section. */
export async function layoutOf(opened: OpenedStream, section: Section): Promise<Layout> {
  return opened.resolved?.get(section) ?? resolveSection(opened.source, section, opened);
}

/** The layout of what the stream says of its machine; undefined where it says nothing. */
export async function configurationLayout(opened: OpenedStream): Promise<Layout | undefined> {
  const { source, stream, schema, infos } = opened;
  return stream.configuration && resolveConfiguration(source, stream.configuration, schema, infos);
}

/** A record of a stream's section, for a load of it. */
export function sectionInput({ source, stream, infos }: OpenedStream, record: SectionRecord): SectionInput {
  return { source, record, sections: stream.sections, ...(infos ? { infos } : {}) };
}

/** The layouts of the configuration and all sections, in stream order, each resolved when it is asked for. */
export async function* layouts(opened: OpenedStream): AsyncGenerator<Layout> {
  const configuration = await configurationLayout(opened);
  if (configuration) yield configuration;
  for (const section of opened.stream.sections) yield await layoutOf(opened, section);
}
