/** A part of a register: `width` bits from bit `low` on. */
export interface BitField {
  readonly low: number;
  readonly width: number;
  /** What a value of the field says; undefined where there is nothing to say. */
  text(value: number): string | undefined;
}

/** Single bits, named when they are set; by bit number, the lowest first. */
export function flags(names: Readonly<Record<number, string>>): readonly BitField[] {
  return Object.entries(names).map(([bit, name]) => flag(Number(bit), name));
}

/** The same in the order in which manuals of processors print them. */
export function highFirst(names: Readonly<Record<number, string>>): readonly BitField[] {
  return flags(names).toReversed();
}

export function flag(bit: number, name: string): BitField {
  return { low: bit, width: 1, text: (value) => (value === 1 ? name : undefined) };
}

/** A field whose values have names; '' is not shown, and a value without a name is shown as a number behind `label`. */
export function choice(
  low: number,
  width: number,
  label: string,
  names: readonly string[] | Readonly<Record<number, string>>,
): BitField {
  const byValue: Readonly<Record<number, string | undefined>> = { ...names };
  const text = (value: number) => {
    const name = byValue[value];
    return name === undefined ? `${label} ${value}` : name === '' ? undefined : name;
  };
  return { low, width, text };
}

/** A field that is a number: `label` and what `show` makes of it, which may be nothing. */
export function count(
  low: number,
  width: number,
  label: string,
  show: (value: number) => number | string | undefined = (value) => value,
): BitField {
  const text = (value: number) => {
    const shown = show(value);
    return shown === undefined ? undefined : `${label} ${shown}`;
  };
  return { low, width, text };
}

/** For `count`: nothing for 0. */
export function unlessZero(value: number): number | undefined {
  return value === 0 ? undefined : value;
}

/** What a register's bits say, in the order of `fields`; undefined where that is nothing. */
export function bitsMeaning(value: number | bigint, fields: readonly BitField[]): string | undefined {
  const words: string[] = [];
  for (const { low, width, text } of fields) {
    const word = text(bits(value, low, width));
    if (word !== undefined) words.push(word);
  }
  return words.length === 0 ? undefined : words.join(', ');
}

/** Up to 32 bits of an unsigned number, or of a bigint. */
export function bits(value: number | bigint, low: number, width: number): number {
  if (typeof value === 'bigint') return Number((value >> BigInt(low)) & ((1n << BigInt(width)) - 1n));
  return Math.floor(value / 2 ** low) % 2 ** width;
}

export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
