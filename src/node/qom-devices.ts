import type { ProfileDevice, PropertyValue } from '../check/profile.ts';
import { asArray, asObject, asText, JsonProblem } from '../schema/checked-json.ts';
import { devicePaths, type QomDevice } from './device-paths.ts';
import type { Monitor } from './monitor.ts';
import { parseQtree } from './monitor-text.ts';
import { ifRefused } from './qmp.ts';

/** Objects of QEMU's tree that are looked at; the largest known machine has some 20,000. */
const MAX_OBJECTS = 200_000;
/** Characters of the path of an object; real ones have some hundred. */
const MAX_PATH = 4096;
/** Properties of an object: what a profile can have. */
const MAX_PROPERTIES = 10_000;
/** Characters of the values of all properties; a profile can have as many. */
const MAX_VALUES = 64 << 20;
/** Objects that are asked about together, and properties of each of them. */
const OBJECT_BATCH = 64;
const PROPERTY_BATCH = 512;
/** Objects whose properties come in one answer: libvirt passes on 4 MiB, and a CPU has 30 KB. */
const TOGETHER = 16;
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
/** Of CPUs, of which each has some 400: nothing that is judged depends on them. */
const CPU_TYPE = /-cpu$/;
/** The bus that a device sits on: all devices have it, and no bus. */
const PARENT_BUS = 'parent_bus';
/** Longest text that is kept of a property. */
const MAX_TEXT = 4096;

/** A property of qom-list or qom-list-get, ObjectPropertyInfo and ObjectPropertyValue of qapi/qom.json. */
interface PropertyInfo {
  readonly name: string;
  /** `bool`, `uint32`, `child<e1000>`, `link<bus>`, … */
  readonly type: string;
}

/** The properties of an object, and where QEMU tells them together, their values. */
interface ListedObject {
  readonly infos: readonly PropertyInfo[];
  readonly values?: ReadonlyMap<string, unknown>;
}

export interface DeviceQuestions {
  /** Leave out the properties of CPUs: of a VM that runs, whose CPUs wait for each answer. */
  readonly isRunning?: boolean;
}

/** The machine, whose QOM type is known, and all devices of a QEMU, in the order of their paths. */
export async function readDevices(
  qmp: Monitor,
  machineType: string,
  questions: DeviceQuestions = {},
): Promise<ProfileDevice[]> {
  const devices = await readQomDevices(qmp, machineType, questions);
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
async function readQomDevices(
  qmp: Monitor,
  machineType: string,
  { isRunning = false }: DeviceQuestions,
): Promise<QomDevice[]> {
  const devices: QomDevice[] = [];
  const values = new ValueBudget();
  const machine = { path: '/machine', type: machineType };
  const hasListGet = (await listTogether(qmp, [machine])) !== undefined;
  let level = [machine];
  for (let count = 1; level.length > 0; ) {
    const next: typeof level = [];
    const readObject = async (object: (typeof level)[number], told: ListedObject | undefined) => {
      const listed = told ?? (await listAlone(qmp, object.path));
      const { infos } = listed;
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
      const isDevice = infos.some(({ name }) => name === PARENT_BUS);
      const isAsked = !(isRunning && CPU_TYPE.test(object.type));
      if (isDevice || object.path === '/machine')
        devices.push({
          ...object,
          ...(isAsked ? await readProperties(qmp, object.path, listed, values) : { properties: {} }),
          children: new Map(children.map(({ path, type: childType }) => [path, childType])),
        });
    };
    await inBatches(piecesOf(level, TOGETHER), OBJECT_BATCH / TOGETHER, async (objects) => {
      const together = hasListGet ? await listTogether(qmp, objects) : undefined;
      await Promise.all(objects.map((object, i) => readObject(object, together?.[i])));
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

/** What properties objects have, and their values. undefined where QEMU, before 10.1 or for an object, has no answer. */
async function listTogether(
  qmp: Monitor,
  objects: readonly { readonly path: string }[],
): Promise<readonly ListedObject[] | undefined> {
  const paths = objects.map(({ path }) => path);
  const listed = await qmp
    .execute('qom-list-get', { paths }, (value, path) =>
      asArray(value, path).map((element, i) => {
        const { properties } = asObject(element, `[${i}]`);
        const told = asArray(properties, `[${i}].properties`);
        const infos = readPropertyInfos(told, `[${i}].properties`);
        const values = told.map((property) => asObject(property, 'property')['value']);
        return { infos, values: new Map(infos.map(({ name }, j) => [name, values[j]])) };
      }),
    )
    .catch(ifRefused(undefined));
  return listed?.length === paths.length ? listed : undefined;
}

async function listAlone(qmp: Monitor, path: string): Promise<ListedObject> {
  const listed = qmp.execute('qom-list', { path }, readPropertyInfos);
  // A path with a name in it that has a slash leads nowhere.
  return {
    infos: await (path === '/machine' ? listed : listed.catch(ifRefused<PropertyInfo[]>([]))),
  };
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
  { infos, values: told }: ListedObject,
  budget: ValueBudget,
): Promise<Pick<QomDevice, 'bus' | 'properties'>> {
  const wanted = infos.filter(
    ({ name, type }) => name === PARENT_BUS || (!/^(child|link)</.test(type) && !NOT_CONFIGURATION.has(name)),
  );
  const found = new Map<string, PropertyValue>();
  await inBatches(wanted, PROPERTY_BATCH, async ({ name }) => {
    const value = told
      ? told.get(name)
      : await qmp.execute('qom-get', { path, property: name }).catch(ifRefused(undefined));
    if (!isPropertyValue(value)) return;
    budget.spend(name, value);
    found.set(name, value);
  });
  const bus = found.get(PARENT_BUS);
  found.delete(PARENT_BUS);
  const properties = Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  return typeof bus !== 'string' || bus === '' ? { properties } : { bus, properties };
}

function isPropertyValue(value: unknown): value is PropertyValue {
  if (typeof value === 'string') return value.length <= MAX_TEXT;
  return typeof value === 'boolean' || Number.isFinite(value);
}

/** Calls a function for each item, for so many of them at a time. */
async function inBatches<T>(
  items: readonly T[],
  size: number,
  each: (item: T) => Promise<void>,
): Promise<void> {
  for (const batch of piecesOf(items, size)) await Promise.all(batch.map(each));
}

function piecesOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
