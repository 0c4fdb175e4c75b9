import { appendTo } from '../bytes/append-to.ts';
import { printable } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { placeOf } from './section.ts';
import { isOlder } from './version.ts';

const MAPPING = 'block-bitmap-mapping';
const QUOTES_NAMES = [6, 0] as const;

/**
 * migration/block-dirty-bitmap.c, dirty_bitmap_load_header: where the destination has no node of that name, it gives up
 * all bitmaps, says so, and loads the rest.
 */
export function checkDirtyBitmaps({ stream }: OpenedStream, destination: Destination): Finding[] {
  const section = stream.sections.find(({ idstr }) => idstr === 'dirty-bitmap');
  const summary = section?.scanner?.summary();
  if (!section || summary?.kind !== 'dirty-bitmap' || summary.bitmaps.length === 0) return [];
  const place = placeOf(section);
  const bitmaps = new Map<string, string[]>();
  for (const { node, name } of summary.bitmaps) appendTo(bitmaps, node, name);
  const names = [...bitmaps.keys()];
  const nodes = destination.facts?.blockNodes;
  const mapping = destination.parameters[MAPPING];
  const mapped = mapping === undefined ? undefined : nodesOfMapping(mapping);
  if (!nodes && !mapped) {
    const message = `whether the destination has the block nodes of the dirty bitmaps (${names.map(printable).join(', ')}) is not known: without, it loads the rest and drops the bitmaps. A profile made by vmwalk knows them`;
    return [{ ...place, rule: 'not-checked', severity: 'note', message }];
  }
  const node = (name: string) => (mapped ? mapped.get(name) : name);
  const missing = names.filter((name) => {
    const found = node(name);
    return found === undefined || (nodes !== undefined && !nodes.includes(found));
  });
  return missing.map((name) => {
    const target = node(name);
    const isAlias = mapped !== undefined && target === undefined;
    return {
      ...place,
      rule: 'dirty-bitmaps',
      severity: 'suspicious',
      message: `the destination has no block node ${printable(target ?? name)} for dirty bitmap ${(bitmaps.get(name) ?? []).map(printable).join(', ')}: it loads the rest, and all dirty bitmaps are lost`,
      says: isAlias
        ? `Error: Unknown node alias '${name}'`
        : missingNodeWords(mapped ? '' : name, target ?? name, destination),
      fix: `a disk with node-name=${printable(name)} at the destination, or the migration parameter ${MAPPING} at both sides`,
    };
  });
}

/** block.c, bdrv_lookup_bs. */
function missingNodeWords(device: string, node: string, { qemuVersion }: Destination): string {
  const isOld = qemuVersion !== undefined && isOlder(qemuVersion, QUOTES_NAMES);
  return isOld
    ? `Cannot find device=${device} nor node_name=${node}`
    : `Cannot find device='${device}' nor node-name='${node}'`;
}

/** Node names by their aliases, of a value in JSON as migrate-set-parameters takes it. */
function nodesOfMapping(json: string): ReadonlyMap<string, string> | undefined {
  let list: unknown;
  try {
    list = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  return new Map(
    list.flatMap((each: { readonly alias?: unknown; readonly 'node-name'?: unknown } | null) =>
      typeof each?.alias === 'string' && typeof each['node-name'] === 'string'
        ? [[each.alias, each['node-name']] as const]
        : [],
    ),
  );
}
