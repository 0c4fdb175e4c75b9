import type { PointerForm, WireCount } from './side-view.ts';
import type { ValueItem, WireItem } from './wire-items.ts';

/** Names of fields in a message. */
const MAX_NAMES = 4;

/** Names of the fields among items, each once. */
export function fieldNames(items: readonly WireItem[]): string[] {
  return [
    ...new Set(items.filter(({ kind }) => kind === 'value' || kind === 'open').map(({ name }) => name)),
  ];
}

/** `irr (4 bytes), isr (8 × uint32) and 3 more`. */
export function itemsText(items: readonly WireItem[]): string {
  const shown = items.filter(
    (item) => item.kind === 'value' || (item.kind === 'open' && item.info !== undefined),
  );
  const texts = shown.slice(0, MAX_NAMES).map((item) => {
    const name = item.name;
    return item.kind === 'value'
      ? `${name} (${valueText(item)})`
      : `${name} (${item.kind === 'open' ? item.info : ''})`;
  });
  if (shown.length === 0) return fieldNames(items).join(', ');
  const more = shown.length - texts.length;
  return `${texts.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

export function isAre(items: readonly WireItem[]): string {
  return fieldNames(items).length === 1 ? 'is' : 'are';
}

function bytesText(bytes: number): string {
  return `${bytes} byte${bytes === 1 ? '' : 's'}`;
}

/** Infos whose name says nothing but that they are bytes. */
const plainBytes: ReadonlySet<string> = new Set(['buffer', 'unused_buffer']);

export function valueText({ value, count }: Pick<ValueItem, 'value' | 'count'>): string {
  const { info, length, memory } = value;
  const isPlain = info === undefined || plainBytes.has(info);
  const bytes = length ?? memory;
  // A dump has 0 for what its info writes by hand.
  const one = isPlain ? (bytes ? bytesText(bytes) : 'bytes') : info;
  if (count.kind === 'fixed') return count.isArray ? `${count.count} × ${one}` : one;
  return count.kind === 'member' ? `${countText(count)} × ${one}` : one;
}

export function countText(count: WireCount): string {
  if (count.kind === 'unknown') return 'some number of elements';
  if (count.kind === 'fixed') return `${count.count} element${count.count === 1 ? '' : 's'}`;
  return count.factor === 1 ? `[${count.member}]` : `[${count.member} × ${count.factor}]`;
}

export function markerText(form: PointerForm): string {
  return form === 'marked' ? 'a marker for each element' : 'a marker for NULL only';
}
