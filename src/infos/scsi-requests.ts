import type { Info } from './info.ts';
import {
  bytes,
  choose,
  integer,
  peek,
  type ReaderArguments,
  type ReaderSteps,
  scalar,
  struct,
} from './reader.ts';
import { isVirtqueueElement, readVirtqueueElement } from './virtio/virtqueue-element.ts';

const CDB_LENGTH = 16;
const SECTOR = 512;
/** `retry` of a request: begun anew on the destination. */
const RETRY = 1;
/** MPIMsgSCSIIORequest (hw/scsi/mpi.h). */
const MPT_REQUEST_LENGTH = 48;

/** Commands that scsi-disk carries out with its image (scsi_disk_dma_reqops); the others it emulates. */
const READS: ReadonlySet<number> = new Set([0x08, 0x28, 0x88, 0xa8]);
const WRITES: ReadonlySet<number> = new Set([0x0a, 0x2a, 0x8a, 0xaa, 0x2e, 0x8e, 0xae]);
const VERIFIES: ReadonlySet<number> = new Set([0x2f, 0x8f, 0xaf]);

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

const PLAIN = 0;
const VIRTIO = 1;
const VSCSI = 2;
const MPT = 3;

/**
 * hw/scsi/scsi-bus.c, put_scsi_requests: u8 1 or 2 and a request, as often as there is one; u8 0. The adapter and the
 * device each add a part of their own; which adapter it is the section does not say.
 */
export const scsiRequests: Info = {
  names: ['scsi-requests'],
  *read(args) {
    let adapter: number | undefined;
    for (let index = 0; ; index++) {
      const [kind] = yield* peek(1);
      if (kind !== undefined && kind > 2) yield { request: 'fail', why: 'no SCSI request', load: 'taken' };
      // A load takes it for signed.
      if (kind === undefined || kind === 0 || kind > 0x7f) break;
      yield { request: 'open', name: index, type: 'SCSIRequest' };
      yield* integer('state', 'uint8', (state) => (state === BigInt(RETRY) ? 'to be retried' : 'in flight'));
      const cdb = yield* bytes('cdb', 'buffer', CDB_LENGTH, ([command]) => COMMANDS[command!]);
      yield* integer('tag', 'uint32');
      yield* integer('lun', 'uint32');
      adapter ??= yield* chooseAdapter(args);
      yield* readAdapterPart(args, adapter, index);
      yield* readDiskPart(cdb[0]!, kind === RETRY);
      yield { request: 'close' };
    }
    yield* integer('(more)', 'uint8', () => (adapter === undefined ? 'none in flight' : undefined));
  },
};

function* chooseAdapter({ vmsds }: ReaderArguments): ReaderSteps<number> {
  const options = [
    { value: BigInt(PLAIN), cost: 2 },
    { value: BigInt(MPT), cost: 6 },
  ];
  if (yield* isVirtqueueElement(4)) options.unshift({ value: BigInt(VIRTIO), cost: 0 });
  if (vmsds('spapr_vscsi_req').length > 0) options.push({ value: BigInt(VSCSI), cost: 6 });
  return yield* choose('adapter', options);
}

/** save_request of the SCSIBusInfo of virtio-scsi, mptsas1068 and spapr-vscsi. */
function* readAdapterPart(
  { place, vmsds, behind }: ReaderArguments,
  adapter: number,
  index: number,
): ReaderSteps<void> {
  if (adapter === PLAIN) return;
  yield { request: 'open', name: 'hba', type: 'SCSIBusInfo' };
  if (adapter === VIRTIO) {
    yield* integer('n', 'uint32');
    yield* readVirtqueueElement('elem');
  } else if (adapter === MPT) {
    yield* bytes('scsi_io', 'buffer', MPT_REQUEST_LENGTH);
    const pieces = yield* integer('nsg', 'uint32');
    if (pieces > 0xffff) yield { request: 'fail', why: `${pieces} pieces of memory` };
    for (let i = 0; i < pieces; i++) {
      yield { request: 'open', name: i, type: 'ScatterGatherEntry' };
      yield* scalar('base', 'uint64');
      yield* scalar('len', 'uint64');
      yield { request: 'close' };
    }
  } else {
    const [vmsd] = vmsds('spapr_vscsi_req');
    yield* struct('req', vmsd!, { object: behind(place.object, place.offset, index), offset: 0 });
  }
  yield { request: 'close' };
}

/** hw/scsi/scsi-disk.c, scsi_disk_save_request; emulated commands save it in QEMU 9.2 and later only. */
function* readDiskPart(command: number, isRetry: boolean): ReaderSteps<void> {
  const isWrite = WRITES.has(command);
  if (!isWrite && !READS.has(command) && !VERIFIES.has(command)) {
    const options = [
      { value: 0n, cost: 1 },
      { value: 1n, cost: 1 },
      { value: 2n, cost: 3 },
    ];
    const saved = yield* choose('emulated command', options);
    if (saved === 0) return;
    yield* readTransfer(saved === 2, isRetry);
    return;
  }
  yield* readTransfer(isWrite, isRetry);
}

function* readTransfer(isWrite: boolean, isRetry: boolean): ReaderSteps<void> {
  yield* scalar('sector', 'uint64');
  const sectors = yield* integer('sector_count', 'uint32');
  const length = yield* integer('buflen', 'uint32');
  if (length === 0) return;
  if (isWrite) yield* bytes('iov', 'buffer', Math.min(sectors * SECTOR, length));
  else if (!isRetry) {
    const sent = yield* integer('iov_len', 'uint32');
    if (sent > 0) yield* bytes('iov', 'buffer', sent);
  }
}
