import { childrenOf } from '../layout/node.ts';
import type { Finding } from './finding.ts';
import type { ValueInput } from './values.ts';

const PREFIX = 'spapr/cap/';

/** hw/ppc/spapr_caps.c, spapr_caps_post_migration: a capability must not be higher than at the destination. */
export function checkSpaprCapability({ node, ownNode }: ValueInput): readonly Finding[] {
  if (typeof node.name !== 'string' || !node.name.startsWith(PREFIX)) return [];
  const value = level(node);
  const own = ownNode && level(ownNode);
  if (value === undefined || own === undefined || value <= own) return [];
  const name = node.name.slice(PREFIX.length);
  return [
    {
      rule: 'spapr-capability',
      severity: 'blocks',
      message: `capability ${name} is ${value}, and ${own} at the destination: it must not be higher than there`,
      says: `cap-${name} higher level (${value}) in incoming stream than on destination (${own})`,
      fix: `-machine cap-${name}=… the same at both sides`,
    },
  ];
}

function level(node: ValueInput['node']): number | undefined {
  for (const child of childrenOf(node))
    if (child.kind === 'leaf' && typeof child.value === 'number' && child.type !== 'subsection header')
      return child.value;
  return undefined;
}
