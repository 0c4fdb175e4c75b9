import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { openStream } from '../../src/layout/open.ts';
import { ramSummaries } from '../../src/ram/iterative.ts';
import { fixtures, readFixture } from '../fixtures.ts';

const postcopy = fixtures.filter(({ name }) => name.endsWith('-postcopy'));

test.each(postcopy)('$name: all that was discarded comes again', async ({ name }) => {
  const opened = await openStream(memorySource(readFixture(name)));
  expect(ramSummaries(opened.stream.sections)[0]?.missing).toEqual([]);
  expect(opened.diagnostics.filter(({ code }) => code === 'missing-pages')).toEqual([]);
});

test.each(postcopy)('$name: cut behind the switch, all that was discarded is missing', async ({ name }) => {
  const bytes = readFixture(name);
  // MIG_CMD_POSTCOPY_RUN without payload.
  const run = Buffer.from(bytes).indexOf(Buffer.from([8, 0, 5, 0, 0]));
  expect(run).toBeGreaterThan(0);
  const opened = await openStream(memorySource(bytes.subarray(0, run + 5)));
  const discarded = new Map<string, number>();
  for (const record of opened.stream.records) {
    if (record.kind !== 'command' || record.detail?.command !== 'POSTCOPY_RAM_DISCARD') continue;
    for (const { length } of record.detail.ranges) {
      const { block } = record.detail;
      discarded.set(block, (discarded.get(block) ?? 0) + Number(length) / 4096);
    }
  }
  expect(discarded.size).toBeGreaterThan(0);
  const missing = ramSummaries(opened.stream.sections)[0]?.missing ?? [];
  expect(new Map(missing.map(({ block, pages }) => [block, pages]))).toEqual(discarded);
  const named = opened.diagnostics.filter(({ code }) => code === 'missing-pages');
  expect(named).toHaveLength(discarded.size);
});
