import { printable } from '../bytes/diagnostic.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import type { KnownMachine } from './device-state.ts';
import { findMachine, machineTypeOf } from './machines/known-machines.ts';
import {
  findMainRam,
  isGuestMemory,
  MainRam,
  memoryBlocks,
  unknownLayout,
} from './machines/machine-layout.ts';
import { type Mapping, PhysicalMap } from './physical-map.ts';
import type { Architecture } from './registers/architecture.ts';

/** Bytes; several of them still fit below the largest address. */
const MAX_BLOCK = 2 ** 48;

type Block = Pick<RamBlock, 'idstr' | 'length'>;

/** Where memory is, and what of it could not be placed. */
export interface Placement {
  /** By guest physical address. */
  readonly mappings: readonly Mapping[];
  /** Small blocks that belong to some device, and of which nothing says where they are. */
  readonly leftOut: readonly Block[];
}

/**
 * Which part of which RAMBlock is at which guest physical address, by what is known of the machine and by `layout`,
 * which goes first. Throws DecodeError `unknown-layout`.
 */
export async function placeBlocks(
  state: KnownMachine,
  architecture: Architecture,
  layout: readonly Mapping[] = [],
): Promise<Placement> {
  const { blocks } = state;
  const map = new PhysicalMap();
  if (blocks.some(({ length }) => length > MAX_BLOCK)) {
    throw unknownLayout(blocks, 'a block is larger than any memory');
  }
  for (const { block, offset, length } of layout) {
    const found = blocks.find(({ idstr }) => idstr === block);
    if (!found) throw unknownLayout(blocks, `--layout names '${printable(block)}', which does not exist`);
    if (offset + length > found.length) {
      throw unknownLayout(blocks, `--layout names more of '${printable(block)}' than there is`);
    }
  }
  const leftOut = await placeByMachine(state, architecture, new Set(layout.map(({ block }) => block)), map);
  for (const mapping of layout) map.map(mapping);
  return { mappings: map.mappings(), leftOut };
}

/** Places what is known of the machine, unless the user has placed its RAM. Returns the small blocks that it cannot. */
async function placeByMachine(
  state: KnownMachine,
  architecture: Architecture,
  placed: ReadonlySet<string>,
  map: PhysicalMap,
): Promise<readonly Block[]> {
  const { blocks } = state;
  const machineType = await machineTypeOf(state);
  const machine = machineType === undefined ? undefined : findMachine(machineType, architecture.name);
  if (!machine || machineType === undefined) {
    if (placed.size > 0) return [];
    const name =
      machineType === undefined ? 'of unknown type' : `${printable(machineType)} (${architecture.name})`;
    throw unknownLayout(blocks, `a machine ${name} is not among those whose memory is known`);
  }
  const memory = memoryBlocks(blocks, machine);
  if (placed.size > 0 && memory.every(({ idstr }) => placed.has(idstr))) return [];
  const ram = findMainRam(blocks, machine);
  if (ram.some(({ idstr }) => placed.has(idstr))) return [];
  const unplaced = memory.filter((block) => !ram.includes(block) && !placed.has(block.idstr));
  const plugged = unplaced.filter(isGuestMemory);
  if (plugged.length > 0) {
    const names = plugged.map(({ idstr }) => printable(idstr)).join(', ');
    throw unknownLayout(blocks, `the stream does not say at which address ${names} was plugged in`);
  }
  await machine.place(state, new MainRam(ram), map);
  return unplaced.filter((block) => !isGuestMemory(block));
}
