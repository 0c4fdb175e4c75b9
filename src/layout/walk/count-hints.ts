import type { QemuSchema } from '../../schema/qemu-schema.ts';
import type { CountHints } from './walk-context.ts';

const NOTHING: ReadonlySet<number> = new Set();
/** Names that are as short are in too many other names. */
const SHORTEST_NAME = 3;

/**
 * Defaults of qdev properties that can be what a count is: those at the very offset of the count in the device struct,
 * and those that are named like the array (`intrs` and `intr`, `num-ports` and `ports`). The member that counts is
 * often not the property itself, but a copy in an object inside the device.
 */
export function countHints({ propertyLists }: Pick<QemuSchema, 'propertyLists'>): CountHints {
  const numbers = propertyLists
    .flatMap(({ properties }) => properties)
    .flatMap(({ name, type, offset, defaultValue }) =>
      defaultValue !== undefined && defaultValue > 1n && defaultValue <= 0xffffn && /^u?int/.test(type)
        ? [{ name: plainName(name), offset, value: Number(defaultValue) }]
        : [],
    );
  const byField = new Map<string, ReadonlySet<number>>();
  return {
    defaults(field, offset) {
      const name = plainName(field);
      if (name.length < SHORTEST_NAME) return NOTHING;
      const key = `${name} ${offset}`;
      let values = byField.get(key);
      if (!values) {
        const alike = numbers.filter(
          (number) =>
            number.offset === offset ||
            number.name.includes(name) ||
            (number.name.length >= SHORTEST_NAME && name.includes(number.name)),
        );
        values = new Set(alike.map(({ value }) => value));
        byField.set(key, values);
      }
      return values;
    },
  };
}

/** The last part of a path, letters and digits only. */
function plainName(name: string): string {
  return name
    .slice(name.lastIndexOf('.') + 1)
    .replace(/[^a-zA-Z0-9]/g, '')
    .toLowerCase();
}
