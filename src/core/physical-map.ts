/** A part of a RAMBlock at an address that the guest sees. All in bytes. */
export interface Mapping {
  /** Guest physical. */
  readonly address: number;
  readonly length: number;
  readonly block: string;
  /** Of the first byte, inside the block. */
  readonly offset: number;
}

/** No machine has physical addresses of more bits; they are exact as numbers. */
export const MAX_ADDRESS = 2 ** 52;

/** Which part of which RAMBlock is at which guest physical address: what QEMU calls a FlatView, of RAM alone. */
export class PhysicalMap {
  #mappings: Mapping[] = [];

  /** Maps over whatever was there before. Throws RangeError for what ends beyond MAX_ADDRESS. */
  map(mapping: Mapping): void {
    if (mapping.length === 0) return;
    this.clear(mapping.address, mapping.length);
    this.#mappings.push(mapping);
  }

  /** Takes away what is mapped in a range of addresses. */
  clear(address: number, length: number): void {
    const end = address + length;
    if (end > MAX_ADDRESS) throw new RangeError(`0x${end.toString(16)} is no physical address`);
    this.#mappings = this.#mappings.flatMap((mapping) => {
      const mappingEnd = mapping.address + mapping.length;
      if (mappingEnd <= address || mapping.address >= end) return [mapping];
      const before = { ...mapping, length: address - mapping.address };
      const skipped = end - mapping.address;
      const after = {
        ...mapping,
        address: end,
        offset: mapping.offset + skipped,
        length: mapping.length - skipped,
      };
      return [before, after].filter(({ length: left }) => left > 0);
    });
  }

  /** By address, as few as possible: neighbours that are neighbours in their block too are one. */
  mappings(): readonly Mapping[] {
    const merged: Mapping[] = [];
    for (const mapping of this.#mappings.toSorted((a, b) => a.address - b.address)) {
      const last = merged.at(-1);
      if (last && last.block === mapping.block && follows(last, mapping)) {
        merged[merged.length - 1] = { ...last, length: last.length + mapping.length };
      } else merged.push(mapping);
    }
    return merged;
  }
}

function follows(first: Mapping, second: Mapping): boolean {
  return first.address + first.length === second.address && first.offset + first.length === second.offset;
}
