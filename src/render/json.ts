import { printableJson } from '../bytes/printable.ts';

/** JSON of plain data, in lines, with 64-bit integers as decimal strings and unprintable characters as `\uNNNN`. */
export function toJson(value: unknown): string {
  return printableJson(
    JSON.stringify(
      value,
      (_key, member: unknown) => (typeof member === 'bigint' ? member.toString() : member),
      2,
    ),
  );
}
