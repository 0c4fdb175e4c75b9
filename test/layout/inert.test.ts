import { describe, expect, test } from 'vitest';
import { childrenOf, elementAt, isUniform, walk } from '../../src/layout/children.ts';
import type { ArrayNode, Layout } from '../../src/layout/node.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openVm } from '../../src/vm/vm.ts';
import { openFixture } from '../fixtures.ts';

async function layoutsOf(name: string, ignoreVmdesc: boolean): Promise<Layout[]> {
  const opened = await openVm(openFixture(name), {
    ignoreVmdesc,
    schemas: ignoreVmdesc ? packagedSchemas : undefined,
  });
  const all: Layout[] = [];
  for await (const layout of opened.layouts()) all.push(layout);
  return all;
}

function steps({ root }: Layout): unknown[] {
  return [...walk(root)].map(({ node, path }) => [...path, node.kind, node.type, node.start, node.end]);
}

function arraysOf({ root }: Layout): ArrayNode[] {
  return [...walk(root)].flatMap(({ node }) => (node.kind === 'array' ? node : []));
}

describe.each([
  ['its vmdesc', false],
  ['VMSD tables', true],
])('layouts by %s', (_, ignoreVmdesc) => {
  test.each(['qemu-7.2-q35-devices', 'qemu-11.1-riscv64-virt'])('of %s', async (name) => {
    const all = await layoutsOf(name, ignoreVmdesc);
    const arrays = all.flatMap(arraysOf);
    // Of numbers, of structs, and such as are no elements alike.
    const shapes = arrays.map(({ elements }) => (isUniform(elements) ? elements.shape.kind : 'nodes'));
    expect(shapes).toEqual(expect.arrayContaining(['scalar', 'struct', 'nodes']));
    for (const layout of all) expect(steps(structuredClone(layout))).toEqual(steps(layout));
    for (const array of arrays) {
      const children = [...childrenOf(array)];
      for (const index of [0, children.length >> 1, children.length - 1]) {
        const child = children[index];
        // The marker in front of an element has its number, too.
        if (child && children.findIndex(({ name: number }) => number === child.name) === index)
          expect(elementAt(array, Number(child.name))).toEqual(child);
      }
      expect(elementAt(array, children.length)).toBeUndefined();
    }
  });
});
