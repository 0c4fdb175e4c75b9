import { badArgument } from '../bytes/diagnostic.ts';
import { areKnown, type GuestMemory, type MemoryState } from '../memory/guest-memory.ts';
import type { Mapping } from './physical-map.ts';
import { MAX_ADDRESS } from './physical-map.ts';

/** Bytes from a guest physical address on, of which the same is known; `unmapped`: no RAM is there. */
export interface PhysicalRange {
  readonly address: number;
  readonly length: number;
  readonly state: MemoryState | 'unmapped';
}

/** What was read of memory. */
export interface PhysicalBytes {
  /** Zeros where nothing is known. */
  readonly bytes: Uint8Array;
  /** In order, without gaps. */
  readonly ranges: readonly PhysicalRange[];
  /** Whether all of it is known. */
  readonly isKnown: boolean;
}

/** A part of a block at an address. */
export interface MappedPart {
  readonly block: string;
  readonly offset: number;
  readonly address: number;
  readonly length: number;
}

/** The memory of a guest by guest physical address, as `placeBlocks` lays it out. */
export class PhysicalMemory {
  readonly memory: GuestMemory;
  /** By address, without overlaps. */
  readonly mappings: readonly Mapping[];

  constructor(memory: GuestMemory, mappings: readonly Mapping[]) {
    this.memory = memory;
    this.mappings = mappings.toSorted((a, b) => a.address - b.address);
  }

  /** Which parts of which blocks are at `length` bytes from an address on; what is no RAM is left out. */
  parts(address: number, length: number): MappedPart[] {
    const end = address + length;
    return this.mappings.flatMap((mapping) => {
      const from = Math.max(address, mapping.address);
      const to = Math.min(end, mapping.address + mapping.length);
      if (from >= to) return [];
      const { block } = mapping;
      return [{ block, offset: mapping.offset + from - mapping.address, address: from, length: to - from }];
    });
  }

  /**
   * Reads `length` bytes from a guest physical address on. Throws DecodeError: `bad-argument` for addresses that no
   * machine has, and what `GuestMemory.read` throws.
   */
  async read(address: number | bigint, length: number): Promise<PhysicalBytes> {
    const start = Number(address);
    const isAddress = start >= 0 && length >= 0 && start + length <= MAX_ADDRESS && Number.isInteger(start);
    if (!isAddress)
      throw badArgument(`${length} bytes at 0x${address.toString(16)}: there is no such memory`);
    const bytes = new Uint8Array(length);
    const ranges: PhysicalRange[] = [];
    let at = start;
    const skipTo = (to: number) => {
      if (to > at) ranges.push({ address: at, length: to - at, state: 'unmapped' });
      at = to;
    };
    for (const part of this.parts(start, length)) {
      skipTo(part.address);
      const read = await this.memory.read(part.block, part.offset, part.length);
      bytes.set(read.bytes, part.address - start);
      for (const { offset, length: size, state } of read.ranges)
        ranges.push({ address: part.address + offset - part.offset, length: size, state });
      at += part.length;
    }
    skipTo(start + length);
    return { bytes, ranges, isKnown: areKnown(ranges) };
  }
}
