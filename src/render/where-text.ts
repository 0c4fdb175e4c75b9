import { formatPath, printable } from '../bytes/diagnostic.ts';
import { hexOffset, rangeLength } from '../bytes/range.ts';
import type { LayoutNode } from '../layout/node.ts';
import type { BytePlace, EnclosingVmsd, PlacedField, PlacedPage } from '../ops/where.ts';
import { sourceText } from '../schema/symbols.ts';
import type { StreamRecord } from '../stream/records.ts';
import { valueText } from './dump-text.ts';
import { formatSize } from './size.ts';
import { plainStyle, type Style } from './style.ts';

const INDENT = '  ';

/** What a byte is, from the record to the field, a line each. */
export function* byteText(
  { offset, records, part, field, page }: BytePlace,
  style: Style = plainStyle,
): Generator<string> {
  yield style.heading(hexOffset(offset));
  for (const [i, record] of records.entries()) {
    const isInnermost = i === records.length - 1;
    const where = isInnermost && part ? `, in its ${part}` : '';
    yield `${INDENT}${recordText(record)}${where}  ${style.faint(rangeText(record.range.start, record.range.end))}`;
  }
  if (records.length === 0) yield `${INDENT}in no record`;
  if (page) yield* pageText(page, offset, style);
  if (field) {
    yield* fieldText(field, style, offset);
  }
}

/** Where a field is, and what it is. */
export function* fieldText(
  field: PlacedField,
  style: Style = plainStyle,
  offset?: number,
): Generator<string> {
  const { node, vmsds } = field;
  const inside = offset === undefined || offset === node.start ? '' : `, byte ${offset - node.start} of it`;
  const indent = offset === undefined ? '' : INDENT;
  const name = nameText(field);
  const place = `${rangeText(node.start, node.end)}${inside}`;
  yield `${indent}${style.name(name)}  ${style.faint(`${printable(node.type)}, ${place}`)}`;
  const value = nodeText(node);
  if (value !== undefined) yield `${indent}${INDENT}${style.value(value)}`;
  if (vmsds.length > 0) yield `${indent}${INDENT}VMSD ${vmsds.map(vmsdText).join(' > ')}`;
}

function nameText({ section, instanceId, path }: PlacedField): string {
  const instance = instanceId === 0 ? '' : `@${instanceId}`;
  const inside = path.length === 0 ? '' : `/${formatPath(path)}`;
  return printable(`${section}${instance}${inside}`);
}

function nodeText(node: LayoutNode): string | undefined {
  if (node.kind === 'leaf') return valueText(node, false);
  if (node.kind === 'array') return `${node.length} elements`;
  if (node.kind === 'gap') return 'not decoded';
  return undefined;
}

function vmsdText({ name, versionId, symbol }: EnclosingVmsd): string {
  const remarks = [
    ...(versionId === undefined ? [] : [`version ${versionId}`]),
    ...(symbol ? [symbol.name, sourceText(symbol) ?? []].flat() : []),
  ];
  return printable(remarks.length === 0 ? name : `${name} (${remarks.join(', ')})`);
}

function* pageText(page: PlacedPage, offset: number, style: Style): Generator<string> {
  const { block, kind, pageSize, start } = page;
  const isPlain = kind === 'plain' || kind === 'mapped';
  const place = isPlain ? `, byte ${hexOffset(offset - start)} of it` : '';
  const begins = style.faint(
    `${isPlain ? 'content' : `encoded (${kind})`} from ${hexOffset(start)} on${place}`,
  );
  yield `${INDENT}page of ${printable(block)} at ${hexOffset(page.offset)}, ${formatSize(pageSize)}  ${begins}`;
  if (isPlain) yield `${INDENT}${INDENT}${printable(block)} byte ${hexOffset(page.offset + offset - start)}`;
}

function recordText(record: StreamRecord): string {
  switch (record.kind) {
    case 'section': {
      const { idstr, instanceId, id, type, versionId } = record;
      const instance = instanceId === 0 ? '' : `, instance ${instanceId}`;
      return `section ${printable(idstr)}${instance}, version ${versionId}, id ${id}, ${type}`;
    }
    case 'command':
      return `command ${record.name ?? record.command}`;
    case 'configuration':
      return `configuration of ${printable(record.machineType)}`;
    case 'vmdescription':
      return 'vmdesc';
    case 'gap':
      return 'nothing that is known';
    case 'unscanned':
      return 'RAM or the like, not scanned (--full-scan)';
    case 'header':
      return 'magic and version of the stream';
    case 'eof':
      return 'end of the records';
  }
}

function rangeText(start: number, end: number): string {
  return `${hexOffset(start)} to ${hexOffset(end)}, ${formatSize(rangeLength({ start, end }))}`;
}
