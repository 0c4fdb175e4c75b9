import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { fixtures, readFixture } from '../fixtures.ts';
import { readBlob, readByBlob } from './blob-reader.ts';
import { compareSections, dumpLines } from './compare-lines.ts';

/** QEMU was told to leave its description out, or could not send one. */
const described = fixtures.filter(({ name }) => readBlob(Buffer.from(readFixture(name))) !== undefined);

test('most fixtures carry a description', () => {
  expect(described.length).toBeGreaterThan(fixtures.length / 2);
});

describe.each(described)('$name', ({ name }) => {
  test("what is printed is what QEMU's own description says of the bytes", async () => {
    const bytes = Buffer.from(readFixture(name));
    const expected = readByBlob(bytes, readBlob(bytes)!);
    const { problems, sections } = compareSections(expected, await dumpLines(memorySource(bytes)));
    expect(problems).toEqual([]);
    expect(sections).toBeGreaterThan(0);
  });
});
