import { integer, type ReaderSteps, scalar } from '../reader.ts';
import { readVirtqueueElement } from './virtqueue-element.ts';

const MAX_PORTS = 511;

/** hw/char/virtio-serial-bus.c, virtio_serial_save_device: configuration, map of ports, ports. */
export function* readVirtioSerial(): ReaderSteps<void> {
  yield { request: 'open', name: 'serial', type: 'VirtIOSerial' };
  yield* integer('cols', 'uint16');
  yield* integer('rows', 'uint16');
  // In the byte order of the guest, for a device of before virtio 1.0.
  const written = yield* integer('max_nr_ports', 'uint32');
  const ports = written > 0xffff ? swap32(written) : written;
  if (ports > MAX_PORTS + 1) yield { request: 'fail', why: `${written} ports` };
  const words = Math.ceil(ports / 32);
  if (words > 0) {
    yield { request: 'openArray', name: 'ports_map', type: 'uint32', length: words };
    for (let i = 0; i < words; i++) yield* integer(i, 'uint32');
    yield { request: 'close' };
  }
  const active = yield* integer('nr_active_ports', 'uint32');
  if (active > ports) yield { request: 'fail', why: `${active} ports of ${ports}` };
  if (active > 0) {
    yield { request: 'openArray', name: 'ports', type: 'VirtIOSerialPort', length: active };
    for (let i = 0; i < active; i++) yield* readPort(i);
    yield { request: 'close' };
  }
  yield { request: 'close' };
}

function* readPort(index: number): ReaderSteps<void> {
  yield { request: 'open', name: index, type: 'VirtIOSerialPort' };
  yield* integer('id', 'uint32');
  yield* scalar('guest_connected', 'bool');
  yield* scalar('host_connected', 'bool');
  const popped = yield* integer('elem_popped', 'uint32');
  if (popped > 1) yield { request: 'fail', why: 'elem_popped' };
  if (popped === 1) {
    yield* integer('iov_idx', 'uint32');
    yield* scalar('iov_offset', 'uint64');
    yield* readVirtqueueElement('elem');
  }
  yield { request: 'close' };
}

function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
