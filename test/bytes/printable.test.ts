import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable, printableJson, printableLines } from '../../src/bytes/printable.ts';

/** By the Unicode standard: bidirectional controls, separators, zero-width characters, byte order mark, tags. */
const dangerous = fc.oneof(
  fc.integer({ min: 0, max: 0x1f }),
  fc.integer({ min: 0x7f, max: 0x9f }),
  fc.constantFrom(0x061c, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066, 0x2069, 0xfeff),
  fc.integer({ min: 0xd800, max: 0xdfff }),
  fc.integer({ min: 0xe0000, max: 0xe007f }),
);
const character = fc.oneof(
  dangerous.map((code) => String.fromCodePoint(code)),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
);
const text = fc.array(character, { maxLength: 30 }).map((characters) => characters.join(''));
/** Another way to say it than a list, of what the standard calls these categories. */
const isDangerous = /\p{Cc}|\p{Cf}|\p{Cs}|\p{Zl}|\p{Zp}/u;

test('nothing dangerous is left, and what is printable stays', () => {
  fc.assert(
    fc.property(text, (value) => {
      expect(printable(value)).not.toMatch(isDangerous);
      expect(printable(printable(value))).toBe(printable(value));
      expect(printableLines(value).replace(/[\n\t]/g, '')).not.toMatch(isDangerous);
    }),
  );
  expect(printable('\u001b[31m\u009b\u202e größe 日本 🖥')).toBe('\\x1b[31m\\x9b\\u{202e} größe 日本 🖥');
  expect(printableLines('a\n\tb\r')).toBe('a\n\tb\\x0d');
});

test('JSON means the same', () => {
  fc.assert(
    fc.property(text, text, (name, value) => {
      const data = { [`_${name}`]: [value, { value }] };
      const json = printableJson(JSON.stringify(data, undefined, 2));
      expect(json.replaceAll('\n', '')).not.toMatch(isDangerous);
      expect(JSON.parse(json)).toEqual(data);
    }),
  );
});
