import { knowledgeOf, type LayoutNode, type LeafValue } from '../layout/node.ts';
import { type Change, leafValue } from '../ops/diff-layouts.ts';
import type { SectionDiff, SectionName, SectionSide, StreamDiff } from '../ops/diff-result.ts';
import { hexBytes } from './value.ts';

/** Longer buffers are left out. */
const MAX_VALUE = 256;

/** The differences as plain data for JSON, in which 64-bit integers are bigint. docs/diff.md is its contract. */
export function diffJson({ sections, order, ...diff }: StreamDiff): Record<string, unknown> {
  return { ...diff, sections: sections.map(sectionJson), order: order.map(nameJson) };
}

function nameJson({ section, instanceId: instance }: SectionName) {
  return { section, instance };
}

function sectionJson(diff: SectionDiff): Record<string, unknown> {
  const { occurrence, kind, a, b, changes, omitted, same, counterpart, alike } = diff;
  return {
    ...nameJson(diff),
    occurrence,
    kind,
    ...(a ? { a: sideJson(a) } : {}),
    ...(b ? { b: sideJson(b) } : {}),
    changes: changes.map(changeJson),
    omitted,
    same,
    ...(counterpart ? { counterpart: { ...nameJson(counterpart), ...sideJson(counterpart) } } : {}),
    ...(alike ? { alike: alike.map(nameJson) } : {}),
  };
}

function sideJson({ offset, size, versionId: version, vmsdName: vmsd }: SectionSide) {
  return { offset, size, version, vmsd };
}

function changeJson({ a, b, ...change }: Change): Record<string, unknown> {
  return { ...change, a: a.map(nodeFacts), b: b.map(nodeFacts) };
}

function nodeFacts(node: LayoutNode): Record<string, unknown> {
  const { name, kind, type, start, end } = node;
  const value = shortValue(leafValue(node));
  return {
    name,
    kind,
    type,
    offset: start,
    size: end - start,
    knowledge: knowledgeOf(node),
    ...(node.kind === 'struct' ? { vmsd: node.vmsdName, version: node.versionId } : {}),
    ...(node.kind === 'array' ? { length: node.length } : {}),
    ...(value === undefined ? {} : { value }),
    ...(node.kind === 'leaf' && node.meaning !== undefined ? { meaning: node.meaning } : {}),
  };
}

function shortValue(value: LeafValue | undefined): Exclude<LeafValue, Uint8Array> | undefined {
  if (!(value instanceof Uint8Array)) return value;
  return value.length <= MAX_VALUE ? hexBytes(value) : undefined;
}
