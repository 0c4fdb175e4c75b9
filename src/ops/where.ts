import type { Diagnostic, PathComponent } from '../bytes/diagnostic.ts';
import type { Range } from '../bytes/range.ts';
import { childrenOf, elementAt, isUniform, walk } from '../layout/children.ts';
import type { Layout, LayoutNode } from '../layout/node.ts';
import { configurationLayout, layoutOf, type OpenedStream } from '../layout/open.ts';
import type { SchemaTables } from '../layout/tables.ts';
import type { PageKind, PageSink, PageSource } from '../ram/page-sink.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import type { SourceSymbol } from '../schema/symbols.ts';
import type { SectionRecord, StreamRecord } from '../stream/records.ts';
import type { Selection } from './select.ts';
import { vmsdsOfNodes } from './vmsds-of-nodes.ts';

/** A VMSD around a field, and the version in which the stream has it. */
export interface EnclosingVmsd {
  readonly name: string;
  readonly versionId: number | undefined;
  /** The variable that it is in QEMU's source, where the tables know it. */
  readonly symbol?: SourceSymbol;
}

/** A part of a section, in the tree of its layout. */
export interface PlacedField {
  readonly section: string;
  readonly instanceId: number;
  readonly path: readonly PathComponent[];
  readonly node: LayoutNode;
  /** From the section's own to that of the field. */
  readonly vmsds: readonly EnclosingVmsd[];
}

/** A page of RAM, as it stands in the stream. */
export interface PlacedPage {
  readonly block: string;
  /** Of the page, in its block. */
  readonly offset: number;
  readonly pageSize: number;
  readonly kind: PageKind;
  /** Where it begins in the stream: its content, or what encodes it. */
  readonly start: number;
}

/** What a byte of a stream is. */
export interface BytePlace {
  /** Absolute in the stream. */
  readonly offset: number;
  /** The record that it is in, from the outermost (a package) to the innermost. */
  readonly records: readonly StreamRecord[];
  /** In a record of a section. */
  readonly part: 'header' | 'body' | 'footer' | undefined;
  /** The innermost field. */
  readonly field: PlacedField | undefined;
  readonly page: PlacedPage | undefined;
  /** Problems of the section that it is in. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Finds the page of RAM that bytes are in, while a stream is scanned: to be given to `openVm` as its sink. */
export class PageFinder implements PageSink {
  readonly needsContent = false;
  readonly #offsets: readonly number[];
  readonly #found = new Map<number, PlacedPage>();

  /** `offsets` are absolute in the main stream. */
  constructor(offsets: readonly number[]) {
    this.#offsets = offsets;
  }

  pages(
    block: RamBlock,
    offset: number,
    count: number,
    kind: PageKind,
    pageSize: number,
    value: number,
    { hasRecords }: PageSource,
  ): void {
    // Only the main stream has records, or pages at their places.
    if ((!hasRecords && kind !== 'mapped') || kind === 'zero' || kind === 'fill') return;
    const isEncoded = kind === 'xbzrle' || kind === 'compressed';
    const stride = pageSize + (kind === 'plain' ? RECORD_HEADER : 0);
    for (const wanted of this.#offsets) {
      if (wanted < value) continue;
      // Of what is encoded only the start is known: it is in the last one that begins before it.
      const index = isEncoded ? 0 : Math.floor((wanted - value) / stride);
      const start = value + index * stride;
      if (!isEncoded && (index >= count || wanted >= start + pageSize)) continue;
      const found = { block: block.idstr, offset: offset + index * pageSize, pageSize, kind, start };
      this.#found.set(wanted, found);
    }
  }

  /** The page that an offset is in, of those that were given. */
  at(offset: number): PlacedPage | undefined {
    return this.#found.get(offset);
  }
}

/** Bytes of the record header of a page that follows another. */
const RECORD_HEADER = 8;

/**
 * What the byte at an offset of a stream is; undefined where the stream has no such byte. `pages` is what the stream was
 * opened with as its sink; without it nothing is said of pages.
 */
export async function byteAt(
  opened: OpenedStream,
  offset: number,
  pages?: PageFinder,
): Promise<BytePlace | undefined> {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset >= opened.source.size) return undefined;
  const records = recordsAround(opened.stream.records, offset);
  const record = records.at(-1);
  const found = { offset, records, part: undefined, field: undefined, page: undefined, diagnostics: [] };
  if (record?.kind === 'configuration') {
    const layout = await configurationLayout(opened);
    return { ...found, ...(layout && fieldIn(layout, offset, opened.tables)) };
  }
  if (record?.kind !== 'section') return found;
  const part = partOf(record, offset);
  if (part !== 'body') return { ...found, part };
  const page = pages?.at(offset);
  if (page && isIn(record.body, page.start)) return { ...found, part, page };
  const section = opened.stream.sections.find((each) => each.records.includes(record));
  const layout = section && (await layoutOf(opened, section));
  return { ...found, part, ...(layout && fieldIn(layout, offset, opened.tables)) };
}

/** Is an offset in the records of RAM, so that a PageFinder could tell more of it? */
export function isInRam({ stream }: OpenedStream, offset: number): boolean {
  const record = recordsAround(stream.records, offset).at(-1);
  return record?.kind === 'unscanned' || (record?.kind === 'section' && record.idstr === 'ram');
}

/** Parts of sections that a selection picks, in the order of the stream: of each only the outermost. */
export async function* fieldsOf(opened: OpenedStream, selection: Selection): AsyncGenerator<PlacedField> {
  const { sections } = opened.stream;
  const configuration = await configurationLayout(opened);
  if (configuration) yield* picked(configuration, selection, opened.tables);
  for (const section of sections) yield* picked(await layoutOf(opened, section), selection, opened.tables);
}

/** Of the QEMU that wrote the stream, where they are known. */
type Tables = SchemaTables | undefined;

function* picked(layout: Layout, selection: Selection, tables: Tables): Generator<PlacedField> {
  const open: LayoutNode[] = [];
  let isPicked = false;
  for (const { node, path } of walk(layout.root, () => !isPicked)) {
    open.length = path.length;
    open.push(node);
    isPicked = selection.matches(layout, path);
    if (isPicked) yield placeOf(layout, [...path], open, tables);
  }
}

function recordsAround(records: readonly StreamRecord[], offset: number): StreamRecord[] {
  const record = records.find(({ range }) => isIn(range, offset));
  if (!record) return [];
  const detail = record.kind === 'command' ? record.detail : undefined;
  return [record, ...(detail?.command === 'PACKAGED' ? recordsAround(detail.records, offset) : [])];
}

function partOf({ body, footer }: SectionRecord, offset: number): 'header' | 'body' | 'footer' {
  if (offset < body.start) return 'header';
  return footer && isIn(footer, offset) ? 'footer' : 'body';
}

/** The innermost node that has a byte, and those around it. */
function fieldIn(layout: Layout, offset: number, tables: Tables): Pick<BytePlace, 'field' | 'diagnostics'> {
  const { diagnostics } = layout;
  if (!isIn(layout.root, offset)) return { field: undefined, diagnostics };
  const open: LayoutNode[] = [layout.root];
  for (let node = childAt(layout.root, offset); node; node = childAt(node, offset)) open.push(node);
  const path = open.slice(1).map(({ name }) => name);
  return { field: placeOf(layout, path, open, tables), diagnostics };
}

function childAt(node: LayoutNode, offset: number): LayoutNode | undefined {
  if (node.kind === 'array' && isUniform(node.elements)) {
    const { shape, start } = node.elements;
    const element = elementAt(node, Math.floor((offset - start) / shape.size));
    if (element) return element;
  }
  for (const child of childrenOf(node)) if (isIn(child, offset)) return child;
  return undefined;
}

function placeOf(
  { section, instanceId, versionId }: Layout,
  path: readonly PathComponent[],
  open: readonly LayoutNode[],
  tables: Tables,
): PlacedField {
  const descriptions = tables?.schema.symbols ? vmsdsOfNodes(tables, open) : [];
  const vmsds = open.flatMap((node, depth): EnclosingVmsd[] => {
    if (node.kind !== 'struct' || node.vmsdName === undefined) return [];
    const description = descriptions[depth];
    const symbol = description && tables?.variable(description);
    const version = depth === 0 ? (versionId ?? node.versionId) : node.versionId;
    return [{ name: node.vmsdName, versionId: version, ...(symbol ? { symbol } : {}) }];
  });
  return { section, instanceId, path, node: open.at(-1)!, vmsds };
}

function isIn({ start, end }: Range, offset: number): boolean {
  return offset >= start && offset < end;
}
