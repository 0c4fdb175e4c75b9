import { FieldReader } from './field-reader.ts';
import type { InfoCodec } from './table.ts';

/** VIRTIO specification 1.4, "GPU Device", enum virtio_gpu_formats: all are 4 bytes a pixel. */
const FORMATS: Readonly<Record<number, string>> = {
  1: 'B8G8R8A8',
  2: 'B8G8R8X8',
  3: 'A8R8G8B8',
  4: 'X8R8G8B8',
  67: 'R8G8B8A8',
  68: 'X8B8G8R8',
  121: 'A8B8G8R8',
  134: 'R8G8B8X8',
};
const BYTES_PER_PIXEL = 4;

/** What QEMU takes of a resource's memory entries, and of a device's scanouts. */
const MAX_MEMORY_ENTRIES = 16384;
const MAX_SCANOUTS = 16;

/** Bytes of a scanout, and of its frame buffer, which QEMU writes since 9.0. */
const SCANOUT_SIZE = 40;
const FRAME_BUFFER_SIZE = 24;

/**
 * hw/display/virtio-gpu.c, virtio_gpu_save: resources until one of id 0, each with its pixels; then the VMSD
 * `virtio-gpu-scanouts`, which the vmdesc does not describe. Undefined for an image format that no QEMU takes.
 */
export const resolveVirtioGpu: InfoCodec = ({ section }, { type }, place) => {
  const reader = new FieldReader(section, place);
  let isKnown = true;
  const nextId = () => (reader.left < 4 ? 0 : section.view.getUint32(place.end - reader.left - section.base));
  for (let index = 0; nextId() !== 0 && isKnown && reader.ok; index++) {
    reader.struct(index, () => {
      reader.uint32('resource_id');
      const width = reader.uint32('width');
      const height = reader.uint32('height');
      isKnown = FORMATS[reader.uint32('format', (format) => FORMATS[format])] !== undefined;
      const entries = reader.uint32('iov_cnt');
      if (entries > MAX_MEMORY_ENTRIES) isKnown = false;
      if (!isKnown) return;
      reader.array('iov', entries, (entry) =>
        reader.struct(entry, () => {
          reader.uint64('addr');
          reader.uint32('len');
        }),
      );
      reader.buffer('pixels', width * height * BYTES_PER_PIXEL);
    });
  }
  if (!isKnown) return undefined;
  reader.uint32('(end of resources)');
  readScanouts(reader);
  return reader.finish(place, type);
};

function readScanouts(reader: FieldReader): void {
  reader.int32('enable');
  const scanouts = reader.uint32('max_outputs');
  if (scanouts > MAX_SCANOUTS) return;
  const frameBuffers = (reader.left - scanouts * SCANOUT_SIZE) / FRAME_BUFFER_SIZE;
  const hasFrameBuffer = frameBuffers === scanouts;
  if (frameBuffers > 0 && frameBuffers < scanouts && Number.isInteger(frameBuffers)) {
    // QEMU asks for every scanout but the first what happens to be in memory, so that only some have one.
    reader.buffer('scanout', reader.left);
    return;
  }
  reader.array('scanout', scanouts, (index) =>
    reader.struct(index, () => {
      reader.uint32('resource_id');
      reader.uint32('width');
      reader.uint32('height');
      reader.int32('x');
      reader.int32('y');
      reader.uint32('cursor.resource_id');
      reader.uint32('cursor.hot_x');
      reader.uint32('cursor.hot_y');
      reader.uint32('cursor.pos.x');
      reader.uint32('cursor.pos.y');
      if (!hasFrameBuffer) return;
      reader.uint32('fb.format');
      reader.uint32('fb.bytes_pp');
      reader.uint32('fb.width');
      reader.uint32('fb.height');
      reader.uint32('fb.stride');
      reader.uint32('fb.offset');
    }),
  );
}
