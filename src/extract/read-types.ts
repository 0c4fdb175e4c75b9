import type { PropertyList, QomType } from '../schema/qemu-schema.ts';
import { hostAddress } from './address-table.ts';
import { type ClassData, readClassInits } from './class-init.ts';
import type { DebugLayouts } from './debug-layouts.ts';
import type { LoadedProgram } from './elf/load.ts';
import { PropertyReader } from './qdev-properties.ts';
import { deviceTypes, findTypes, machineTypes, type RawType } from './qom-types.ts';
import type { RawVmsd } from './table-reader.ts';

/** The QOM types of a program, and what their class_init functions name. */
interface RawTypes {
  readonly types: readonly RawType[];
  readonly properties: PropertyReader;
  /** By address of class_init; undefined where the code of the host machine cannot be looked through. */
  readonly classes: ReadonlyMap<number, ClassData> | undefined;
  /** Structs that debug information describes otherwise than they are. */
  readonly contradicted: readonly string[];
}

/** Device types and their properties, as data. */
interface Types {
  readonly types: readonly QomType[];
  readonly propertyLists: readonly PropertyList[];
  readonly machineTypes: readonly string[];
}

/** Finds the types, and looks for these VMSDs in their code. */
export function findClasses(
  program: LoadedProgram,
  vmsds: readonly RawVmsd[],
  described: DebugLayouts | undefined,
): RawTypes {
  const { image } = program;
  const { types, layout } = findTypes(image, described?.type);
  const properties = new PropertyReader(image, described?.property);
  const contradicted = [
    ...(described?.type && described.type !== layout ? ['TypeInfo'] : []),
    ...(described?.property && described.property !== properties.layout ? ['Property'] : []),
  ];
  const known = new Set(vmsds.map(({ address }) => address));
  const functions = new Set(types.map(({ classInit }) => classInit).filter((address) => address !== 0));
  const classes = readClassInits(
    program,
    functions,
    (address) => known.has(address),
    (address) => properties.isProperty(address),
  );
  return { types, properties, classes, contradicted };
}

/** The device types as data. `vmsds` has the index of the VMSD at each address. */
export function readTypes(program: LoadedProgram, raw: RawTypes, vmsds: ReadonlyMap<number, number>): Types {
  const { types, properties, classes } = raw;
  const heads = new Set([...(classes?.values() ?? [])].flatMap(({ propertyLists }) => propertyLists));
  const lists = properties.lists(heads);
  const indexes = new Map(lists.map(({ address }, i) => [address, i]));
  return {
    machineTypes: machineTypes(types).map(({ name }) => name),
    propertyLists: lists.map((list) => ({
      ...hostAddress(program, list.address),
      properties: list.properties,
    })),
    types: deviceTypes(types).map(({ name, parent, instanceSize, abstract, classInit }) => {
      const data = classes?.get(classInit);
      return {
        name,
        parent,
        instanceSize,
        abstract,
        vmsds: (data?.vmsds ?? []).flatMap((address) => vmsds.get(address) ?? []),
        propertyLists: (data?.propertyLists ?? []).flatMap((address) => indexes.get(address) ?? []),
      };
    }),
  };
}
