import { structLength } from '../../schema/schema.ts';
import type { LeafNode, StructNode } from '../node.ts';
import type { InfoCodec } from './table.ts';

/**
 * migration/vmstate-types.c, put_qtailq and put_qlist: each element is u8 1 and its struct, and u8 0 ends the list.
 * A blob repeats the keys of the element's description for each element, so that only the last one's is left; it is
 * used for all when their length fits. An empty list stays a leaf.
 */
export const resolveQueue: InfoCodec = (context, field, { name, start, end }) => {
  const { section } = context;
  const { struct, type, size } = field;
  if (!struct) return undefined;
  const stride = 1 + structLength(struct);
  if (stride === 1 || (size - 1) % stride !== 0) return undefined;
  const flag = (flagName: string, at: number): LeafNode => {
    const value = section.view.getUint8(at - section.base);
    return { kind: 'leaf', name: flagName, type: 'uint8', start: at, end: at + 1, value };
  };
  const children: (StructNode | LeafNode)[] = [];
  for (let at = start, index = 0; at < end - 1; at += stride, index++) {
    const more = flag('(more)', at);
    if (more.value !== 1) return undefined;
    const here = { ...context, path: [...context.path, index] };
    const place = { name: index, type: 'struct', start: at + 1, end: at + stride };
    const element = context.resolveStruct(here, struct, place);
    children.push({ ...element, start: at, children: [more, ...element.children] });
  }
  const last = flag('(more)', end - 1);
  if (last.value !== 0) return undefined;
  children.push(last);
  const value = section.bytes.subarray(start - section.base, end - section.base);
  return {
    kind: 'struct',
    name,
    type,
    start,
    end,
    vmsdName: undefined,
    versionId: undefined,
    value,
    children,
  };
};
