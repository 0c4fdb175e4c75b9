import type { FinishedSource } from '../../src/bytes/source.ts';
import { layouts, openStream } from '../../src/layout/open.ts';
import { selectNodes } from '../../src/ops/select.ts';
import { ndjsonLine } from '../../src/render/ndjson.ts';
import type { ExpectedSection, Line } from './blob-reader.ts';

/** The lines of `dump --ndjson`, section by section; the first line of each is the section itself. */
export async function dumpLines(source: FinishedSource): Promise<Line[][]> {
  const sections: Line[][] = [];
  for await (const layout of layouts(await openStream(source))) {
    const lines: Line[] = [];
    for (const { node, path } of selectNodes(layout, undefined)) {
      lines.push(JSON.parse([...ndjsonLine(layout, node, path)].join('')));
    }
    sections.push(lines);
  }
  return sections;
}

export interface Comparison {
  readonly problems: readonly string[];
  /** Of what was compared. */
  readonly sections: number;
  readonly leaves: number;
  readonly lines: number;
  readonly misdescribed: number;
}

/** Compares what is printed with what QEMU's description says, both ways. */
export function compareSections(
  expected: readonly ExpectedSection[],
  printed: readonly (readonly Line[])[],
): Comparison {
  const problems: string[] = [];
  const byOffset = new Map(printed.map((lines) => [`${lines[0]!.section}@${lines[0]!.offset}`, lines]));
  let leaves = 0;
  let count = 0;
  let misdescribed = 0;
  for (const section of expected) {
    const key = `${section.idstr}@${section.start}`;
    const lines = byOffset.get(key);
    byOffset.delete(key);
    if (!lines) problems.push(`${key} is not printed`);
    else if (section.misdescribed) {
      misdescribed++;
      problems.push(...checkMisdescribed(section, lines));
    } else problems.push(...compareLines(section.lines, lines));
    leaves += section.lines.filter(({ kind }) => kind === 'leaf').length;
    count += section.lines.length;
  }
  for (const lines of printed) problems.push(...checkTiling(lines));
  // What QEMU does not describe: records of iterative sections, and a configuration before 8.1 or so.
  for (const [key, lines] of byOffset) {
    const unread = lines.every(({ kind, value }) => kind !== 'leaf' || value === null);
    if (!unread && lines[0]!.section !== 'configuration')
      problems.push(`${key} is printed, but not described`);
  }
  return { problems, sections: expected.length - misdescribed, leaves, lines: count, misdescribed };
}

function compareLines(expected: readonly Line[], printed: readonly Line[]): string[] {
  const problems: string[] = [];
  let at = 0;
  for (const line of expected) {
    const found = printed[at++];
    if (found && isSame(found, line)) continue;
    if (line.kind === 'leaf' && found?.kind === 'struct' && isSame(asLeaf(found), line)) {
      // A custom info that was opened up: what is inside has longer paths.
      while ((printed[at]?.path.length ?? 0) > line.path.length) at++;
      continue;
    }
    problems.push(`printed ${JSON.stringify(found)?.slice(0, 300)}, expected ${JSON.stringify(line)}`);
    return problems;
  }
  if (at < printed.length) problems.push(`printed ${JSON.stringify(printed[at])} behind the last`);
  return problems;
}

/** Are all members that are in the contract the same? Others may be added to it. */
function isSame(a: Line, b: Line): boolean {
  return (
    a.kind === b.kind &&
    a.type === b.type &&
    a.offset === b.offset &&
    a.size === b.size &&
    a.value === b.value &&
    a.vmsd === b.vmsd &&
    a.version === b.version &&
    a.length === b.length &&
    a.section === b.section &&
    a.instance === b.instance &&
    a.path.length === b.path.length &&
    a.path.every((component, i) => component === b.path[i])
  );
}

function asLeaf(line: Line): Line {
  const { vmsd: _, version: __, ...rest } = line;
  return { ...rest, kind: 'leaf' };
}

/** Leaves and gaps of a section lie one behind the other from its first byte to its last. */
function checkTiling(lines: readonly Line[]): string[] {
  const root = lines[0]!;
  let end = root.offset;
  for (const line of lines) {
    if (line.kind !== 'leaf' && line.kind !== 'gap') continue;
    // Between the records of an iterative section are those of others.
    if (line.value === null ? line.offset < end : line.offset !== end)
      return [`${root.section}: ${JSON.stringify(line.path)} begins at ${line.offset}, expected ${end}`];
    end = line.offset + line.size;
  }
  return end === root.offset + root.size ? [] : [`${root.section}: its lines end at ${end}`];
}

function checkMisdescribed(section: ExpectedSection, lines: readonly Line[]): string[] {
  const [root] = lines;
  const problems: string[] = [];
  if (root!.offset + root!.size !== section.end) problems.push(`${section.idstr} ends elsewhere`);
  for (const line of lines) {
    const isElement = typeof line.path.at(-1) === 'number' && line.path.length === 2;
    if (!isElement) continue;
    const isNull = line.kind === 'leaf' && line.type === 'nullptr' && line.value === '30';
    if (!isNull && line.kind !== 'struct') problems.push(`element ${JSON.stringify(line)}`);
  }
  return problems;
}
