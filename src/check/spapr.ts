import { childrenOf } from '../layout/children.ts';
import type { LayoutNode, StructNode } from '../layout/node.ts';
import type { Finding } from './finding.ts';
import type { SectionValues } from './value-input.ts';

const PREFIX = 'spapr/cap/';

/** The highest level of a capability (hw/ppc/spapr_caps.c, capability_table); 1 where it is on or off. */
const HIGHEST: Readonly<Record<string, number>> = { cfpc: 2, sbbc: 2, ibs: 4 };
/** log2 of the page size: 64 KiB is the default. */
const HPT_MAX_PAGE_SIZE = 'hpt_maxpagesize';
const DEFAULT_HPT_MAX_PAGE_SIZE = 16;
/** Subsections that are not called as the machine's property is, with `_` for `-`. */
const PROPERTIES: Readonly<Record<string, string>> = {
  [HPT_MAX_PAGE_SIZE]: 'hpt-max-page-size',
  nested_kvm_hv: 'nested-hv',
};

/**
 * hw/ppc/spapr_caps.c, spapr_caps_post_migration: a capability must not be higher than at the destination. One that has
 * the default of the machine type is not sent; of that it is only known that it differs from the other side's.
 */
export function checkSpaprCapabilities({ section, root, own }: SectionValues): Finding[] {
  if (section.idstr !== 'spapr') return [];
  const sent = capabilities(root);
  const local = capabilities(own);
  const findings: Finding[] = [];
  for (const name of new Set([...sent.keys(), ...local.keys()])) {
    const theirs = sent.get(name);
    const ours = local.get(name);
    const finding = compare(name, theirs?.level, ours?.level);
    const node = theirs?.node;
    if (finding) findings.push(node ? { path: [node.name], range: node, ...finding } : finding);
  }
  return findings;
}

function compare(name: string, theirs: number | undefined, ours: number | undefined): Finding | undefined {
  const usual = name === HPT_MAX_PAGE_SIZE ? DEFAULT_HPT_MAX_PAGE_SIZE : undefined;
  const highest = HIGHEST[name] ?? (usual === undefined ? 1 : undefined);
  let isHigher: boolean | undefined;
  if (theirs !== undefined && ours !== undefined) isHigher = theirs > ours;
  else if (usual !== undefined) isHigher = (theirs ?? usual) > (ours ?? usual);
  else if (theirs !== undefined) isHigher = theirs === 0 ? false : theirs === highest ? true : undefined;
  else isHigher = ours === 0 ? true : ours === highest ? false : undefined;
  if (isHigher === false) return undefined;
  const property = `cap-${PROPERTIES[name] ?? name.replaceAll('_', '-')}`;
  const text = (level: number | undefined) => (level === undefined ? 'the default' : String(level));
  return {
    rule: 'spapr-capability',
    severity: isHigher ? 'blocks' : 'suspicious',
    message: `capability ${name} is ${text(theirs)}, and ${text(ours)} at the destination: it must not be higher than there`,
    says: `${property} higher level (${theirs ?? '…'}) in incoming stream than on destination (${ours ?? '…'})`,
    fix: `-machine ${property}=… the same at both sides`,
  };
}

function capabilities(root: StructNode): Map<string, { readonly node: LayoutNode; readonly level: number }> {
  const found = new Map<string, { node: LayoutNode; level: number }>();
  for (const node of root.children) {
    if (typeof node.name !== 'string' || !node.name.startsWith(PREFIX)) continue;
    for (const child of childrenOf(node)) {
      if (child.kind !== 'leaf' || typeof child.value !== 'number') continue;
      found.set(node.name.slice(PREFIX.length), { node, level: child.value });
      break;
    }
  }
  return found;
}
