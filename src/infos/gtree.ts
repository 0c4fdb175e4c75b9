import type { Info } from './info.ts';
import { integer, peek, scalar, struct } from './reader.ts';

/**
 * migration/vmstate-types.c, put_gtree: the number of nodes; u8 1, key and value for each; u8 0. The key is an integer,
 * or has a VMSD, which is the one behind that of the value in memory.
 */
export const gtree: Info = {
  names: ['gtree'],
  *read({ field, place, behind }) {
    const { element } = field;
    if (element.kind !== 'info' || !element.vmsd) {
      yield { request: 'fail', why: `${field.name} has no VMSD for its values` };
      return;
    }
    const nodes = yield* integer('nnodes', 'uint32');
    for (let index = 0; index < nodes; index++) {
      const [more] = yield* peek(1);
      if (more !== 1) yield { request: 'fail', why: `${field.name} is no tree` };
      yield { request: 'open', name: index, type: 'struct' };
      yield* integer('(more)', 'uint8');
      const key = { object: behind(place.object, place.offset, 2 * index), offset: 0 };
      if (element.key) yield* struct('key', element.key, key);
      else yield* scalar('key', 'uint64');
      const value = { object: behind(place.object, place.offset, 2 * index + 1), offset: 0 };
      yield* struct('value', element.vmsd, value);
      yield { request: 'close' };
    }
    const [end] = yield* peek(1);
    if (end !== 0) yield { request: 'fail', why: `${field.name} is no tree` };
    yield* integer('(more)', 'uint8');
  },
};
