import type { WireVmsd } from './wire-vmsd.ts';

/** How much may be compared: tables from anywhere may be made to explode when structs inside are opened up. */
export class ItemBudget {
  readonly #sizes = new Map<WireVmsd, number>();
  #left: number;

  constructor(items: number) {
    this.#left = items;
  }

  /** Takes what two VMSDs need to be compared, without what is in their subsections; false where it is not there. */
  take(saved: WireVmsd, loaded: WireVmsd): boolean {
    const items = this.#size(saved) + this.#size(loaded);
    if (items > this.#left) return false;
    this.#left -= items;
    return true;
  }

  /** Items of a VMSD, each subsection counted as one. May be as large as a number can be. */
  #size(vmsd: WireVmsd): number {
    const known = this.#sizes.get(vmsd);
    if (known !== undefined) return known;
    let size = 1 + vmsd.subsections.length;
    for (const { element } of vmsd.fields)
      size += element.kind === 'value' ? 1 : 2 + this.#size(element.vmsd);
    this.#sizes.set(vmsd, size);
    return size;
  }
}
