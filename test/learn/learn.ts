import { walk } from '../../src/layout/children.ts';
import type { LayoutNode } from '../../src/layout/node.ts';
import { layoutOf, type OpenedStream, openStream } from '../../src/layout/open.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { type LearnedSchema, learnSchema } from '../../src/ops/schema-learn.ts';
import { hexBytes } from '../../src/render/value.ts';
import { parseSchema } from '../../src/schema/parse-schema.ts';
import { serializeSchema } from '../../src/schema/serialize-schema.ts';
import { openFixture } from '../fixtures.ts';

/** Learns from fixtures; the schema went through its published form. */
export async function learnFrom(names: readonly string[]): Promise<LearnedSchema> {
  const streams: OpenedStream[] = [];
  for (const name of names) streams.push(await openStream(openFixture(name)));
  const { schema, diagnostics } = await learnSchema(streams);
  return { schema: parseSchema(serializeSchema(schema)), diagnostics };
}

/** Values by path, type and place; a field with a custom info is one value, whatever is inside. */
export function values(root: LayoutNode): string[] {
  const lines: string[] = [];
  let covered = -1;
  for (const { node, path } of walk(root)) {
    if (node.kind === 'array' || node.start < covered || node.start === node.end) continue;
    if (node.kind === 'struct' && !node.value) continue;
    if (node.kind === 'struct') covered = node.end;
    const value = node.value instanceof Uint8Array ? hexBytes(node.value) : String(node.value);
    lines.push(`${path.join('/')} ${node.type} ${node.start} ${node.end} ${value}`);
  }
  return lines;
}

/** A section read by a learned schema, beside what its vmdesc says. */
export interface Comparison {
  readonly section: string;
  readonly isSame: boolean;
  /** Nothing was guessed and nothing failed. */
  readonly isSure: boolean;
}

/** Reads sections of a fixture by a learned schema whose VMSDs the schema has. */
export async function compare({ schema }: LearnedSchema, name: string): Promise<Comparison[]> {
  const opened = await openStream(openFixture(name));
  const tables = new SchemaTables(schema);
  const seen = new Set(schema.vmsds.map((vmsd) => vmsd.name));
  const comparisons: Comparison[] = [];
  for (const section of opened.stream.sections) {
    if (section.scanner) continue;
    const truth = await layoutOf(opened, section);
    if (truth.root.vmsdName === undefined || !seen.has(truth.root.vmsdName)) continue;
    const found = await layoutOf({ ...opened, schema: undefined, tables }, section);
    const isSame = values(found.root).join('\n') === values(truth.root).join('\n');
    comparisons.push({ section: section.idstr, isSame, isSure: found.diagnostics.length === 0 });
  }
  return comparisons;
}
