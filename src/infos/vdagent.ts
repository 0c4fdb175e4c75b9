import type { Info } from './info.ts';
import { choose, remaining, struct } from './reader.ts';

/** ui/vdagent.c, put_cbinfo: nothing without a clipboard, else what of it the guest owns. */
export const vdagentClipboard: Info = {
  names: ['vdagent/cbinfos'],
  *read({ place, vmsds, behind }) {
    const [array] = vmsds('cbinfoarray');
    const { left, behind: needed } = yield* remaining();
    if (!array || left <= needed) return;
    const options = [
      { value: 1n, cost: 1 },
      { value: 0n, cost: 2 },
    ];
    if ((yield* choose('clipboard', options)) === 0) return;
    yield* struct(array.name, array, { object: behind(place.object, place.offset), offset: 0 });
  },
};
