import { describe, expect, test } from 'vitest';
import { builtInInfos } from '../../src/infos/infos.ts';
import { walk } from '../../src/layout/children.ts';
import type { LayoutNode } from '../../src/layout/node.ts';
import { sectionBytes } from '../../src/layout/section-bytes.ts';
import { WITHOUT_TABLES, walkApplied } from '../../src/layout/walk/walk-applied.ts';
import type { FieldSchema, StructSchema } from '../../src/schema/schema.ts';
import { compileVmdesc } from '../../src/vmsd/compile-vmdesc.ts';

const LENGTH = 1 << 24;
/** Its element `i` is `i` modulo 251. */
const bytes = Uint8Array.from({ length: LENGTH }, (_, i) => i % 251);

function field(name: string, type: string, more: Partial<FieldSchema>): FieldSchema {
  return { name, type, size: 1, arrayLength: undefined, index: undefined, struct: undefined, ...more };
}

function structOf(...fields: FieldSchema[]): StructSchema {
  return { vmsdName: 'huge', versionId: 1, fields, subsections: [] };
}

/** One array over all the bytes: of numbers, or of structs with a number in each. */
const arrays = {
  numbers: field('all', 'uint8', { arrayLength: LENGTH }),
  structs: field('all', 'struct', { arrayLength: LENGTH, struct: structOf(field('value', 'uint8', {})) }),
};

describe.each(Object.entries(arrays))('an array of 16 million %s', (_, array) => {
  const resolve = () =>
    walkApplied(
      {
        section: sectionBytes(bytes, 0),
        idstr: 'device',
        path: [],
        report: ({ message }) => expect.fail(message),
        infos: builtInInfos,
      },
      compileVmdesc(structOf(array), LENGTH),
      WITHOUT_TABLES,
    );

  test('is made element by element, as far as it is walked', () => {
    const before = process.memoryUsage().heapUsed;
    const root = resolve();
    const leaves: LayoutNode[] = [];
    for (const { node } of walk(root)) {
      if (node.kind === 'leaf') leaves.push(node);
      if (leaves.length === 1000) break;
    }
    expect(leaves.map((leaf) => leaf.kind === 'leaf' && leaf.value)).toEqual([...bytes.subarray(0, 1000)]);
    expect(root.children[0]).toMatchObject({ kind: 'array', length: LENGTH, start: 0, end: LENGTH });
    // All of it would be a gigabyte.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 << 20);
  });

  test('is not entered when nobody asks', () => {
    const steps = [...walk(resolve(), ({ kind }) => kind !== 'array')];
    expect(steps.map(({ node }) => node.kind)).toEqual(['struct', 'array']);
  });

  test('is made anew each time', () => {
    const [node] = resolve().children;
    const beginning = () => {
      const found: LayoutNode[] = [];
      for (const { node: inner } of walk(node!)) {
        found.push(inner);
        if (found.length === 10) break;
      }
      return found;
    };
    expect(beginning()).toEqual(beginning());
  });
});
