import type { Destination, DestinationDevice } from './destination.ts';

/** Names of properties, and what they are set to. */
export type Settings = Readonly<Record<string, string>>;

/**
 * How properties of the device of a section are set on the destination's command line: `-device TYPE,…,NAME=VALUE`, or
 * `-global TYPE.NAME=VALUE` for a device that the machine makes itself. Undefined where the device does not have all of
 * them, as far as that is known: of its own properties, or else of those of any device of its QEMU.
 */
export function settingsText(
  { facts, tables }: Destination,
  idstr: string,
  settings: Settings,
): string | undefined {
  const names = Object.keys(settings);
  if (names.length === 0) return undefined;
  const device = facts?.devices(idstr).find(({ properties }) => names.every((name) => name in properties));
  if (device) return commandLineText(device, settings);
  if (facts && facts.devices(idstr).length > 0) return undefined;
  if (tables?.schema.origin === 'binary') {
    const known = new Set(
      tables.schema.propertyLists.flatMap(({ properties }) => properties.map(({ name }) => name)),
    );
    if (!names.every((name) => known.has(name))) return undefined;
  }
  return assignments(settings).join(',');
}

function commandLineText({ type, isOnboard }: DestinationDevice, settings: Settings): string {
  return isOnboard
    ? assignments(settings)
        .map((setting) => `-global ${type}.${setting}`)
        .join(' ')
    : `-device ${type},…,${assignments(settings).join(',')}`;
}

function assignments(settings: Settings): string[] {
  return Object.entries(settings).map(([name, value]) => `${name}=${value}`);
}

/** What a property of the device of a section is set to at the destination; undefined where it is not known. */
export function propertyOf({ facts }: Destination, idstr: string, name: string) {
  return facts?.devices(idstr).find(({ properties }) => name in properties)?.properties[name];
}
