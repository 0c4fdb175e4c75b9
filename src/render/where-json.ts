import type { BytePlace, EnclosingVmsd, PlacedField } from '../ops/where.ts';
import { toJson } from './json.ts';
import { ndjsonLine } from './ndjson.ts';

/** What `where --json` says of a byte. */
export function byteJson({ offset, records, part, field, page }: BytePlace): string {
  const around = records.map((record) => {
    const { start, end } = record.range;
    if (record.kind !== 'section') return { kind: record.kind, start, end };
    const { type, id, idstr: section, instanceId: instance, versionId: version } = record;
    return { kind: record.kind, type, id, section, instance, version, start, end };
  });
  const head = toJson({ offset, records: around, part, page }).slice(0, -2);
  return field ? `${head},\n  "field": ${fieldJson(field)}\n}` : `${head}\n}`;
}

/** A field as `dump --ndjson` writes it, and the VMSDs around it. */
export function fieldJson({ vmsds, path, node, ...layout }: PlacedField): string {
  const line = [...ndjsonLine(layout, node, path)].join('').trimEnd().slice(0, -1);
  return `${line},"vmsds":${toJson(vmsds.map(vmsdJson))}}`;
}

function vmsdJson({ name, versionId: version, symbol }: EnclosingVmsd) {
  if (!symbol) return { name, version };
  const { name: variable, file, line } = symbol;
  return { name, version, variable, file, line };
}
