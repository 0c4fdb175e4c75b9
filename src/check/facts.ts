import type { DestinationFacts } from './destination.ts';
import type { Profile, ProfileDevice } from './profile.ts';

/** What a profile's monitor told, by the idstr of the section that it is about. */
export function factsOfProfile({ ramBlocks, capabilities, devices }: Profile): DestinationFacts {
  const byPath = new Map<string, ProfileDevice[]>();
  for (const device of devices) {
    if (device.devicePath === undefined) continue;
    byPath.set(device.devicePath, [...(byPath.get(device.devicePath) ?? []), device]);
  }
  const devicesAt = (idstr: string) => byPath.get(idstr.slice(0, Math.max(0, idstr.lastIndexOf('/')))) ?? [];
  return {
    ramBlocks: ramBlocks.map(({ name, usedLength, maxLength }) => ({ idstr: name, usedLength, maxLength })),
    capabilities: Object.entries(capabilities).flatMap(([name, isOn]) => (isOn ? name : [])),
    barSizes: (idstr) =>
      devicesAt(idstr)
        .find(({ pci }) => pci)
        ?.pci?.regions.map(({ bar, size }) => ({ bar, size: BigInt(size) })),
    virtioFeatures: (idstr) => {
      const virtio = devicesAt(idstr).find((device) => device.virtio)?.virtio;
      // Of features that are known by name only, the bits may be any.
      return virtio && virtio.unnumberedFeatures.length === 0 ? virtio.hostFeatures : undefined;
    },
  };
}
