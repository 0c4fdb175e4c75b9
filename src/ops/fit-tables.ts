import { appendTo } from '../bytes/append-to.ts';
import { rangeLength } from '../bytes/range.ts';
import type { Layout } from '../layout/node.ts';
import { layoutOf, type OpenedStream } from '../layout/open.ts';
import type { SchemaTables } from '../layout/tables.ts';
import { deviceKey } from '../schema/schema.ts';
import { deviceEntries } from '../schema/vmdesc.ts';
import type { Section } from '../stream/stream.ts';
import { deviceEntry, vmdescForm } from './write-vmdesc.ts';

/** Bytes of device state, and sections, whose layouts are kept; most streams have less. */
const MAX_KEPT_BYTES = 1 << 20;
const MAX_KEPT = 1000;
/** Sections that are read; VMs with more have many of a kind. */
const MAX_SECTIONS = 4000;

/** How well VMSD tables fit the device state of a stream. */
export interface TablesFit {
  /** Sections of device state that were read: the first of a stream that has very many. */
  readonly sections: number;
  /** Those that the tables explain to the last byte. */
  readonly fitting: number;
  /** The same, with one that is cut off if they explain all that there is of it. */
  readonly explained: number;
  /** Those of which the stream's own description says the same; none where it does not describe itself. */
  readonly alike: number;
  /** What the tables make of the first sections, so that the common stream need not be resolved twice. */
  readonly layouts: ReadonlyMap<Section, Layout>;
}

/** Sections whose name and version the tables have: quick, and the most that can fit. */
export function possibleFit({ stream }: OpenedStream, tables: SchemaTables): number {
  let possible = 0;
  for (const { idstr, versionId, scanner } of stream.sections) {
    if (
      !scanner &&
      tables.candidates(idstr, versionId, stream.sections).some(({ vmsd }) => vmsd.versionId === versionId)
    )
      possible++;
  }
  return possible;
}

/** Was the section read to its last byte, as a QEMU of the version of the tables would have written it? */
export function isExplained({ root, diagnostics }: Pick<Layout, 'root' | 'diagnostics'>): boolean {
  return (
    root.vmsdName !== undefined &&
    !diagnostics.some(({ code, severity }) => severity === 'error' || code === 'schema-mismatch')
  );
}

/** Is it the cut, and nothing else, that keeps a section from being read to its last byte? */
function isExplainedToCut({ root, diagnostics }: Layout): boolean {
  const isCut = diagnostics.some(({ code }) => code === 'truncated');
  const others = diagnostics.filter(({ code }) => code !== 'truncated');
  return isCut && isExplained({ root, diagnostics: others });
}

/** Reads the sections by the tables. Undefined once less than `least` of them can still fit. */
export async function fitTables(
  opened: OpenedStream,
  tables: SchemaTables,
  described: DescribedDevices,
  least = 0,
): Promise<TablesFit | undefined> {
  const all = Math.min(opened.stream.sections.filter(({ scanner }) => !scanner).length, MAX_SECTIONS);
  let sections = 0;
  let fitting = 0;
  let explained = 0;
  let alike = 0;
  const form = vmdescForm(tables.schema.qemuVersion);
  let kept = 0;
  const layouts = new Map<Section, Layout>();
  for (const section of opened.stream.sections) {
    if (section.scanner) continue;
    if (sections === MAX_SECTIONS) break;
    sections++;
    const layout = await layoutOf({ ...opened, schema: undefined, tables, resolved: undefined }, section);
    kept += rangeLength(layout.root);
    if (kept <= MAX_KEPT_BYTES && layouts.size < MAX_KEPT) layouts.set(section, layout);
    if (isExplained(layout)) fitting++;
    if (isExplained(layout) || isExplainedToCut(layout)) explained++;
    if (fitting + all - sections < least) return undefined;
    const device = described.get(deviceKey(section))?.[section.occurrence];
    if (device !== undefined && device === JSON.stringify(deviceEntry(layout, form)[0])) alike++;
  }
  return { sections, fitting, explained, alike, layouts };
}

/** The entries of a stream's own vmdesc as text, by the devices that they are about; none where it has none. */
export type DescribedDevices = ReadonlyMap<string, readonly string[]>;

export function describedDevices({ vmdesc }: OpenedStream): DescribedDevices {
  const described = new Map<string, string[]>();
  for (const device of vmdesc ? deviceEntries(vmdesc) : [])
    appendTo(described, deviceKey(device), JSON.stringify(device.entry));
  return described;
}
