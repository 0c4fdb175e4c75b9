import { viewOf } from '../../bytes/view.ts';
import { bytes, peek, type ReaderSteps, scalar } from '../reader.ts';

/** Most descriptors of an element (VIRTQUEUE_MAX_SIZE), for which every element has room. */
const MAX_DESCRIPTORS = 1024;
const MAX_QUEUE_SIZE = 32768;
const HEADER_LENGTH = 16;
const ADDRESS_LENGTH = 8;
const IOVEC_LENGTH = 16;

interface ElementHeader {
  readonly inputs: number;
  readonly outputs: number;
  readonly isLittle: boolean;
}

/**
 * hw/virtio/virtio.c, qemu_put_virtqueue_element: a request that was taken from a queue and not yet answered, as a
 * struct of fixed size in the byte order of the host; before it `ndescs`, where the device offers packed queues.
 */
export function* readVirtqueueElement(name: string | number): ReaderSteps<void> {
  const ahead = yield* peek(4 + HEADER_LENGTH);
  const isPacked = !elementHeader(ahead) && elementHeader(ahead.subarray(4)) !== undefined;
  const header = elementHeader(isPacked ? ahead.subarray(4) : ahead);
  if (!header) {
    yield { request: 'fail', why: 'no virtqueue element' };
    return;
  }
  yield { request: 'open', name, type: 'VirtQueueElement' };
  if (isPacked) yield { request: 'scalar', name: 'ndescs', type: 'uint32' };
  const { inputs, outputs, isLittle } = header;
  const word = isLittle ? 'le32' : 'uint32';
  const long = isLittle ? 'le64' : 'uint64';
  yield* scalar('index', word);
  yield* scalar('out_num', word);
  yield* scalar('in_num', word);
  yield* bytes('(padding)', 'unused_buffer', 4);
  yield* addresses('in_addr', long, inputs);
  yield* addresses('out_addr', long, outputs);
  yield* vectors('in_sg', long, inputs);
  yield* vectors('out_sg', long, outputs);
  yield { request: 'close' };
}

/** Guest physical addresses, of which `used` hold something. */
function* addresses(name: string, type: string, used: number): ReaderSteps<void> {
  if (used > 0) {
    yield { request: 'openArray', name, type, length: used };
    for (let i = 0; i < used; i++) yield* scalar(i, type);
    yield { request: 'close' };
  }
  yield* unused(name, used, ADDRESS_LENGTH);
}

/** Host addresses and lengths; the addresses mean nothing outside the source QEMU. */
function* vectors(name: string, type: string, used: number): ReaderSteps<void> {
  if (used > 0) {
    yield { request: 'openArray', name, type: 'iovec', length: used };
    for (let i = 0; i < used; i++) {
      yield { request: 'open', name: i, type: 'iovec' };
      yield* scalar('iov_base', type);
      yield* scalar('iov_len', type);
      yield { request: 'close' };
    }
    yield { request: 'close' };
  }
  yield* unused(name, used, IOVEC_LENGTH);
}

function* unused(name: string, used: number, length: number): ReaderSteps<void> {
  const rest = (MAX_DESCRIPTORS - used) * length;
  if (rest > 0) yield* bytes(`(unused ${name})`, 'unused_buffer', rest);
}

/** Does an element begin here? `index`, `out_num`, `in_num` in either byte order, and padding. */
function elementHeader(ahead: Uint8Array): ElementHeader | undefined {
  if (ahead.length < HEADER_LENGTH) return undefined;
  const view = viewOf(ahead);
  for (const isLittle of [true, false]) {
    const index = view.getUint32(0, isLittle);
    const outputs = view.getUint32(4, isLittle);
    const inputs = view.getUint32(8, isLittle);
    if (index >= MAX_QUEUE_SIZE || outputs > MAX_DESCRIPTORS || inputs > MAX_DESCRIPTORS) continue;
    if (outputs + inputs > 0 && view.getUint32(12) === 0) return { inputs, outputs, isLittle };
  }
  return undefined;
}

/** Does an element begin `skipped` bytes from here, with or without `ndescs`? */
export function* isVirtqueueElement(skipped: number): ReaderSteps<boolean> {
  const ahead = yield* peek(skipped + 4 + HEADER_LENGTH);
  return (
    elementHeader(ahead.subarray(skipped)) !== undefined ||
    elementHeader(ahead.subarray(skipped + 4)) !== undefined
  );
}
