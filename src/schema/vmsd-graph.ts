import { printable } from '../bytes/diagnostic.ts';
import type { VMStateDescription } from './qemu-schema.ts';

/** VMSDs inside each other at the most; real ones (2.11 to 11.1) nest to 6. */
const MAX_NESTING = 64;

/**
 * What is wrong with how VMSDs contain each other: no real one contains itself, by fields or subsections, on any way.
 * Undefined when all is well. Indexes have to be in range.
 */
export function vmsdGraphProblem(vmsds: readonly VMStateDescription[]): string | undefined {
  /** Levels below each VMSD, itself included; 0: not known yet, -1: being looked at. */
  const heights = new Int32Array(vmsds.length);
  for (let root = 0; root < vmsds.length; root++) {
    if (heights[root] !== 0) continue;
    const stack: { readonly index: number; readonly children: readonly number[]; next: number }[] = [];
    const enter = (index: number) => {
      heights[index] = -1;
      stack.push({ index, children: childrenOf(vmsds[index]!), next: 0 });
    };
    enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const child = top.children[top.next++];
      if (child === undefined) {
        heights[top.index] = 1 + top.children.reduce((height, index) => Math.max(height, heights[index]!), 0);
        if (heights[top.index]! > MAX_NESTING)
          return `VMSDs nest deeper than ${MAX_NESTING} levels, from ${nameOf(vmsds[top.index]!)} on`;
        stack.pop();
      } else if (heights[child] === -1) return `VMSD ${nameOf(vmsds[child]!)} contains itself`;
      else if (heights[child] === 0) enter(child);
    }
  }
  return undefined;
}

function childrenOf({ fields, subsections }: VMStateDescription): readonly number[] {
  return [...new Set([...fields.flatMap(({ vmsd }) => vmsd ?? []), ...subsections])];
}

function nameOf({ name, address }: VMStateDescription): string {
  return name === undefined ? `at 0x${address.toString(16)}` : printable(name);
}
