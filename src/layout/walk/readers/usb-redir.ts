import { bytes, type InfoReader, integer, scalar } from '../reader.ts';

const MAX_PACKETS = 1 << 16;

/** hw/usb/redirect.c, usbredir_put_parser: what libusbredirparser serializes, with its length. */
export const readUsbRedirParser: InfoReader = function* () {
  const length = yield* integer('len', 'uint32');
  if (length > 0) yield* bytes('data', 'buffer', length);
};

/** hw/usb/redirect.c, usbredir_put_bufpq: packets that the guest has not fetched yet. */
export const readUsbRedirBufpq: InfoReader = function* ({ field }) {
  const packets = yield* integer('bufpq_size', 'uint32');
  if (packets > MAX_PACKETS) yield { request: 'fail', why: `${packets} packets in ${field.name}` };
  for (let i = 0; i < packets; i++) {
    yield { request: 'open', name: i, type: 'buf_packet' };
    const length = yield* integer('len', 'uint32');
    yield* integer('status', 'uint32');
    if (length > 0) yield* bytes('data', 'buffer', length);
    yield { request: 'close' };
  }
};

/** hw/usb/redirect.c, usbredir_put_packet_id_q: ids of packets in flight. */
export const readUsbRedirPacketIds: InfoReader = function* ({ field }) {
  const ids = yield* integer('size', 'uint32');
  if (ids > MAX_PACKETS) yield { request: 'fail', why: `${ids} ids in ${field.name}` };
  if (ids === 0) return;
  yield { request: 'openArray', name: 'id', type: 'uint64', length: ids };
  for (let i = 0; i < ids; i++) yield* scalar(i, 'uint64');
  yield { request: 'close' };
};
