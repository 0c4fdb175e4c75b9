import type { WireVmsd } from './wire-vmsd.ts';

/** How many items VMSDs become when all structs inside are opened up: tables from anywhere may be made to explode. */
export class WireSizes {
  readonly #known = new Map<WireVmsd, number>();

  /** At the least 1. May be as large as a number can be. */
  size(vmsd: WireVmsd): number {
    const known = this.#known.get(vmsd);
    if (known !== undefined) return known;
    let size = 1;
    for (const { element } of vmsd.fields) size += element.kind === 'value' ? 1 : 2 + this.size(element.vmsd);
    for (const subsection of vmsd.subsections) size += this.size(subsection);
    this.#known.set(vmsd, size);
    return size;
  }
}
