import { walk } from '../../src/layout/children.ts';
import { knowledgeOf, type LayoutNode } from '../../src/layout/node.ts';
import { hexBytes } from '../../src/render/value.ts';

/** What a node says, but for the names of what it is in. */
function statement(node: LayoutNode): string {
  const { kind, name, type, start, end } = node;
  const place = `${kind} ${name} ${type} ${start} ${end}`;
  if (node.kind === 'array') return `${place} ${node.length}`;
  const value = node.kind === 'struct' && node.vmsdName !== undefined ? node.vmsdName : node.value;
  return `${place} ${value instanceof Uint8Array ? hexBytes(value) : value}`;
}

/** Nodes that are said to be exact, and that are not as the vmdesc has them. */
export function wronglyExact(found: LayoutNode, truth: LayoutNode): string[] {
  const right = new Set([...walk(truth)].map(({ node }) => statement(node)));
  return [...walk(found)]
    .filter(({ node }) => knowledgeOf(node) === 'exact' && !right.has(statement(node)))
    .map(({ node, path }) => `${path.join('/')}: ${statement(node)}`);
}
