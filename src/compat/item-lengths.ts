import { itemLength, type WireItem } from './wire-items.ts';

/** What is read more than sent. */
export function byteDistance(sent: number | undefined, read: number | undefined): number | undefined {
  return sent === undefined || read === undefined ? undefined : read - sent;
}

/** Bytes that items take on the wire, one behind the other; undefined where it varies. */
export function totalLength(items: readonly WireItem[]): number | undefined {
  let total = 0;
  for (const item of items) {
    const length = itemLength(item);
    // A list has an end, at the least.
    if (
      length === undefined ||
      (item.kind === 'open' && (item.info !== undefined || item.count.kind === 'member'))
    )
      return undefined;
    total += length;
  }
  return total;
}

/** Where no length is known for certain, there may be nothing on the wire. */
export function varyingCondition(items: readonly WireItem[]): string | undefined {
  const certain = items.some(
    (item) => (itemLength(item) ?? 0) > 0 || (item.kind === 'open' && item.info !== undefined),
  );
  for (const item of items) {
    if (item.kind !== 'value' && item.kind !== 'open') continue;
    if (item.count.kind === 'member' && !certain) return `${item.count.member} is not 0`;
    if (item.kind === 'value' && item.value.sizeMember !== undefined && !certain)
      return `${item.name} is not empty`;
  }
  return undefined;
}
