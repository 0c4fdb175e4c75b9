import { bytes, peek, type ReaderSteps } from '../reader.ts';

/** Most descriptors of an element (VIRTQUEUE_MAX_SIZE), for which every element has room. */
const MAX_DESCRIPTORS = 1024;
const MAX_QUEUE_SIZE = 32768;
const HEADER_LENGTH = 16;
const ADDRESS_LENGTH = 8;
const IOVEC_LENGTH = 16;

interface ElementHeader {
  readonly inputs: number;
  readonly outputs: number;
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
  yield* bytes('index', 'host uint32', 4);
  yield* bytes('out_num', 'host uint32', 4);
  yield* bytes('in_num', 'host uint32', 4);
  yield* bytes('(padding)', 'unused_buffer', 4);
  yield* descriptors('in_addr', 'host uint64', ADDRESS_LENGTH, header.inputs);
  yield* descriptors('out_addr', 'host uint64', ADDRESS_LENGTH, header.outputs);
  yield* descriptors('in_sg', 'host iovec', IOVEC_LENGTH, header.inputs);
  yield* descriptors('out_sg', 'host iovec', IOVEC_LENGTH, header.outputs);
  yield { request: 'close' };
}

/** An array of which `used` elements hold something. */
function* descriptors(name: string, type: string, length: number, used: number): ReaderSteps<void> {
  if (used > 0) {
    yield { request: 'openArray', name, type, length: used };
    for (let i = 0; i < used; i++) yield* bytes(i, type, length);
    yield { request: 'close' };
  }
  const rest = (MAX_DESCRIPTORS - used) * length;
  if (rest > 0) yield* bytes(`(unused ${name})`, 'unused_buffer', rest);
}

/** Does an element begin here? `index`, `out_num`, `in_num` in either byte order, and padding. */
function elementHeader(ahead: Uint8Array): ElementHeader | undefined {
  if (ahead.length < HEADER_LENGTH) return undefined;
  const view = new DataView(ahead.buffer, ahead.byteOffset, HEADER_LENGTH);
  for (const isLittle of [true, false]) {
    const index = view.getUint32(0, isLittle);
    const outputs = view.getUint32(4, isLittle);
    const inputs = view.getUint32(8, isLittle);
    if (index >= MAX_QUEUE_SIZE || outputs > MAX_DESCRIPTORS || inputs > MAX_DESCRIPTORS) continue;
    if (outputs + inputs > 0 && view.getUint32(12) === 0) return { inputs, outputs };
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
