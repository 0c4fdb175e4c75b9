import type { CompiledVmsd } from '../vmsd/compiled.ts';

/** How much may be compared: tables from anywhere may be made to explode when structs inside are opened up. */
export class ItemBudget {
  readonly #sizes = new Map<CompiledVmsd, number>();
  #left: number;

  constructor(items: number) {
    this.#left = items;
  }

  /** Takes what two VMSDs need to be compared, without what is in their subsections; false where it is not there. */
  take(saved: CompiledVmsd, loaded: CompiledVmsd): boolean {
    const items = this.#size(saved) + this.#size(loaded);
    if (items > this.#left) return false;
    this.#left -= items;
    return true;
  }

  /** Items of a VMSD, each subsection counted as one. May be as large as a number can be. */
  #size(vmsd: CompiledVmsd): number {
    const known = this.#sizes.get(vmsd);
    if (known !== undefined) return known;
    let size = 1 + vmsd.validations.length + vmsd.subsections.length;
    for (const { element } of vmsd.fields) size += element.vmsd ? 2 + this.#size(element.vmsd) : 1;
    this.#sizes.set(vmsd, size);
    return size;
  }
}
