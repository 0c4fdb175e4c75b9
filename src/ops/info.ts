import type { Diagnostic } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { rangeLength, totalLength } from '../bytes/range.ts';
import { type FinishedSource, locate } from '../bytes/source.ts';
import type { ContainerLayer } from '../containers/open.ts';
import { childrenOf, isUniform } from '../layout/children.ts';
import type { LayoutNode, Shape } from '../layout/node.ts';
import { layouts, type OpenedStream, type Sender, undescribedSections } from '../layout/open.ts';
import type { IterativeSummary } from '../ram/iterative.ts';
import type {
  BoundaryOrigin,
  CommandRecord,
  Configuration,
  SectionType,
  StreamRecord,
} from '../stream/records.ts';
import { isExplained } from './fit-tables.ts';
import { type PageSize, streamPageSize } from './page-size.ts';
import { GLOBAL_STATE, sentRunState } from './run-state.ts';

/** What `info` tells of a stream. Sizes and offsets in bytes. */
export interface StreamInfo {
  readonly name: string;
  readonly size: number;
  /** What the stream was taken out of, the outermost first. */
  readonly containers: readonly Omit<ContainerLayer, 'source'>[];
  /** Version of the stream format. */
  readonly version: 3;
  readonly configuration: Configuration | undefined;
  /** What is known of the VM that the stream does not say: of a capture. */
  readonly sender: Sender | undefined;
  readonly pageSize: PageSize | undefined;
  /** RunState of the VM when its state was saved: `running`, `paused`, …; undefined where it was not sent. */
  readonly runState: string | undefined;
  readonly footers: boolean | undefined;
  /** Where the meaning of the device state comes from. */
  readonly schema: SchemaInfo | undefined;
  readonly sections: readonly SectionInfo[];
  readonly commands: readonly CommandInfo[];
  readonly shares: Share;
  readonly diagnostics: readonly Diagnostic[];
}

export type SchemaInfo =
  /** The stream's own description. */
  | {
      readonly origin: 'vmdesc';
      readonly size: number;
      readonly devices: number;
      /** Sections that it leaves out, and the QEMU by whose tables they are read; undefined where there are none. */
      readonly others:
        | {
            readonly sections: number;
            readonly qemuVersion: string | undefined;
            readonly target: string | undefined;
          }
        | undefined;
    }
  /** The tables of a QEMU. */
  | {
      readonly origin: 'tables';
      readonly qemuVersion: string | undefined;
      readonly target: string | undefined;
      readonly vmsds: number;
      /** Sections that they explain to the last byte, and idstrs of those that they do not. */
      readonly fitting: number;
      readonly misfits: readonly string[];
    }
  /** Tables that were learned from other streams: how many, and of which machine types. */
  | {
      readonly origin: 'streams';
      readonly streams: number;
      readonly machineTypes: readonly string[];
      readonly vmsds: number;
      readonly fitting: number;
      readonly misfits: readonly string[];
    };

export interface SectionInfo {
  readonly id: number;
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
  /** Type of the first record, and how many there are. */
  readonly type: SectionType;
  readonly records: number;
  /** Of the first record. */
  readonly offset: number;
  /** The same in the file that the stream was taken out of, null where it is not stored as such; only on request. */
  readonly fileOffset?: number | null;
  /** Of all records with header and footer. */
  readonly size: number;
  /** What the device itself wrote. */
  readonly bodySize: number;
  readonly boundary: BoundaryOrigin;
  readonly leaves: number;
  /** Bytes that nobody can name. */
  readonly gapBytes: number;
  /** Of an iterative section whose format is known. */
  readonly summary: IterativeSummary | undefined;
}

export interface CommandInfo {
  readonly name: string;
  readonly offset: number;
  readonly fileOffset?: number | null;
  readonly size: number;
  readonly detail: CommandRecord['detail'];
}

/** Bytes by hierarchy: a part of the stream and what it consists of. */
export interface Share {
  readonly name: string;
  readonly size: number;
  readonly parts: readonly Share[];
}

/** What `streamInfo` takes: a `Vm` says what its stream was taken out of. */
export interface ContainedStream extends OpenedStream {
  readonly containers?: readonly ContainerLayer[];
}

export interface InfoOptions {
  /** Say where sections and commands are in the file, too. */
  readonly containerOffsets?: boolean | undefined;
}

/** Collects what `info` shows. Resolves every section, so that all problems are in it. */
export async function streamInfo(opened: ContainedStream, options: InfoOptions = {}): Promise<StreamInfo> {
  const { source, stream } = opened;
  const diagnostics = new DiagnosticList(opened.diagnostics);
  const resolved = new Map<number, { leaves: number; gapBytes: number }>();
  const misfits: string[] = [];
  let fitting = 0;
  let runState: string | undefined;
  let index = stream.configuration ? -1 : 0;
  for await (const layout of layouts(opened)) {
    diagnostics.addAll(layout.diagnostics);
    if (layout.section === GLOBAL_STATE) runState = sentRunState(layout.root)?.text;
    const count = { leaves: 0, gapBytes: 0 };
    addLeaves(layout.root, count);
    const section = stream.sections[index];
    if (section && !section.scanner) {
      if (isExplained(layout)) fitting++;
      else misfits.push(layout.section);
    }
    resolved.set(index++, count);
  }
  const sections = stream.sections.map((section, i): SectionInfo => {
    const { id, idstr, instanceId, versionId, records, scanner } = section;
    return {
      id,
      idstr,
      instanceId,
      versionId,
      type: records[0]?.type ?? 'SECTION_FULL',
      records: records.length,
      offset: records[0]?.range.start ?? 0,
      size: totalLength(records.map(({ range }) => range)),
      bodySize: totalLength(records.map(({ body }) => body)),
      boundary: records.at(-1)?.boundary ?? 'truncated',
      leaves: resolved.get(i)?.leaves ?? 0,
      gapBytes: resolved.get(i)?.gapBytes ?? 0,
      summary: scanner?.summary(),
    };
  });
  const located = <T extends { readonly offset: number }>(items: readonly T[]) =>
    options.containerOffsets ? withFileOffsets(source, items) : items;
  return {
    name: source.name,
    size: source.size,
    containers: (opened.containers ?? []).map(({ source: _, ...layer }) => layer),
    version: 3,
    configuration: stream.configuration && {
      machineType: stream.configuration.machineType,
      capabilities: stream.configuration.capabilities,
      targetPageBits: stream.configuration.targetPageBits,
      uuid: stream.configuration.uuid,
    },
    sender: opened.sender,
    pageSize: streamPageSize(opened),
    runState,
    footers: stream.footers,
    schema: schemaInfo(opened, fitting, misfits),
    sections: await located(sections),
    commands: await located(commandRecords(stream.records)),
    shares: byteShares(opened),
    diagnostics: diagnostics.list(),
  };
}

function withFileOffsets<T extends { readonly offset: number }>(
  source: FinishedSource,
  items: readonly T[],
): Promise<(T & { fileOffset: number | null })[]> {
  return Promise.all(
    items.map(async (item) => ({ ...item, fileOffset: (await locate(source, item.offset)).offset ?? null })),
  );
}

/** Adds what is at and below a node. (By `walk` this takes longer: it makes a step and a path for each node.) */
function addLeaves(node: LayoutNode, count: { leaves: number; gapBytes: number }): void {
  if (node.kind === 'leaf') count.leaves++;
  else if (node.kind === 'gap') count.gapBytes += rangeLength(node);
  else if (node.kind === 'array' && isUniform(node.elements)) {
    count.leaves += node.elements.count * leavesOf(node.elements.shape);
    for (const child of node.rest ?? []) addLeaves(child, count);
  } else for (const child of childrenOf(node)) addLeaves(child, count);
}

function leavesOf(shape: Shape): number {
  if (shape.kind === 'array') return shape.length * leavesOf(shape.element);
  if (shape.kind !== 'struct') return 1;
  return shape.members.reduce((leaves, member) => leaves + leavesOf(member.shape), 0);
}

function schemaInfo(
  opened: OpenedStream,
  fitting: number,
  misfits: readonly string[],
): SchemaInfo | undefined {
  const { schema, tables, stream } = opened;
  if (schema) {
    const size = stream.vmdescription ? rangeLength(stream.vmdescription.json) : 0;
    const sections = tables ? undescribedSections(opened).length : 0;
    const others =
      tables && sections > 0
        ? { sections, qemuVersion: tables.schema.qemuVersion, target: tables.schema.target }
        : undefined;
    return { origin: 'vmdesc', size, devices: schema.devices.length, others };
  }
  if (!tables) return undefined;
  const { origin, qemuVersion, target, vmsds, objects, machineTypes } = tables.schema;
  const fit = { vmsds: vmsds.length, fitting, misfits };
  return origin === 'streams'
    ? { origin, streams: objects.length, machineTypes, ...fit }
    : { origin: 'tables', qemuVersion, target, ...fit };
}

/** All command records, those inside packages included, in stream order. */
export function commandRecords(records: readonly StreamRecord[]): CommandInfo[] {
  return records.flatMap((record) => {
    if (record.kind !== 'command') return [];
    const { name, command, range, detail } = record;
    const info = {
      name: name ?? `unknown (${command})`,
      offset: range.start,
      size: rangeLength(range),
      detail: detail?.command === 'PACKAGED' ? { ...detail, records: [] } : detail,
    };
    return detail?.command === 'PACKAGED' ? [info, ...commandRecords(detail.records)] : [info];
  });
}

/** A share that is still being added to. */
interface GrowingShare {
  size: number;
  readonly parts: Map<string, GrowingShare>;
}

/**
 * Divides every byte of the stream by hierarchy: RAM by what the bytes are, devices by the parts of their idstr. The
 * sizes of the parts of each share add up to its own.
 */
function byteShares({ source, stream }: OpenedStream): Share {
  const root: GrowingShare = { size: 0, parts: new Map() };
  const add = (path: readonly string[], size: number) => {
    if (size === 0) return;
    let share = root;
    share.size += size;
    for (const name of path) {
      let part = share.parts.get(name);
      if (!part) {
        part = { size: 0, parts: new Map() };
        share.parts.set(name, part);
      }
      part.size += size;
      share = part;
    }
  };
  const addRecords = (records: readonly StreamRecord[]) => {
    for (const record of records) {
      const size = rangeLength(record.range);
      switch (record.kind) {
        case 'section':
          add(['framing', 'section headers and footers'], size - rangeLength(record.body));
          break;
        case 'command':
          if (record.detail?.command === 'PACKAGED') {
            add(['framing', 'commands'], size - rangeLength(record.detail.range));
            addRecords(record.detail.records);
          } else add(['framing', 'commands'], size);
          break;
        case 'vmdescription':
          add(['vmdesc'], size);
          break;
        case 'unscanned':
          add(['not scanned'], size);
          break;
        case 'gap':
          add(['unexplained'], size);
          break;
        case 'configuration':
          add(['configuration'], size);
          break;
        default:
          add(['framing', record.kind === 'eof' ? 'end of file' : 'header'], size);
      }
    }
  };
  addRecords(stream.records);
  for (const { idstr, instanceId, records, scanner } of stream.sections) {
    const size = totalLength(records.map(({ body }) => body));
    const summary = scanner?.summary();
    if (summary?.kind === 'ram') {
      let rest = size;
      for (const [kind, { bytes }] of Object.entries(summary.pages)) {
        add(['ram', `${kind} pages`], Math.min(bytes, rest));
        rest -= Math.min(bytes, rest);
      }
      const headers = Math.min(rest, summary.headerBytes + summary.blockListBytes);
      add(['ram', 'record headers and block list'], headers);
      add(['ram', 'unused (between mapped pages)'], rest - headers);
    } else {
      const group = scanner ? 'other iterative sections' : 'devices';
      add(
        [
          group,
          ...idstr
            .split('/')
            .map((part, i, all) =>
              i === all.length - 1 && instanceId > 0 ? `${part} (${instanceId})` : part,
            ),
        ],
        size,
      );
    }
  }
  add(['unexplained'], source.size - root.size);
  return finishShare(source.name, root);
}

function finishShare(name: string, { size, parts }: GrowingShare): Share {
  const finished = [...parts].map(([partName, part]) => finishShare(partName, part));
  return { name, size, parts: finished.sort((a, b) => b.size - a.size) };
}
