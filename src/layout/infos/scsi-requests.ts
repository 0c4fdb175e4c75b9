import { FieldReader, leafNode } from './field-reader.ts';
import type { InfoCodec } from './table.ts';

/** SCSI_CMD_BUF_SIZE of QEMU. */
const CDB_SIZE = 16;
const NO_MORE = 0;
const RETRY = 1;
const IN_FLIGHT = 2;

/** SCSI Primary, Block and Multi-Media Commands: operation codes of what a guest's disk has in flight. */
const COMMANDS: Readonly<Record<number, string>> = {
  0: 'TEST UNIT READY',
  3: 'REQUEST SENSE',
  8: 'READ(6)',
  10: 'WRITE(6)',
  18: 'INQUIRY',
  26: 'MODE SENSE(6)',
  27: 'START STOP UNIT',
  37: 'READ CAPACITY(10)',
  40: 'READ(10)',
  42: 'WRITE(10)',
  46: 'WRITE AND VERIFY(10)',
  47: 'VERIFY(10)',
  53: 'SYNCHRONIZE CACHE(10)',
  65: 'WRITE SAME(10)',
  66: 'UNMAP',
  67: 'READ TOC',
  74: 'GET EVENT STATUS NOTIFICATION',
  90: 'MODE SENSE(10)',
  136: 'READ(16)',
  138: 'WRITE(16)',
  142: 'WRITE AND VERIFY(16)',
  143: 'VERIFY(16)',
  145: 'SYNCHRONIZE CACHE(16)',
  147: 'WRITE SAME(16)',
  158: 'SERVICE ACTION IN(16)',
  168: 'READ(12)',
  170: 'WRITE(12)',
};

/**
 * hw/scsi/scsi-bus.c, put_scsi_requests: for each request its state, CDB, tag and LUN, then what the adapter and the
 * disk write of it; 0 ends the list. How long those two are hangs on both devices, so that only the first request is
 * opened up, and what follows it is left as it is.
 */
export const resolveScsiRequests: InfoCodec = ({ section }, { type }, place) => {
  const { start, end } = place;
  const value = section.bytes.subarray(start - section.base, end - section.base);
  const first = value[0];
  if (value.at(-1) !== NO_MORE) return undefined;
  if (value.length === 1) return leafNode(place, type, value, 'none in flight');
  if (first !== RETRY && first !== IN_FLIGHT) return undefined;
  const reader = new FieldReader(section, place);
  reader.struct(0, () => {
    reader.uint8('state', (state) => (state === RETRY ? 'to be retried' : 'in flight'));
    reader.buffer('cdb', CDB_SIZE, (cdb) => COMMANDS[cdb[0]!]);
    reader.uint32('tag');
    reader.uint32('lun');
  });
  if (reader.left > 1) reader.buffer('(rest)', reader.left - 1);
  reader.uint8('(more)');
  return reader.finish(place, type);
};
