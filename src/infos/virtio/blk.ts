import { integer, peek, type ReaderSteps } from '../reader.ts';
import { readVirtqueueElement } from './virtqueue-element.ts';

/**
 * hw/block/virtio-blk.c, virtio_blk_save_device: u8 1 and a request, as often as there is one (they wait for a VM that
 * was stopped by an I/O error); u8 0. The number of the queue is there where the device has several.
 */
export function* readVirtioBlkRequests(queues: number): ReaderSteps<void> {
  yield { request: 'open', name: 'rq', type: 'VirtIOBlockReq list' };
  for (let index = 0; ; index++) {
    const [more] = yield* peek(1);
    if (more === undefined || more > 1) yield { request: 'fail', why: 'requests of no virtio-blk' };
    if (more !== 1) break;
    yield { request: 'open', name: index, type: 'VirtIOBlockReq' };
    yield* integer('(more)', 'uint8');
    if (queues > 1 && (yield* integer('vq_idx', 'uint32')) >= queues) {
      yield { request: 'fail', why: 'a request of no queue' };
    }
    yield* readVirtqueueElement('elem');
    yield { request: 'close' };
  }
  yield* integer('(more)', 'uint8');
  yield { request: 'close' };
}
