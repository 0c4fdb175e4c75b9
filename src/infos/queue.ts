import type { Info } from './info.ts';
import { integer, peek } from './reader.ts';

/**
 * migration/vmstate-types.c, put_qtailq and put_qlist: u8 1 and an element, as often as there is one; u8 0. A blob repeats
 * the keys of the element's description for each element, so that only the last one's is left; it is used for all.
 */
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
};
