import type { Info } from '../info.ts';
import { bytes, integer, type ReaderSteps, scalar, struct } from '../reader.ts';

/** VIRTIO specification 1.4, "GPU Device", enum virtio_gpu_formats: all are 4 bytes a pixel. */
const FORMATS: Readonly<Record<string, string>> = {
  1: 'B8G8R8A8',
  2: 'B8G8R8X8',
  3: 'A8R8G8B8',
  4: 'X8R8G8B8',
  67: 'R8G8B8A8',
  68: 'X8B8G8R8',
  121: 'A8B8G8R8',
  134: 'R8G8B8X8',
};
const MAX_SIDE = 16384;
const MAX_ENTRIES = 1 << 20;
const PIXEL_LENGTH = 4;

/**
 * hw/display/virtio-gpu.c, virtio_gpu_save: resources that have an image, up to one of id 0, and the scanouts by a
 * VMSD.
 */
export const virtioGpu: Info = {
  names: ['virtio-gpu'],
  *read({ place, vmsds }) {
    yield* readResources(function* () {
      const width = yield* integer('width', 'uint32');
      const height = yield* integer('height', 'uint32');
      if (width > MAX_SIDE || height > MAX_SIDE)
        yield { request: 'fail', why: `an image of ${width} x ${height}` };
      const format = yield* integer('format', 'uint32', (value) => FORMATS[String(value)]);
      if (!FORMATS[format]) yield { request: 'fail', why: `an image of format ${format}` };
      yield* readEntries();
      const length = width * height * PIXEL_LENGTH;
      if (length > 0) yield* bytes('image', 'buffer', length);
    });
    const [scanouts] = vmsds('virtio-gpu-scanouts');
    if (scanouts) yield* struct('scanouts', scanouts, place);
  },
};

/** virtio_gpu_blob_save: resources without an image. */
export const virtioGpuBlob: Info = {
  names: ['blob'],
  *read() {
    yield* readResources(function* () {
      yield* integer('blob_size', 'uint32');
      yield* readEntries();
    });
  },
};

function* readResources(readResource: () => ReaderSteps<void>): ReaderSteps<void> {
  for (let index = 0; ; index++) {
    const ahead = (yield { request: 'peek', length: 4 }) as Uint8Array;
    if (ahead.every((byte) => byte === 0)) break;
    yield { request: 'open', name: index, type: 'virtio_gpu_simple_resource' };
    yield* integer('resource_id', 'uint32');
    yield* readResource();
    yield { request: 'close' };
  }
  yield* integer('(end)', 'uint32');
}

/** Where the guest keeps the content. */
function* readEntries(): ReaderSteps<void> {
  const count = yield* integer('iov_cnt', 'uint32');
  if (count > MAX_ENTRIES) yield { request: 'fail', why: `${count} pieces of memory` };
  if (count === 0) return;
  yield { request: 'openArray', name: 'iov', type: 'iovec', length: count };
  for (let i = 0; i < count; i++) {
    yield { request: 'open', name: i, type: 'iovec' };
    yield* scalar('addr', 'uint64');
    yield* integer('iov_len', 'uint32');
    yield { request: 'close' };
  }
  yield { request: 'close' };
}
