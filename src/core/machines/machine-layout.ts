import { DecodeError, printable } from '../../bytes/diagnostic.ts';
import type { RamBlock } from '../../ram/ram-block.ts';
import type { KnownMachine } from '../device-state.ts';
import type { PhysicalMap } from '../physical-map.ts';

/** A family of machine types that lay out their memory in the same way. */
export interface MachineLayout {
  /** The machine types of the family, as the configuration section has them: `pc-i440fx-10.0`, `pc-q35-rhel9.6.0`. */
  readonly machineType: RegExp;
  /** By name of the architecture: machine types called `virt` exist in several. */
  readonly architectures: readonly string[];
  /** What QEMU calls the RAM where the user gives no other name by a memory backend. */
  readonly ram: string;
  /** Other blocks without a `/` in their name that the machine makes, and that are no memory of the guest's. */
  readonly boardBlocks: RegExp;
  /** Maps RAM, of `size` bytes, and what else the guest sees of the blocks. Throws DecodeError `unknown-layout`. */
  place(state: KnownMachine, ram: MainRam, map: PhysicalMap): Promise<void>;
}

/** RAM as one range of bytes, which several NUMA nodes' blocks may make up. */
export class MainRam {
  readonly #blocks: readonly Block[];
  readonly size: number;

  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks;
    this.size = blocks.reduce((sum, { length }) => sum + length, 0);
  }

  /** Maps `length` bytes of RAM from `offset` on; all of it where nothing is said. */
  mapInto(map: PhysicalMap, address: number, offset = 0, length = this.size): void {
    let blockStart = 0;
    for (const { idstr, length: blockLength } of this.#blocks) {
      const start = Math.max(offset, blockStart);
      const end = Math.min(offset + length, blockStart + blockLength);
      if (start < end) {
        map.map({
          address: address + start - offset,
          length: end - start,
          block: idstr,
          offset: start - blockStart,
        });
      }
      blockStart += blockLength;
    }
  }
}

/** Machine types before 4.0 have a path in front. */
const BACKEND_PATH = '/objects/';
const NUMA_NODE = /^(?:\/objects\/)?ram-node(\d+)$/;

type Block = Pick<RamBlock, 'idstr' | 'length'>;

/** The blocks that are memory of the guest's, by RAM itself or a memory backend, and no part of a device or the board. */
export function memoryBlocks(blocks: readonly Block[], machine: MachineLayout): readonly Block[] {
  return blocks.filter(
    ({ idstr }) =>
      idstr === machine.ram ||
      idstr.startsWith(BACKEND_PATH) ||
      !(idstr.includes('/') || machine.boardBlocks.test(idstr)),
  );
}

/**
 * Finds RAM among the blocks: the one that the machine calls so, else memory backends, whose names the user chose:
 * one alone, or libvirt's `ram-node0`, `ram-node1` … in this order (migration sends the largest first). The others are
 * hot-plugged memory, of which the stream does not say where it is. Throws DecodeError `unknown-layout`.
 */
export function findMainRam(blocks: readonly Block[], machine: MachineLayout): readonly Block[] {
  const memory = memoryBlocks(blocks, machine);
  const named = memory.filter(({ idstr }) => idstr === machine.ram);
  const nodes = memory.filter(({ idstr }) => NUMA_NODE.test(idstr)).toSorted(byNode);
  const large = memory.filter(isGuestMemory);
  const main = [named, nodes, large, memory].find(({ length }) => length > 0);
  if (!main) throw unknownLayout(blocks, "no block is the machine's RAM");
  if (main !== named && main !== nodes && main.length > 1) {
    throw unknownLayout(blocks, 'the stream does not tell in which order the guest sees its memory');
  }
  return main;
}

function byNode(a: Block, b: Block): number {
  return Number(NUMA_NODE.exec(a.idstr)?.[1]) - Number(NUMA_NODE.exec(b.idstr)?.[1]);
}

/** Bytes. What is smaller, and not RAM itself, is a device's own memory and none that was plugged in. */
const LEAST_MEMORY = 16 << 20;

export function isGuestMemory({ length }: Block): boolean {
  return length >= LEAST_MEMORY;
}

const MAX_LISTED = 20;

/** An error that lists what there is to be placed by --layout. */
export function unknownLayout(blocks: readonly Block[], reason: string): DecodeError {
  const listed = blocks
    .slice(0, MAX_LISTED)
    .map(({ idstr, length }) => `${printable(idstr)} (${length} bytes)`);
  const more = blocks.length > MAX_LISTED ? ` and ${blocks.length - MAX_LISTED} more` : '';
  const message =
    `the guest's memory layout is not known: ${reason}. Its blocks are ${listed.join(', ')}${more}; ` +
    '--layout block@address:size,… says where they are';
  return new DecodeError({ severity: 'error', code: 'unknown-layout', message });
}
