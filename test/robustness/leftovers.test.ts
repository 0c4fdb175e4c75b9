import { describe, expect, test } from 'vitest';
import { readFixture } from '../fixtures.ts';
import { contents, decode, hasError, violations } from './decode.ts';
import { described, readSpecimen, smallest } from './specimens.ts';

/** Larger streams than the smallest one, with other devices. */
const older = described.filter(({ size }) => size > smallest.size);

test('there are streams to leave something behind', () => {
  expect(older.length).toBeGreaterThan(2);
});

describe.each(older)('a stream that was written over $name', ({ name }) => {
  test('is read by its own description', async () => {
    const { bytes, intact } = await readSpecimen(smallest.name);
    const decoded = (await decode(Buffer.concat([bytes, readFixture(name).subarray(bytes.length)])))!;
    expect(violations(decoded)).toEqual([]);
    expect(hasError(decoded)).toBe(false);
    expect(contents(decoded)).toEqual(contents(intact));
    expect(decoded.diagnostics.map(({ code }) => code)).toContain('trailing-bytes');
  });
});

describe.each(described)('$name with a zero in the place of a record type', ({ name }) => {
  test('does not end there', async () => {
    const { bytes, intact } = await readSpecimen(name);
    const before = contents(intact);
    const headers = intact.opened.stream.records.filter(({ kind }) => kind === 'section');
    for (const { range } of headers.slice(0, 20)) {
      const damaged = Uint8Array.from(bytes);
      damaged[range.start] = 0;
      const decoded = (await decode(damaged))!;
      expect(violations(decoded)).toEqual([]);
      expect(hasError(decoded), `record at ${range.start}`).toBe(true);
      const after = contents(decoded);
      const lost = intact.sections.filter(({ key }) => after.get(key) !== before.get(key));
      // The section itself; RAM, when it is one of its records.
      expect(lost.length, `record at ${range.start}: ${lost.map(({ key }) => key)}`).toBeLessThanOrEqual(1);
    }
  });
});
