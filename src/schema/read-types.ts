import type { LoadedProgram } from '../elf/load.ts';
import { hostAddress } from './address-table.ts';
import { readClassInits } from './class-init.ts';
import { PropertyReader } from './qdev-properties.ts';
import type { PropertyList, QomType } from './qemu-schema.ts';
import { deviceTypes, findTypes } from './qom-types.ts';

/** Device types and their properties, as data. */
export interface Types {
  readonly types: readonly QomType[];
  readonly propertyLists: readonly PropertyList[];
}

/** Reads the device types of a program. `vmsds` has the address of each VMSD and its index. */
export function readTypes(program: LoadedProgram, vmsds: ReadonlyMap<number, number>): Types {
  const { image } = program;
  const all = findTypes(image);
  const reader = new PropertyReader(image);
  const functions = new Set(all.map(({ classInit }) => classInit).filter((address) => address !== 0));
  const classes = readClassInits(
    program,
    functions,
    (address) => vmsds.has(address),
    (address) => reader.isProperty(address),
  );
  const heads = new Set([...classes.values()].flatMap(({ propertyLists }) => propertyLists));
  const lists = reader.lists(heads);
  const indexes = new Map(lists.map(({ address }, i) => [address, i]));
  return {
    propertyLists: lists.map(({ address, properties }) => ({ ...hostAddress(program, address), properties })),
    types: deviceTypes(all).map(({ name, parent, instanceSize, abstract, classInit }) => {
      const data = classes.get(classInit);
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
