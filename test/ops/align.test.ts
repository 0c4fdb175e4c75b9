import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PathComponent } from '../../src/bytes/diagnostic.ts';
import type { LayoutNode, LeafValue, StructNode } from '../../src/layout/node.ts';
import { alignChildren, longestRise } from '../../src/ops/align.ts';
import { alignSequences } from '../../src/ops/align-sequences.ts';

const sequence = fc.array(fc.nat({ max: 5 }), { maxLength: 60 });

/** Length of the longest common subsequence, by the textbook's table. */
function commonLength(a: readonly number[], b: readonly number[]): number {
  const table = Array.from({ length: a.length + 1 }, () => new Array<number>(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i]![j] =
        a[i] === b[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
  return table[0]![0]!;
}

test('runs cover both sequences, and what is equal is a longest common subsequence', () => {
  fc.assert(
    fc.property(sequence, sequence, (a, b) => {
      const runs = alignSequences(Uint32Array.from(a), Uint32Array.from(b));
      let endA = 0;
      let endB = 0;
      let equal = 0;
      for (const run of runs) {
        expect([run.startA, run.startB]).toEqual([endA, endB]);
        ({ endA, endB } = run);
        if (!run.equal) continue;
        expect(a.slice(run.startA, endA)).toEqual(b.slice(run.startB, endB));
        equal += endA - run.startA;
      }
      expect([endA, endB]).toEqual([a.length, b.length]);
      expect(equal).toBe(commonLength(a, b));
    }),
  );
});

test('sequences with nothing in common take no long search', () => {
  const a = Uint32Array.from({ length: 300_000 }, (_, i) => 2 * i);
  const b = Uint32Array.from({ length: 300_001 }, (_, i) => 2 * i + 1);
  expect(alignSequences(a, b)).toEqual([
    { equal: false, startA: 0, endA: 300_000, startB: 0, endB: 300_001 },
  ]);
});

test('a longest rise rises, and none is longer', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 30 }), { maxLength: 12 }), (all) => {
      const values = [...new Set(all)];
      const rise = [...longestRise(values)].sort((x, y) => x - y).map((i) => values[i]!);
      expect(rise).toEqual([...rise].sort((x, y) => x - y));
      expect(rise.length).toBe(
        commonLength(
          values,
          [...values].sort((x, y) => x - y),
        ),
      );
    }),
  );
});

const leaf = (name: PathComponent, type: string, value: LeafValue, size = 4): LayoutNode => ({
  kind: 'leaf',
  name,
  type,
  value,
  start: 0,
  end: size,
});
const struct = (name: PathComponent, children: readonly LayoutNode[], type = 'struct'): StructNode => ({
  kind: 'struct',
  name,
  type,
  vmsdName: undefined,
  versionId: undefined,
  start: 0,
  end: children.reduce((sum, { start, end }) => sum + end - start, 0),
  children,
});
const array = (name: PathComponent, children: readonly LayoutNode[]): LayoutNode => ({
  kind: 'array',
  name,
  type: children[0]!.type,
  start: 0,
  end: children.reduce((sum, { start, end }) => sum + end - start, 0),
  length: children.length,
  elements: children,
});
const names = (nodes: readonly LayoutNode[]) => nodes.map(({ name }) => name).join(' ');
const summary = (a: LayoutNode, b: LayoutNode) =>
  [...alignChildren(a, b)].map((child) => {
    if (child.kind === 'removed') return `- ${child.a.name}`;
    if (child.kind === 'added') return `+ ${child.b.name}`;
    if (child.kind === 'regrouped') return `${names(child.a)} = ${names(child.b)}`;
    const how = child.kind === 'renamed' ? 'renamed' : child.moved ? 'moved' : 'both';
    return `${how} ${child.a.name} ${child.b.name}`;
  });

const u32 = (name: PathComponent, value = 0) => leaf(name, 'uint32', value);

test('fields are matched by name; what is put in the place of one of the same form is renamed', () => {
  const before = struct('', [u32('a'), u32('b'), u32('c'), u32('d')]);
  expect(summary(before, struct('', [u32('a'), u32('x'), u32('c'), u32('d')]))).toEqual([
    'both a a',
    'renamed b x',
    'both c c',
    'both d d',
  ]);
  expect(summary(before, struct('', [u32('a'), leaf('x', 'uint64', 0n, 8), u32('c'), u32('d')]))).toEqual([
    'both a a',
    '- b',
    '+ x',
    'both c c',
    'both d d',
  ]);
  expect(summary(before, struct('', [u32('d'), u32('a'), u32('b'), u32('c')]))).toEqual([
    'both a a',
    'both b b',
    'both c c',
    'moved d d',
  ]);
});

test('fields that were put into a struct, or gave way to padding, are the same bytes', () => {
  const before = struct('', [u32('a'), u32('b'), u32('c')]);
  const inStruct = struct('', [u32('a'), struct('s', [u32('b'), u32('c')])]);
  expect(summary(before, inStruct)).toEqual(['both a a', 'b c = s']);
  const padded = struct('', [u32('a'), leaf('unused', 'unused_buffer', new Uint8Array(8), 8)]);
  expect(summary(before, padded)).toEqual(['both a a', 'b c = unused']);
  const shorter = struct('', [u32('a'), leaf('unused', 'unused_buffer', new Uint8Array(4), 4)]);
  expect(summary(before, shorter)).toEqual(['both a a', '- b', '- c', '+ unused']);
});

test('an element that is put into an array or list does not shift the others', () => {
  const elements = [1, 2, 3, 4];
  const longer = [1, 9, 2, 3, 4];
  const expected = ['both 0 0', '+ 1', 'both 1 2', 'both 2 3', 'both 3 4'];
  const list = (values: readonly number[]) => values.map((value, i) => struct(i, [u32('x', value)]));
  expect(summary(array('a', list(elements)), array('a', list(longer)))).toEqual(expected);
  expect(summary(struct('l', list(elements)), struct('l', list(longer)))).toEqual(expected);
  // A list of the same length may have lost one and got another.
  expect(summary(struct('l', list([1, 2, 3])), struct('l', list([2, 3, 4])))).toEqual([
    '- 0',
    'both 1 0',
    'both 2 1',
    '+ 2',
  ]);
});
