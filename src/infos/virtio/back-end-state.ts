import type { Info } from '../info.ts';
import { bytes, integer } from '../reader.ts';

/** hw/virtio/vhost.c, vhost_save_backend_state: pieces with their lengths, up to one of length 0. */
export const backEndState: Info = {
  names: ['virtio-fs back-end state', 'virtio-net vhost-user backend state'],
  *read() {
    for (let index = 0; ; index++) {
      yield { request: 'open', name: index, type: 'chunk' };
      const length = yield* integer('len', 'uint32');
      if (length > 0) yield* bytes('data', 'buffer', length);
      yield { request: 'close' };
      if (length === 0) return;
    }
  },
};
