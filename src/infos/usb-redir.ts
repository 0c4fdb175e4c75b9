import type { Info } from './info.ts';
import { bytes, integer, scalar } from './reader.ts';

const MAX_PACKETS = 1 << 16;

/** hw/usb/redirect.c, usbredir_put_parser: what libusbredirparser serializes, with its length. */
export const usbRedirParser: Info = {
  names: ['usb-redir-parser'],
  *read() {
    const length = yield* integer('length', 'uint32');
    if (length > 0) yield* bytes('state', 'buffer', length);
  },
};

/** hw/usb/redirect.c, usbredir_put_bufpq: packets that the guest has not fetched yet. */
export const usbRedirBufpq: Info = {
  names: ['usb-redir-bufpq'],
  *read({ field }) {
    const packets = yield* integer('count', 'uint32');
    if (packets > MAX_PACKETS) yield { request: 'fail', why: `${packets} packets in ${field.name}` };
    if (packets === 0) return;
    yield { request: 'openArray', name: 'packets', type: 'buf_packet', length: packets };
    for (let i = 0; i < packets; i++) {
      yield { request: 'open', name: i, type: 'buf_packet' };
      const length = yield* integer('length', 'uint32');
      yield* scalar('status', 'int32');
      if (length > 0) yield* bytes('data', 'buffer', length);
      yield { request: 'close' };
    }
    yield { request: 'close' };
  },
};

/** hw/usb/redirect.c, usbredir_put_packet_id_q: ids of packets in flight. */
export const usbRedirPacketIds: Info = {
  names: ['usb-redir-packet-id-q'],
  *read({ field }) {
    const ids = yield* integer('count', 'uint32');
    if (ids > MAX_PACKETS) yield { request: 'fail', why: `${ids} ids in ${field.name}` };
    if (ids === 0) return;
    yield { request: 'openArray', name: 'ids', type: 'uint64', length: ids };
    for (let i = 0; i < ids; i++) yield* scalar(i, 'uint64');
    yield { request: 'close' };
  },
};
