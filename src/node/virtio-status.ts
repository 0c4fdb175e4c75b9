import type { ProfileDevice, ProfileVirtio } from '../check/profile.ts';
import { virtioFeatureBit } from '../layout/infos/virtio-features.ts';
import { type Qmp, QmpClosed, QmpError } from './qmp.ts';

/** From this version on QEMU aborts when it is asked (x-query-virtio-status, seen in 11.1.3). */
const CRASHING_MAJOR = 11;

/** VirtioStatus of qapi/virtio.json, as far as it is used. */
interface VirtioStatus {
  readonly 'device-id': number;
  readonly 'num-vqs': number;
  readonly 'host-features': {
    /** `VIRTIO_NET_F_MAC: Device has given MAC address` */
    readonly transports?: readonly string[];
    readonly 'dev-features'?: readonly string[];
    /** Bits that QEMU has no name for; decimal text when large. */
    readonly 'unknown-dev-features'?: number | string;
    readonly 'unknown-dev-features2'?: number | string;
  };
}

/** Devices with what x-query-virtio-status tells of those that are virtio devices, from QEMU 7.2 on. */
export async function withVirtioFeatures(
  qmp: Qmp,
  devices: readonly ProfileDevice[],
  major: number,
  warnings: string[],
): Promise<ProfileDevice[]> {
  const found = new Map<string, ProfileVirtio>();
  try {
    const list = await qmp.execute<{ path: string }[]>('x-query-virtio');
    if (major >= CRASHING_MAJOR) return [...devices];
    for (const { path } of list)
      found.set(path, readStatus(await qmp.execute<VirtioStatus>('x-query-virtio-status', { path })));
  } catch (error) {
    if (error instanceof QmpClosed)
      warnings.push(`features of virtio devices are not in the profile: ${error.message}`);
    else if (!(error instanceof QmpError)) throw error;
  }
  return devices.map((device) => {
    const virtio = found.get(device.path);
    return virtio ? { ...device, virtio } : device;
  });
}

function readStatus(status: VirtioStatus): ProfileVirtio {
  const deviceId = status['device-id'];
  const features = status['host-features'];
  let hostFeatures =
    BigInt(features['unknown-dev-features'] ?? 0) | (BigInt(features['unknown-dev-features2'] ?? 0) << 64n);
  const unnumberedFeatures: string[] = [];
  for (const text of [...(features.transports ?? []), ...(features['dev-features'] ?? [])]) {
    const name = text.replace(/:.*/s, '');
    const bit = virtioFeatureBit(deviceId, name);
    if (bit === undefined) unnumberedFeatures.push(name);
    else hostFeatures |= 1n << BigInt(bit);
  }
  return { deviceId, queues: status['num-vqs'], hostFeatures, unnumberedFeatures };
}
