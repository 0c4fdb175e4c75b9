import { formatDiagnostic, printable, type Severity } from '../bytes/diagnostic.ts';
import { hexOffset, totalLength } from '../bytes/range.ts';
import { uuidText } from '../bytes/uuid.ts';
import type { ContainerLayer } from '../containers/open.ts';
import type { QueueRings } from '../layout/open.ts';
import type { SchemaInfo, SectionInfo, Share, StreamInfo } from '../ops/info.ts';
import type { ChannelSummary } from '../ram/channels.ts';
import type { IterativeSummary } from '../ram/iterative.ts';
import { formatShare, formatSize } from './size.ts';
import { plainText, type Style, type TextOptions } from './style.ts';
import { formatTable } from './text-table.ts';

export type SectionOrder = 'stream' | 'size' | 'name' | 'id';

export interface InfoTextOptions extends TextOptions {
  readonly sort: SectionOrder;
  /** Levels of the shares that are shown. */
  readonly depth: number;
}

/** Shares below this part of the whole are summed up in one line. */
const SMALL_SHARE = 0.001;

/** What `info` prints, line by line. Sections are in stream order, and shares of two levels, without options. */
export function* infoText(info: StreamInfo, display: Partial<InfoTextOptions> = {}): Generator<string> {
  const options: InfoTextOptions = { ...plainText, sort: 'stream', depth: 2, ...display };
  const { style } = options;
  yield style.heading(`${printable(info.name)}  ${formatSize(info.size)}`);
  for (const [name, value] of facts(info)) yield `  ${style.name(name.padEnd(14))}${value}`;
  for (const section of info.sections) {
    if (section.summary) yield* summaryText(section, section.summary, style);
  }
  if (info.commands.length > 0) {
    yield '';
    yield style.heading('Commands');
    for (const command of info.commands) {
      const { name, size, detail } = command;
      yield `  ${offsetText(command).padEnd(10)}  ${name}  ${style.faint(commandText(size, detail))}`.trimEnd();
    }
  }
  yield '';
  yield style.heading(`Sections (${info.sections.length})`);
  yield* indented(sectionTable(sortSections(info.sections, options.sort)));
  yield '';
  yield style.heading('Bytes');
  yield* shareText(info.shares, info.size, options.depth, '  ');
  yield '';
  const worst = info.diagnostics.some(({ severity }) => severity !== 'note');
  yield style.heading(info.diagnostics.length === 0 ? 'Problems: none' : worst ? 'Problems' : 'Notes');
  for (const diagnostic of info.diagnostics) {
    yield `  ${severityText(diagnostic.severity, style)} ${formatDiagnostic(diagnostic)}`;
  }
}

/** `error:` and the like, in their colour. */
export function severityText(severity: Severity, style: Style): string {
  if (severity === 'error') return style.error('error:');
  return severity === 'warning' ? style.warning('warning:') : style.faint('note:');
}

function facts(info: StreamInfo): [string, string][] {
  const { configuration, sender, pageSize, schema } = info;
  const rows: [string, string][] = info.containers.map((layer) => ['container', containerText(layer)]);
  rows.push(['stream', `QEMU migration stream, version ${info.version}`]);
  const machineType = (configuration ?? sender?.configuration)?.machineType;
  rows.push(['machine type', machineType === undefined ? 'not sent' : printable(machineType)]);
  if (sender) {
    const bytes = sender.ramBlocks.reduce((sum, { length }) => sum + length, 0);
    rows.push(['ram', `not captured: ${sender.ramBlocks.length} blocks, ${formatSize(bytes)}`]);
    if (sender.rings) rows.push(['rings', ringsText(sender.rings)]);
    if (sender.redacted)
      rows.push(['redacted', `${formatSize(totalLength(sender.redacted))}, which are zeros`]);
  }
  if (configuration?.capabilities) {
    const names = configuration.capabilities.map(printable).join(', ');
    rows.push(['capabilities', names === '' ? 'none' : names]);
  }
  if (configuration?.uuid) rows.push(['uuid', uuidText(configuration.uuid)]);
  rows.push(['page size', pageSize ? `${pageSize.bytes} (${pageSizeOrigin[pageSize.origin]})` : 'not known']);
  rows.push(['run state', info.runState === undefined ? 'not sent' : printable(info.runState)]);
  rows.push(['schema', schemaText(schema)]);
  if (info.footers === false) rows.push(['footers', 'none: a machine type before 2.4']);
  const problems = problemCount(info.diagnostics);
  if (problems !== '') rows.push(['problems', `${problems}, listed at the end`]);
  return rows;
}

function ringsText(rings: readonly QueueRings[]): string {
  const unread = rings.filter(({ indexes }) => typeof indexes === 'string').length;
  return `of ${rings.length} virtqueue${rings.length === 1 ? '' : 's'}${unread > 0 ? `, ${unread} not read` : ''}`;
}

/** `2 errors, 1 warning`; empty where there is neither. */
function problemCount(diagnostics: StreamInfo['diagnostics']): string {
  const counts = (['error', 'warning'] as const).map((severity) => {
    const count = diagnostics
      .filter((diagnostic) => diagnostic.severity === severity)
      .reduce((sum, { more = 0 }) => sum + 1 + more, 0);
    return count === 0 ? [] : `${count} ${severity}${count === 1 ? '' : 's'}`;
  });
  return counts.flat().join(', ');
}

/** Misfits that are named. */
const MAX_MISFITS = 8;

function fitText({
  fitting,
  misfits,
}: {
  readonly fitting: number;
  readonly misfits: readonly string[];
}): string {
  const sections = fitting + misfits.length;
  if (misfits.length === 0) return `all ${sections} sections fit`;
  const named = misfits.slice(0, MAX_MISFITS).map(printable).join(', ');
  const more = misfits.length > MAX_MISFITS ? ` and ${misfits.length - MAX_MISFITS} more` : '';
  return `${fitting} of ${sections} sections fit; not ${named}${more}`;
}

/** `libvirt save image: domain vm, state paused, …` */
function containerText({ kind, details }: Pick<ContainerLayer, 'kind' | 'details'>): string {
  const parts = Object.entries(details).map(([name, value]) => {
    const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    return `${words} ${printable(String(value))}`;
  });
  return parts.length > 0 ? `${kind}: ${parts.join(', ')}` : kind;
}

function schemaText(schema: StreamInfo['schema']): string {
  switch (schema?.origin) {
    case 'vmdesc':
      return `vmdesc of the stream: ${schema.devices} devices, ${formatSize(schema.size)}${othersText(schema.others)}`;
    case 'tables':
      return `tables of QEMU ${schema.qemuVersion ?? '?'}, ${schema.target ?? '?'}: ${fitText(schema)}`;
    case 'streams':
      return `learned from ${schema.streams} stream${schema.streams === 1 ? '' : 's'} of ${schema.machineTypes.map(printable).join(', ')}: ${fitText(schema)}`;
    case undefined:
      return 'none';
  }
}

function othersText(others: (SchemaInfo & { origin: 'vmdesc' })['others']): string {
  if (!others) return '';
  const { sections, qemuVersion = '?', target = '?' } = others;
  return `; ${sections} section${sections === 1 ? '' : 's'} by tables of QEMU ${qemuVersion}, ${target}`;
}

const pageSizeOrigin = {
  vmdesc: 'from the vmdesc',
  configuration: 'from the configuration',
  found: 'found by trial',
  target: 'of the target',
} as const;

function* indented(lines: Iterable<string>): Generator<string> {
  for (const line of lines) yield `  ${line}`;
}

function sortSections(sections: readonly SectionInfo[], order: SectionOrder): readonly SectionInfo[] {
  const compare: Record<SectionOrder, (a: SectionInfo, b: SectionInfo) => number> = {
    stream: () => 0,
    size: (a, b) => b.size - a.size,
    name: (a, b) => (a.idstr < b.idstr ? -1 : a.idstr > b.idstr ? 1 : a.instanceId - b.instanceId),
    id: (a, b) => a.id - b.id,
  };
  return [...sections].sort(compare[order]);
}

function sectionTable(sections: readonly SectionInfo[]): string[] {
  return formatTable(
    [
      { title: 'id', align: 'right' },
      { title: 'instance', align: 'right' },
      { title: 'version', align: 'right' },
      { title: sections.some(isLocated) ? 'offset in file' : 'offset', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'leaves', align: 'right' },
      { title: 'gaps', align: 'right' },
      { title: 'section', align: 'left' },
    ],
    sections.map((section) => [
      String(section.id),
      String(section.instanceId),
      String(section.versionId),
      offsetText(section),
      String(section.size),
      section.summary ? '' : String(section.leaves),
      section.gapBytes === 0 ? '' : String(section.gapBytes),
      `${printable(section.idstr)}${section.records > 1 ? ` (${section.records} records)` : ''}`,
    ]),
  );
}

function isLocated({ fileOffset }: { readonly fileOffset?: number | null }): boolean {
  return fileOffset !== undefined;
}

/** In the file, where that was asked for; `-` for what is not stored there as such. */
function offsetText({ offset, fileOffset }: { offset: number; fileOffset?: number | null }): string {
  if (fileOffset === null) return '-';
  return hexOffset(fileOffset ?? offset);
}

function* shareText(share: Share, whole: number, depth: number, indent: string): Generator<string> {
  let small = 0;
  for (const part of share.parts) {
    if (part.size < whole * SMALL_SHARE && part.parts.length === 0) {
      small += part.size;
      continue;
    }
    yield `${indent}${shareColumns(part.size, whole)}${printable(part.name)}`;
    if (depth > 1) yield* shareText(part, whole, depth - 1, `${indent}  `);
  }
  if (small > 0) yield `${indent}${shareColumns(small, whole)}(others)`;
}

function shareColumns(size: number, whole: number): string {
  return `${formatShare(size, whole).padStart(6)}  ${formatSize(size).padStart(10)}  `;
}

function commandText(size: number, detail: StreamInfo['commands'][number]['detail']): string {
  switch (detail?.command) {
    case 'PING':
      return `value ${detail.value}`;
    case 'POSTCOPY_ADVISE':
      return `page sizes 0x${detail.pageSizeSummary.toString(16)}, target page size ${detail.targetPageSize}`;
    case 'POSTCOPY_RAM_DISCARD':
      return `${printable(detail.block)}, ${detail.ranges.length} ranges`;
    case 'PACKAGED':
      return `package of ${formatSize(size)}`;
    case 'RECV_BITMAP':
      return printable(detail.block);
    default:
      return '';
  }
}

function* summaryText(section: SectionInfo, summary: IterativeSummary, style: Style): Generator<string> {
  yield '';
  if (summary.kind !== 'ram') {
    yield style.heading(printable(section.idstr));
    for (const [name, value] of Object.entries(summary)) {
      if (name !== 'kind' && value !== undefined)
        yield `  ${style.name(name.padEnd(14))}${summaryValue(value)}`;
    }
    return;
  }
  const kinds = Object.entries(summary.pages).filter(([, { pages }]) => pages > 0);
  yield style.heading(
    `RAM  ${formatSize(summary.totalLength)} in ${summary.blocks.length} blocks, ${section.records} records`,
  );
  yield* indented(
    formatTable(
      [
        { title: 'block', align: 'left' },
        { title: 'size', align: 'right' },
        ...kinds.map(([kind]) => ({ title: `${kind} pages`, align: 'right' as const })),
      ],
      summary.blocks.map((block) => [
        printable(block.idstr),
        formatSize(block.length),
        ...kinds.map(([kind]) => String(block.pages[kind as keyof typeof block.pages].pages)),
      ]),
    ),
  );
  if (kinds.length === 0)
    yield summary.channels ? '  no pages in the main stream' : '  no pages in this stream';
  for (const [kind, { pages, bytes }] of kinds) {
    yield `  ${style.name(`${kind} pages`.padEnd(18))}${pages} in ${formatSize(bytes)}`;
  }
  if (summary.channels) yield* channelText(summary.channels, style);
  if (summary.multifdFlush > 0) yield `  ${style.name('multifd flushes'.padEnd(18))}${summary.multifdFlush}`;
}

function* channelText(channels: readonly ChannelSummary[], style: Style): Generator<string> {
  for (const channel of channels) {
    const name = printable(channel.name);
    if (channel.kind === 'preempt') {
      yield `  ${style.name('preempt channel'.padEnd(18))}${channel.pages} pages in ${formatSize(channel.size)}  ${name}`;
      continue;
    }
    const { id, normalPages, zeroPages, payloadBytes, encoding, syncs, size } = channel;
    const how = encoding === undefined || encoding === 'none' ? '' : ` (${encoding})`;
    yield `  ${style.name(`channel ${id}`.padEnd(18))}${normalPages} pages in ${formatSize(payloadBytes)}${how}, ${zeroPages} zero pages, ${syncs} syncs, ${formatSize(size)}  ${name}`;
    for (const { idstr, instanceId, packets, bytes } of channel.deviceStates) {
      yield `  ${''.padEnd(18)}state of ${printable(idstr)}${instanceId > 0 ? ` (${instanceId})` : ''}: ${formatSize(bytes)} in ${packets} packets`;
    }
  }
}

function summaryValue(value: unknown): string {
  if (typeof value === 'object' && value !== null) return printable(JSON.stringify(value, bigintAsText));
  return printable(String(value));
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
