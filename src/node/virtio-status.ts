import type { ProfileDevice, ProfileVirtio } from '../check/profile.ts';
import { virtioFeatureBit } from '../infos/virtio/features.ts';
import {
  asArray,
  asInteger,
  asObject,
  asText,
  type CheckedObject,
  JsonProblem,
  quoted,
} from '../schema/checked-json.ts';
import type { DestinationAnswers } from './ask-destination.ts';
import type { Monitor } from './monitor.ts';
import { QmpClosed, QmpError } from './qmp.ts';
import { listVirtio } from './virtio-queries.ts';

/** From this version on QEMU aborts when it is asked (x-query-virtio-status, seen in 11.1.3). */
const CRASHING_MAJOR = 11;

/** Devices with what x-query-virtio-status tells of those that are virtio devices, from QEMU 7.2 on. */
export async function withVirtioFeatures(
  qmp: Monitor,
  { qemu, devices }: Pick<DestinationAnswers, 'qemu' | 'devices'>,
  warnings: string[],
): Promise<readonly ProfileDevice[]> {
  const found = new Map<string, ProfileVirtio>();
  try {
    const listed = new Set(await listVirtio(qmp));
    if (Number.parseInt(qemu.version, 10) >= CRASHING_MAJOR) return devices;
    for (const { path } of devices) {
      if (listed.has(path)) found.set(path, await qmp.execute('x-query-virtio-status', { path }, readStatus));
    }
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

/** VirtioStatus of qapi/virtio.json, as far as it is used. */
function readStatus(value: unknown, name: string): ProfileVirtio {
  const status = asObject(value, name);
  const deviceId = asInteger(status['device-id'], 0, 0xffff, 'device-id');
  const features = asObject(status['host-features'], 'host-features');
  // Bits that QEMU has no name for.
  let hostFeatures =
    readBits(features, 'unknown-dev-features') | (readBits(features, 'unknown-dev-features2') << 64n);
  const unnumberedFeatures: string[] = [];
  // `VIRTIO_NET_F_MAC: Device has given MAC address`
  for (const text of [...readTexts(features, 'transports'), ...readTexts(features, 'dev-features')]) {
    const feature = text.replace(/:.*/s, '');
    const bit = virtioFeatureBit(deviceId, feature);
    if (bit === undefined) unnumberedFeatures.push(feature);
    else hostFeatures |= 1n << BigInt(bit);
  }
  return {
    deviceId,
    queues: asInteger(status['num-vqs'], 0, 0xffff, 'num-vqs'),
    hostFeatures,
    unnumberedFeatures,
  };
}

/** A set of 64 bits, decimal text where it is large; empty where it is not told. */
function readBits(features: CheckedObject, name: string): bigint {
  const value = features[name] ?? 0;
  const bits =
    Number.isSafeInteger(value) || (typeof value === 'string' && /^\d{1,20}$/.test(value))
      ? BigInt(value as number | string)
      : -1n;
  if (bits < 0n || bits >> 64n !== 0n) throw new JsonProblem(`${quoted(name)} is no set of 64 bits`);
  return bits;
}

function readTexts(features: CheckedObject, name: string): string[] {
  return asArray(features[name] ?? [], name).map((text, i) => asText(text, `${name}[${i}]`));
}
