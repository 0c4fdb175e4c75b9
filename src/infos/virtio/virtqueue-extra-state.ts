import type { Info } from '../info.ts';
import { choose, peek, struct } from '../reader.ts';
import { TRANSPORT_OBJECT } from './transport.ts';

/**
 * hw/virtio/virtio.c, put_extra_state: the transport's VMSD, `virtio_pci` or `virtio_mmio`, which have no fields but a
 * subsection; with neither nothing.
 */
export const virtqueueExtraState: Info = {
  names: ['virtqueue_extra_state'],
  *read({ place, vmsds, behind }) {
    const ahead = yield* peek(2);
    const length = ahead[1] ?? 0;
    const name = String.fromCharCode(...(yield* peek(2 + length)).subarray(2));
    const candidates = ['virtio_pci', 'virtio_mmio'].flatMap((transport) => vmsds(transport).slice(0, 1));
    const named = candidates.filter(({ subsections }) => subsections.some((vmsd) => vmsd.name === name));
    const possible = named.length > 0 ? named : candidates;
    if (possible.length === 0) return;
    const options = possible.map((_, i) => ({ value: BigInt(i), cost: i }));
    const vmsd = possible[options.length > 1 ? yield* choose('transport', options) : 0]!;
    yield* struct(vmsd.name, vmsd, {
      object: behind(place.object, place.offset, TRANSPORT_OBJECT),
      offset: 0,
    });
  },
};
