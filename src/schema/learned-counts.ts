import type { LearnedVmsd, StructRecord } from './learn-vmsds.ts';

/** A member that holds a count or a size in every struct that was seen. */
export interface LearnedCounter {
  /** The VMSD that has the member: the same one, or that which a subsection belongs to. */
  readonly vmsd: LearnedVmsd;
  readonly field: string;
  /** Bytes. */
  readonly width: number;
  /** What its value is multiplied with. */
  readonly factor: number;
}

/** Bits of a bitmap are sent in words of as many. */
const BITMAP_WORD = 64;

/** How many elements a struct has of a field; 0 where it is not there. */
export function countIn(record: StructRecord, field: string): number {
  return record.fields.get(field)?.count ?? 0;
}

/** Finds the integer, sent before a field, that says how many elements it has. The nearest one, if there are several. */
export function findCounter(vmsd: LearnedVmsd, field: string): LearnedCounter | undefined {
  return find(
    vmsd,
    field,
    (record) => countIn(record, field),
    (value) => value,
  );
}

/** The same for the size of a buffer, or of a bitmap in bits. */
export function findSizeCounter(vmsd: LearnedVmsd, field: string): LearnedCounter | undefined {
  const isBitmap = vmsd.fields.get(field)?.type === 'bitmap';
  const sizeOf = (record: StructRecord) => record.fields.get(field)?.size;
  return find(vmsd, field, sizeOf, (value) =>
    isBitmap ? Math.ceil(value / BITMAP_WORD) * BITMAP_WORD : value,
  );
}

function find(
  vmsd: LearnedVmsd,
  field: string,
  amountOf: (record: StructRecord) => number | undefined,
  scale: (value: number) => number,
): LearnedCounter | undefined {
  const { records } = vmsd;
  let outers: readonly (StructRecord | undefined)[] = records;
  for (let owner: LearnedVmsd | undefined = vmsd; owner; owner = owner.parent) {
    const before = owner === vmsd ? vmsd.order.slice(0, vmsd.order.indexOf(field)) : owner.order;
    for (const name of before.toReversed()) {
      let factor: number | undefined;
      let width = 0;
      const fits = records.every((record, i) => {
        const amount = amountOf(record);
        if (amount === undefined) return true;
        const outer = outers[i];
        const value = outer?.values.get(name);
        if (value === undefined) return amount === 0;
        width = outer?.fields.get(name)?.size ?? 0;
        const scaled = scale(value);
        if (scaled === 0 || amount === 0) return scaled === amount;
        factor ??= amount / scaled;
        return factor === amount / scaled && Number.isInteger(factor);
      });
      if (fits && factor !== undefined) return { vmsd: owner, field: name, width, factor };
    }
    outers = outers.map((record) => record?.outer);
  }
  return undefined;
}
