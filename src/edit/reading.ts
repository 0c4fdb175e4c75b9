import {
  type DecodeError,
  editRefused,
  formatPath,
  type PathComponent,
  printable,
} from '../bytes/diagnostic.ts';
import type { Layout, LayoutNode } from '../layout/node.ts';
import { layoutOf, type OpenedStream } from '../layout/open.ts';
import type { SchemaTables } from '../layout/tables.ts';
import type { Section } from '../stream/stream.ts';
import { formDifference } from './same-form.ts';

/** `section/path`, for a message. */
export function placeText(
  { section, instanceId }: Pick<Layout, 'section' | 'instanceId'>,
  path: readonly PathComponent[],
): string {
  const name = instanceId === 0 ? section : `${section}@${instanceId}`;
  return printable(path.length === 0 ? name : `${name}/${formatPath(path)}`);
}

/**
 * The tables that read a section as it was read, be it by a vmdesc: of the QEMU that wrote the stream, or of one like it.
 * Undefined where there are none.
 */
export async function tablesOfSection(
  opened: OpenedStream,
  section: Section,
  layout: Layout,
): Promise<SchemaTables | undefined> {
  for (const tables of tablesAtHand(opened)) {
    const read = await readByTables(opened, section, tables);
    if (read && !formDifference(layout.root, read.root)) return tables;
  }
  return undefined;
}

/** Tables of the QEMU that wrote a stream, where it is known, or of those that may have. */
export function tablesAtHand({ tables, infoTables }: OpenedStream): Iterable<SchemaTables> {
  return tables ? [tables] : (infoTables ?? []);
}

/** The layout of a section by tables alone; undefined where they do not fit. */
export async function readByTables(
  opened: OpenedStream,
  section: Section,
  tables: SchemaTables,
): Promise<Layout | undefined> {
  const closed = { ...opened, schema: undefined, resolved: undefined, infoTables: undefined, tables };
  const layout = await layoutOf(closed, section);
  return layout.diagnostics.some(({ severity }) => severity === 'error') ? undefined : layout;
}

/** Throws DecodeError `edit-refused` where what was written would be read as something else. */
export function checkReading(
  place: string,
  wanted: LayoutNode,
  read: LayoutNode | undefined,
  how: string,
): void {
  const difference = read ? formDifference(wanted, read) : [];
  if (difference) throw misread(place, difference, how);
}

function misread(place: string, difference: readonly PathComponent[], how: string): DecodeError {
  const where = difference.length > 0 ? ` from ${printable(formatPath(difference))} on` : '';
  return editRefused(
    `${place}: what would be written is read as something else${where} ${how}: a count, a version or a switch does not agree with what follows it`,
  );
}
