import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../src/bytes/base64.ts';

test('bytes are as Node has them', () => {
  const bytes = Uint8Array.from({ length: 100_003 }, (_, i) => (i * 7919) >> 3);
  for (const length of [0, 1, 2, 3, 4, 12287, 12288, 12289, bytes.length]) {
    const part = bytes.subarray(0, length);
    const text = Buffer.from(part).toString('base64');
    expect(encodeBase64(part) === text, `${length} bytes`).toBe(true);
    expect(Buffer.from(part).equals(decodeBase64(text)!), `${length} bytes`).toBe(true);
  }
});

test('any bytes come back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(decodeBase64(encodeBase64(bytes))).toEqual(bytes);
    }),
  );
});

test.each(['A', 'AA', 'AAA', 'AAA=A', 'AA=A', 'A===', '====', 'AA\nA', 'AA-_', 'AAé=', 'A A='])(
  '%j is no base64',
  (text) => {
    expect(decodeBase64(text)).toBeUndefined();
  },
);
