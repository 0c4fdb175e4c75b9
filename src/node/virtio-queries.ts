import { asArray, asInteger, asObject, asText } from '../schema/checked-json.ts';
import type { Monitor } from './monitor.ts';

/** QOM paths of all virtio devices, of QEMU 7.2 and later. Throws what Monitor.execute throws. */
export function listVirtio(monitor: Monitor): Promise<string[]> {
  return monitor.execute('x-query-virtio', {}, (value, name) =>
    asArray(value, name).map((element, i) => asText(asObject(element, `[${i}]`)['path'], `[${i}].path`)),
  );
}

/** VirtQueueStatus of qapi/virtio.json, as far as it is used. */
export interface QueueStatus {
  /** Requests that the device has taken and not yet given back. */
  readonly inUse: number;
  /** u16; undefined where vhost counts: QEMU to 10.0 tells 0 then (hw/virtio/virtio.c, vhost_get_vring_base). */
  readonly lastAvailable: number | undefined;
}

/** What a device tells of one of its queues. Throws QmpError where it has no such queue, and what Monitor.execute throws. */
export function askQueue(monitor: Monitor, path: string, queue: number): Promise<QueueStatus> {
  return monitor.execute('x-query-virtio-queue-status', { path, queue }, (value, at) => {
    const status = asObject(value, at);
    // Only of a device that counts itself.
    const isOwn = status['shadow-avail-idx'] !== undefined;
    return {
      inUse: asInteger(status['inuse'], 0, 0xffff_ffff, 'inuse'),
      lastAvailable: isOwn ? asInteger(status['last-avail-idx'], 0, 0xffff, 'last-avail-idx') : undefined,
    };
  });
}
