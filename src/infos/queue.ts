import type { LeafNode, StructNode } from '../layout/node.ts';
import { structLength } from '../schema/schema.ts';
import type { Info } from './info.ts';
import { integer, peek } from './reader.ts';

/** migration/vmstate-types.c, put_qtailq and put_qlist: u8 1 and an element, as often as there is one; u8 0. */
export const queue: Info = {
  names: ['qlist', 'qtailq'],
  *read({ field, place, behind }) {
    const { element } = field;
    if (element.kind !== 'info' || !element.vmsd) {
      yield { request: 'fail', why: `${field.name} has no VMSD for its elements` };
      return;
    }
    for (let index = 0; ; index++) {
      const [more] = yield* peek(1);
      if (more === undefined || more > 1) yield { request: 'fail', why: `${field.name} is no list` };
      if (more !== 1) break;
      const { vmsd } = element;
      yield { request: 'open', name: index, type: 'struct', vmsd };
      yield* integer('(more)', 'uint8');
      const object = behind(place.object, place.offset, index);
      yield { request: 'fields', vmsd, place: { object, offset: 0 } };
      yield { request: 'close' };
    }
    yield* integer('(more)', 'uint8');
  },
  /**
   * A blob repeats the keys of the element's description for each element, so that only the last one's is left; it is
   * used for all when their length fits. An empty list stays a leaf.
   */
  open(context, { name, type, start, end }, described) {
    const { section } = context;
    if (!described) return undefined;
    const stride = 1 + structLength(described.struct);
    if (stride === 1 || (end - start - 1) % stride !== 0) return undefined;
    const flag = (flagName: string, at: number): LeafNode => {
      const value = section.view.getUint8(at - section.base);
      return { kind: 'leaf', name: flagName, type: 'uint8', start: at, end: at + 1, value };
    };
    const children: (StructNode | LeafNode)[] = [];
    for (let at = start, index = 0; at < end - 1; at += stride, index++) {
      const more = flag('(more)', at);
      if (more.value !== 1) return undefined;
      const place = { name: index, type: 'struct', start: at + 1, end: at + stride };
      const element = described.resolve([...context.path, index], place);
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
  },
};
