import { appendTo } from '../bytes/append-to.ts';
import type { LayoutNode } from '../layout/node.ts';
import type { Change } from './diff-layouts.ts';
import type { SectionDiff } from './diff-result.ts';

/** Makes one of the changes that are the same in several elements of an array; their indexes become `*`. */
export function foldElements(diff: SectionDiff): SectionDiff {
  const folded = new Map<string, Change[]>();
  for (const change of diff.changes) {
    const text = `${pathText(change)} ${changeText(change)}`;
    appendTo(folded, text, change);
  }
  const changes = [...folded.values()].map((group): Change => {
    const [first] = group as [Change, ...Change[]];
    if (group.length === 1) return first;
    const isSame = (i: number) => group.every(({ path }) => path[i] === first.path[i]);
    const path = first.path.map((component, i) => (isSame(i) ? component : '*'));
    return { ...first, path, times: group.length };
  });
  return { ...diff, changes };
}

/** Puts sections with the same changes, of the same device in several places, behind the first of them. */
export function foldSections(diffs: readonly SectionDiff[]): SectionDiff[] {
  const folded = new Map<string, SectionDiff[]>();
  for (const diff of diffs) {
    const device = diff.section.slice(diff.section.lastIndexOf('/') + 1);
    const vmsds = `${diff.a?.vmsdName} ${diff.b?.vmsdName} ${diff.a?.versionId} ${diff.b?.versionId}`;
    const changes = diff.changes.map((change) => `${pathText(change)} ${changeText(change)}`).join('\n');
    // Those that are elsewhere on the other side have a place each.
    const place = diff.counterpart ? `${diff.section} ${diff.instanceId}` : '';
    const text = `${diff.kind} ${device} ${vmsds} ${place}\n${changes}`;
    appendTo(folded, text, diff);
  }
  return [...folded.values()].map((group) => {
    const [first, ...others] = group as [SectionDiff, ...SectionDiff[]];
    if (others.length === 0) return first;
    return { ...first, alike: others.map(({ section, instanceId }) => ({ section, instanceId })) };
  });
}

/** The path without indexes. */
function pathText({ path }: Change): string {
  return path.map((component) => (typeof component === 'number' ? '*' : component)).join('/');
}

/** What changed, without where. */
function changeText({ kind, a, b }: Change): string {
  const text = (node: LayoutNode) =>
    [
      node.type,
      node.end - node.start,
      node.kind === 'array' ? node.length : '',
      node.kind === 'struct' ? `${node.vmsdName} ${node.versionId}` : '',
    ].join(' ');
  return `${kind} ${a.map(text).join(',')} ${b.map(text).join(',')}`;
}
