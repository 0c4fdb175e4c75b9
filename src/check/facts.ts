import { appendTo } from '../bytes/append-to.ts';
import { deniedVirtioFeatures } from '../infos/virtio/feature-properties.ts';
import { virtioTypeOfName } from '../infos/virtio/meanings.ts';
import type { DestinationFacts } from './destination.ts';
import type { Profile, ProfileDevice } from './profile.ts';

/** Of devices that a user added, with an id or without (QEMU's QOM tree). */
const ADDED = /^\/machine\/peripheral(-anon)?\//;

/** What a profile's monitor told, by the idstr of the section that it is about. */
export function factsOfProfile({
  ramBlocks,
  capabilities,
  devices,
  uuid,
  possibleCpus,
  blockNodes,
}: Profile): DestinationFacts {
  const byPath = new Map<string, ProfileDevice[]>();
  for (const device of devices) {
    if (device.devicePath !== undefined) appendTo(byPath, device.devicePath, device);
  }
  const devicesAt = (idstr: string) => byPath.get(idstr.slice(0, Math.max(0, idstr.lastIndexOf('/')))) ?? [];
  return {
    uuid,
    ramBlocks: ramBlocks.map(({ name, usedLength, maxLength }) => ({ idstr: name, usedLength, maxLength })),
    knownCapabilities: Object.keys(capabilities),
    possibleCpus,
    blockNodes,
    hostPageSizes: new Map(ramBlocks.map(({ name, pageSize }) => [name, pageSize])),
    connectors: connectorsOf(devices),
    capabilities: Object.entries(capabilities).flatMap(([name, isOn]) => (isOn ? name : [])),
    devices: (idstr) =>
      devicesAt(idstr).map(({ type, path, properties }) => ({
        type,
        isOnboard: !ADDED.test(path),
        properties,
      })),
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
      const type = found.length > 0 ? virtioTypeOfName(idstr) : undefined;
      if (type === undefined) return undefined;
      const isSet = (name: string) => found.find(({ properties }) => name in properties)?.properties[name];
      return { offered: undefined, denied: deniedVirtioFeatures(type, isSet) };
    },
  };
}

/** hw/ppc/spapr_drc.c: a device each, whose section has its index as instance id. */
function connectorsOf(devices: readonly ProfileDevice[]): ReadonlySet<number> | undefined {
  const indexes = devices.flatMap(({ type, properties }) =>
    type.startsWith('spapr-drc-') && typeof properties['index'] === 'number' ? properties['index'] : [],
  );
  return indexes.length > 0 ? new Set(indexes) : undefined;
}
