import { FieldReader } from './field-reader.ts';
import type { InfoCodec } from './table.ts';

/** hw/usb/redirect.c, usbredir_put_parser: length, and the state of usbredirparser as that library serializes it. */
export const resolveUsbRedirParser: InfoCodec = ({ section }, { type }, place) => {
  const reader = new FieldReader(section, place);
  reader.buffer('state', reader.uint32('length'));
  return reader.finish(place, type);
};

/** The same, usbredir_put_bufpq: packets of an endpoint that the guest has not fetched. */
export const resolveUsbRedirPackets: InfoCodec = ({ section }, { type }, place) => {
  const reader = new FieldReader(section, place);
  reader.array('packets', reader.uint32('count'), (index) =>
    reader.struct(index, () => {
      const length = reader.uint32('length');
      reader.int32('status');
      reader.buffer('data', length);
    }),
  );
  return reader.finish(place, type);
};

/** The same, usbredir_put_packet_id_q: ids of packets that are cancelled, or done. */
export const resolveUsbRedirPacketIds: InfoCodec = ({ section }, { type }, place) => {
  const reader = new FieldReader(section, place);
  reader.array('ids', reader.uint32('count'), (index) => {
    reader.uint64(index);
  });
  return reader.finish(place, type);
};
