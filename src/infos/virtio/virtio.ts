import type { Info } from '../info.ts';
import { bytes, integer, type ReaderArguments, type ReaderSteps, scalar, struct } from '../reader.ts';
import { readVirtioBlkRequests } from './blk.ts';
import { withVirtioMeanings } from './meanings.ts';
import { readVirtioSerial } from './serial.ts';
import { readTransport, type TransportTraits } from './transport.ts';

/** VIRTIO_QUEUE_MAX and VIRTQUEUE_MAX_SIZE (include/hw/virtio/virtio.h). */
const MAX_QUEUES = 1024;
const MAX_QUEUE_SIZE = 1024;
/** No device has a configuration space that is as long. */
const MAX_CONFIG = 1 << 14;

/** Device state that is written by code and not by a VMSD, by the name of the device's VMSD. */
const deviceReaders: ReadonlyMap<string, (queues: number) => ReaderSteps<void>> = new Map([
  ['virtio-blk', readVirtioBlkRequests],
  ['virtio-console', readVirtioSerial],
]);

/**
 * hw/virtio/virtio.c, virtio_save: the transport's part, registers, queues, the device's own part, and the VMSD
 * `virtio` for its subsections.
 */
export const virtio: Info = {
  names: ['virtio'],
  *read(args) {
    const traits = yield* readTransport(args);
    yield* integer('status', 'uint8');
    yield* integer('isr', 'uint8');
    if ((yield* integer('queue_sel', 'uint16')) >= MAX_QUEUES)
      yield { request: 'fail', why: 'queue_sel', load: 'refused' };
    const features = yield* scalar('guest_features_lo', 'uint32');
    yield* storeFeatures(args, features);
    const configLength = yield* integer('config_len', 'uint32');
    if (configLength > MAX_CONFIG)
      yield { request: 'fail', why: `a configuration of ${configLength} bytes`, load: 'taken' };
    if (configLength > 0) yield* bytes('config', 'buffer', configLength);
    const queues = yield* integer('num_queues', 'uint32');
    if (queues > MAX_QUEUES) yield { request: 'fail', why: `${queues} queues`, load: 'refused' };
    if (queues > 0) {
      yield { request: 'openArray', name: 'vq', type: 'VirtQueue', length: queues };
      for (let i = 0; i < queues; i++) yield* readQueue(i, traits);
      yield { request: 'close' };
    }
    yield* readDevice(args, queues);
    const [virtio] = args.vmsds('virtio');
    if (virtio) yield* struct('virtio', virtio, args.place);
  },
  explain: withVirtioMeanings,
};

/** Existence tests of devices ask for features before the member is loaded, which comes last and as a whole. */
function* storeFeatures({ vmsds, place }: ReaderArguments, features: bigint): ReaderSteps<void> {
  const [virtio] = vmsds('virtio');
  const whole = virtio?.subsections.find(({ name }) => name === 'virtio/64bit_features');
  const member = whole?.fields.find(({ name }) => name === 'guest_features');
  if (!member) return;
  const { object, offset } = place;
  yield {
    request: 'store',
    place: { object, offset: offset + member.offset },
    size: 4,
    value: features,
  };
}

function* readQueue(index: number, { hasAlignment, hasVectors }: TransportTraits): ReaderSteps<void> {
  yield { request: 'open', name: index, type: 'VirtQueue' };
  const size = yield* integer('num', 'uint32');
  if (size === 0 || size > MAX_QUEUE_SIZE)
    yield { request: 'fail', why: `a queue of ${size} entries`, load: 'taken' };
  if (hasAlignment) {
    const align = yield* integer('align', 'uint32');
    if ((align & (align - 1)) !== 0)
      yield { request: 'fail', why: `a queue aligned to ${align}`, load: 'taken' };
  }
  yield* scalar('desc', 'uint64');
  yield* integer('last_avail_idx', 'uint16');
  if (hasVectors) yield* integer('vector', 'uint16');
  yield { request: 'close' };
}

/** The class's `save`, or its `vmsd`, which all devices that have one call `X-device`; most have neither. */
function* readDevice({ idstr, vmsds, place }: ReaderArguments, queues: number): ReaderSteps<void> {
  const device = idstr.slice(idstr.lastIndexOf('/') + 1);
  const reader = deviceReaders.get(device);
  if (reader) yield* reader(queues);
  const [vmsd] = vmsds(`${device}-device`);
  if (vmsd) yield* struct(vmsd.name, vmsd, place);
}
