import type { ProfileDevice, PropertyValue } from '../check/profile.ts';
import { asArray, asObject, asText, JsonProblem } from '../schema/checked-json.ts';
import { devicePaths, type QomDevice } from './device-paths.ts';
import type { Monitor } from './monitor.ts';
import { parseQtree } from './monitor-text.ts';
import { QmpError } from './qmp.ts';

/** Objects of QEMU's tree that are looked at; the largest known machine has some 20,000. */
const MAX_OBJECTS = 200_000;
/** Characters of the path of an object; real ones have some hundred. */
const MAX_PATH = 4096;
/** Properties of an object: what a profile can have. */
const MAX_PROPERTIES = 10_000;
/** Characters of the values of all properties; a profile can have as many. */
const MAX_VALUES = 64 << 20;
/** Requests that are under way together. */
const BATCH = 64;
/** Objects that hold no device. */
const NO_DEVICES = /memory-region$|^irq$|^split-irq$|^or-irq$/;
/** Properties that say nothing of how a device is configured. */
const NOT_CONFIGURATION: ReadonlySet<string> = new Set([
  'type',
  'realized',
  'hotplugged',
  'hotpluggable',
  // The same in another form.
  'legacy-addr',
]);
/** Longest text that is kept of a property. */
const MAX_TEXT = 4096;

/** A property of qom-list, ObjectPropertyInfo of qapi/qom.json. */
interface PropertyInfo {
  readonly name: string;
  /** `bool`, `uint32`, `child<e1000>`, `link<bus>`, … */
  readonly type: string;
}

/** The machine, whose QOM type is known, and all devices of a QEMU that is stopped, in the order of their paths. */
export async function readDevices(qmp: Monitor, machineType: string): Promise<ProfileDevice[]> {
  const devices = await readQomDevices(qmp, machineType);
  const qtree = parseQtree(await qmp.monitor('info qtree').catch(ifRefused('')));
  const places = devicePaths(devices, qtree);
  return devices.map(({ path, type, bus, properties }) => {
    const { devicePath, pci } = places.get(path) ?? {};
    return {
      path,
      type,
      ...(bus === undefined ? {} : { bus }),
      ...(devicePath === undefined ? {} : { devicePath }),
      properties,
      ...(pci === undefined ? {} : { pci }),
    };
  });
}

/** Walks the tree level by level, as many objects at a time as there are on it. */
async function readQomDevices(qmp: Monitor, machineType: string): Promise<QomDevice[]> {
  const devices: QomDevice[] = [];
  const values = new ValueBudget();
  let level = [{ path: '/machine', type: machineType }];
  for (let count = 1; level.length > 0; ) {
    const next: typeof level = [];
    await inBatches(level, async (object) => {
      const listed = qmp.execute('qom-list', { path: object.path }, readPropertyInfos);
      // A path with a name in it that has a slash leads nowhere.
      const infos = await (object.path === '/machine' ? listed : listed.catch(ifRefused<PropertyInfo[]>([])));
      const children = infos.flatMap(({ name, type: kind }) => {
        const child = /^child<(.*)>$/.exec(kind)?.[1];
        return child === undefined || NO_DEVICES.test(child)
          ? []
          : [{ path: `${object.path}/${name}`, type: child }];
      });
      count += children.length;
      if (count > MAX_OBJECTS) throw new Error(`QEMU has more than ${MAX_OBJECTS} objects`);
      if (children.some(({ path }) => path.length > MAX_PATH))
        throw new Error(`QEMU has objects with paths of more than ${MAX_PATH} characters`);
      next.push(...children);
      // Buses have it, too; they are told apart by parent_bus, which all devices have, and no bus.
      const isDevice = infos.some(({ name }) => name === 'parent_bus');
      if (isDevice || object.path === '/machine')
        devices.push({
          ...object,
          ...(await readProperties(qmp, object.path, infos, values)),
          children: new Map(children.map(({ path, type: childType }) => [path, childType])),
        });
    });
    level = next;
  }
  return devices.sort((a, b) => a.path.localeCompare(b.path, 'en', { numeric: true }));
}

/** Bounds what properties of all objects take together. */
class ValueBudget {
  #left = MAX_VALUES;

  spend(name: string, value: unknown): void {
    this.#left -= name.length + String(value).length;
    if (this.#left < 0) throw new Error(`QEMU has properties of more than ${MAX_VALUES} characters`);
  }
}

function readPropertyInfos(value: unknown, path: string): PropertyInfo[] {
  const infos = asArray(value, path);
  if (infos.length > MAX_PROPERTIES)
    throw new JsonProblem(`an object has ${infos.length} properties, more than ${MAX_PROPERTIES}`);
  return infos.map((element, i) => {
    const { name, type } = asObject(element, `[${i}]`);
    return { name: asText(name, `[${i}].name`), type: asText(type, `[${i}].type`) };
  });
}

/** Booleans, integers and texts; not those that QEMU computes from the state of the VM, or refuses to tell. */
async function readProperties(
  qmp: Monitor,
  path: string,
  infos: readonly PropertyInfo[],
  values: ValueBudget,
): Promise<Pick<QomDevice, 'bus' | 'properties'>> {
  const wanted = infos.filter(
    ({ name, type }) => !/^(child|link)</.test(type) && !NOT_CONFIGURATION.has(name),
  );
  const found = new Map<string, PropertyValue>();
  await inBatches(wanted, async ({ name }) => {
    const value = await qmp.execute('qom-get', { path, property: name }).catch(ifRefused(undefined));
    if (!isPropertyValue(value)) return;
    values.spend(name, value);
    found.set(name, value);
  });
  const properties = Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  const bus = infos.some(({ name }) => name === 'parent_bus')
    ? await qmp.execute('qom-get', { path, property: 'parent_bus' }, asText).catch(ifRefused(''))
    : '';
  return bus === '' ? { properties } : { bus, properties };
}

function isPropertyValue(value: unknown): value is PropertyValue {
  if (typeof value === 'string') return value.length <= MAX_TEXT;
  return typeof value === 'boolean' || Number.isFinite(value);
}

/** Calls a function for each item, for so many of them at a time. */
async function inBatches<T>(items: readonly T[], each: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += BATCH) await Promise.all(items.slice(i, i + BATCH).map(each));
}

/** What to take where QEMU does not answer a command but with an error. */
function ifRefused<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof QmpError) return instead;
    throw error;
  };
}
