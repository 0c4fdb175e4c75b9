import { DecodeError, type Diagnostic } from '../../src/bytes/diagnostic.ts';
import type { Range } from '../../src/bytes/range.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { walk } from '../../src/layout/children.ts';
import type { Layout } from '../../src/layout/node.ts';
import { layouts, type OpenedStream, type OpenOptions, openStream } from '../../src/layout/open.ts';
import { hexBytes } from '../../src/render/value.ts';
import type { StreamRecord } from '../../src/stream/records.ts';

export interface Decoded {
  readonly opened: OpenedStream;
  readonly size: number;
  readonly sections: readonly DecodedSection[];
  readonly diagnostics: readonly Diagnostic[];
}

export interface DecodedSection {
  readonly layout: Layout;
  /** Where its bytes are: one range, more for an iterative section. */
  readonly bodies: readonly Range[];
  /** Idstr, instance id and offset: the same section in a stream with other damage has the same. */
  readonly key: string;
}

/** Decodes all of a stream. Undefined where it is no stream at all, which is all that may be thrown. */
export async function decode(bytes: Uint8Array, options?: OpenOptions): Promise<Decoded | undefined> {
  let opened: OpenedStream;
  try {
    opened = await openStream(memorySource(bytes), options);
  } catch (error) {
    if (error instanceof DecodeError && error.code === 'not-a-stream') return undefined;
    throw error;
  }
  const { configuration, sections: framed } = opened.stream;
  const bodies = [
    ...(configuration ? [[configuration.body]] : []),
    ...framed.map(({ records, unscanned }) => [
      ...records.map(({ body }) => body),
      ...(unscanned ? [unscanned] : []),
    ]),
  ];
  const sections: DecodedSection[] = [];
  for await (const layout of layouts(opened)) {
    const ranges = bodies[sections.length] ?? [];
    const key = `${layout.section}/${layout.instanceId}@${ranges[0]?.start}`;
    sections.push({ layout, bodies: ranges, key });
  }
  const diagnostics = [...opened.diagnostics, ...sections.flatMap(({ layout }) => layout.diagnostics)];
  return { opened, size: bytes.length, sections, diagnostics };
}

/** What is wrong with a result, whatever the bytes were: every byte must be in one record, and in one leaf or gap. */
export function violations({ opened, size, sections, diagnostics }: Decoded): string[] {
  const problems = tile('records', { start: 0, end: size }, opened.stream.records.map(range));
  problems.push(...packageViolations(opened.stream.records));
  if (sections.length !== opened.stream.sections.length + (opened.stream.configuration ? 1 : 0))
    problems.push(`${sections.length} layouts of ${opened.stream.sections.length} sections`);
  for (const { layout, bodies, key } of sections) problems.push(...layoutViolations(key, layout, bodies));
  for (const { message, range: at } of diagnostics) {
    if (/\p{C}/u.test(message))
      problems.push(`a message that is no line of text: ${JSON.stringify(message)}`);
    if (at && !(at.start >= 0 && at.start <= at.end && at.start <= size))
      problems.push(`${message}: range ${at.start}-${at.end}`);
  }
  return problems;
}

function range(record: StreamRecord): Range {
  return record.range;
}

function packageViolations(records: readonly StreamRecord[]): string[] {
  return records.flatMap((record) => {
    if (record.kind !== 'command' || record.detail?.command !== 'PACKAGED') return [];
    return tile('package', record.detail.range, record.detail.records.map(range));
  });
}

function layoutViolations(key: string, { root }: Layout, bodies: readonly Range[]): string[] {
  const parts: Range[] = [];
  for (const { node } of walk(root)) {
    if (node.kind === 'leaf' || node.kind === 'gap') parts.push(node);
  }
  if (bodies.length > 1) {
    const same = parts.length === bodies.length && parts.every((part, i) => sameRange(part, bodies[i]!));
    return same ? [] : [`${key}: leaves are not the bodies of its records`];
  }
  return tile(key, bodies[0] ?? { start: 0, end: 0 }, parts);
}

function sameRange(a: Range, b: Range): boolean {
  return a.start === b.start && a.end === b.end;
}

/** Do the parts lie one behind the other and fill the whole? */
function tile(what: string, whole: Range, parts: readonly Range[]): string[] {
  let { start: at } = whole;
  for (const { start, end } of parts) {
    if (start !== at || end < start) return [`${what}: ${start}-${end} where ${at} is due`];
    at = end;
  }
  return at === whole.end ? [] : [`${what}: ${at} is the end, ${whole.end} should be`];
}

/** The leaves and gaps of each section with places and values as text, by key. */
export function contents({ sections }: Decoded): Map<string, string> {
  return new Map(sections.map(({ key, layout }) => [key, contentOf(layout)]));
}

function contentOf({ root }: Layout): string {
  const lines: string[] = [];
  for (const { node, path } of walk(root)) {
    if (node.kind !== 'leaf' && node.kind !== 'gap') continue;
    const { value } = node;
    const text = value instanceof Uint8Array ? hexBytes(value) : value;
    lines.push(`${path.join('/')} ${node.kind} ${node.type} ${node.start}-${node.end} ${text}`);
  }
  return lines.join('\n');
}

export function hasError({ diagnostics }: Decoded): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}
