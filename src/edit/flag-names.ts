import type { PathComponent } from '../bytes/diagnostic.ts';
import { childNamed } from '../layout/children.ts';
import type { LayoutNode, LeafNode } from '../layout/node.ts';
import { layoutOf, type OpenedStream } from '../layout/open.ts';
import type { Section } from '../stream/stream.ts';
import { scalarTypes } from '../vmsd/scalars.ts';
import { withPatches } from './edited-stream.ts';
import { leafBytes } from './leaf-value.ts';

/**
 * The bytes of an integer whose bits have names, those with the names in `text` set and no others: names as `dump` shows
 * them, with commas or `|` between. Which bit has which name, the section tells itself: it is read once for each bit.
 * Undefined where a name is not known.
 */
export async function flagBytes(
  opened: OpenedStream,
  section: Section,
  path: readonly PathComponent[],
  { type, start }: LeafNode,
  text: string,
): Promise<Uint8Array | undefined> {
  const scalar = scalarTypes.get(type);
  const wanted = words(text);
  if (!scalar || type === 'bool' || wanted.size === 0) return undefined;
  const namesOf = async (value: bigint): Promise<ReadonlySet<string>> => {
    const patched = { ...opened, source: withPatches(opened.source, [{ start, bytes: bits(type, value) }]) };
    const { root } = await layoutOf({ ...patched, resolved: undefined }, section);
    let node: LayoutNode | undefined = root;
    for (const component of path) node = childNamed(node, component);
    return words((node?.kind === 'leaf' && node.meaning) || '');
  };
  const always = await namesOf(0n);
  let value = 0n;
  const found = new Set<string>();
  for (let bit = 0n; bit < BigInt(8 * scalar.size); bit++) {
    for (const name of await namesOf(1n << bit)) {
      if (always.has(name) || !wanted.has(name)) continue;
      value |= 1n << bit;
      found.add(name);
    }
  }
  if (found.size < wanted.size) return undefined;
  const names = await namesOf(value);
  return [...wanted].every((name) => names.has(name)) ? bits(type, value) : undefined;
}

function words(text: string): Set<string> {
  return new Set(
    text
      .split(/[,|]/)
      .map((word) => word.trim())
      .filter((word) => word !== ''),
  );
}

/** The bytes of an integer that has these bits, whatever its sign. */
function bits(type: string, value: bigint): Uint8Array {
  const { size, minimum } = scalarTypes.get(type)!;
  return leafBytes(type, String(minimum < 0n ? BigInt.asIntN(8 * size, value) : value));
}
