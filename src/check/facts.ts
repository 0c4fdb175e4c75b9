import { appendTo } from '../bytes/append-to.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import type { DestinationFacts } from './destination.ts';
import type { Profile, ProfileDevice } from './profile.ts';

const MAX_PARENTS = 32;

/** What a profile's monitor told, by the idstr of the section that it is about. */
export function factsOfProfile({
  ramBlocks,
  capabilities,
  devices,
  schema,
  uuid,
}: Profile): DestinationFacts {
  const byPath = new Map<string, ProfileDevice[]>();
  for (const device of devices) {
    if (device.devicePath !== undefined) appendTo(byPath, device.devicePath, device);
  }
  const devicesAt = (idstr: string) => byPath.get(idstr.slice(0, Math.max(0, idstr.lastIndexOf('/')))) ?? [];
  return {
    uuid,
    ramBlocks: ramBlocks.map(({ name, usedLength, maxLength }) => ({ idstr: name, usedLength, maxLength })),
    capabilities: Object.entries(capabilities).flatMap(([name, isOn]) => (isOn ? name : [])),
    barSizes: (idstr) =>
      devicesAt(idstr)
        .find(({ pci }) => pci)
        ?.pci?.regions.map(({ bar, size }) => ({ bar, size: BigInt(size) })),
    virtioFeatures(idstr) {
      const found = devicesAt(idstr);
      const virtio = found.find((device) => device.virtio)?.virtio;
      // Of features that are known by name only, the bits may be any.
      if (virtio && virtio.unnumberedFeatures.length === 0)
        return { offered: virtio.hostFeatures, denied: ~virtio.hostFeatures };
      const backEnd = found.find(({ path }) => path.endsWith(VIRTIO_BACK_END));
      return backEnd && schema ? { offered: undefined, denied: deniedFeatures(backEnd, schema) } : undefined;
    },
  };
}

/** What a virtio proxy calls its device (hw/virtio/virtio.c, virtio_instance_init_common). */
const VIRTIO_BACK_END = '/virtio-backend';

/** Features that a device has switched off, of those that a property of their own switches. */
function deniedFeatures({ type, properties }: ProfileDevice, schema: QemuSchema): bigint {
  let denied = 0n;
  for (const { name, bit } of propertiesOf(type, schema)) {
    if (bit !== undefined && properties[name] === false) denied |= 1n << BigInt(bit);
  }
  return denied;
}

/** Properties of a QOM type and its parents. */
function* propertiesOf(type: string, { types, propertyLists }: QemuSchema) {
  let name: string | undefined = type;
  for (let i = 0; i < MAX_PARENTS && name !== undefined; i++) {
    const found = types.find((candidate) => candidate.name === name);
    for (const list of found?.propertyLists ?? []) yield* propertyLists[list]?.properties ?? [];
    name = found?.parent;
  }
}
