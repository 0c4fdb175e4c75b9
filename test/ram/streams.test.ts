import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type ByteSource, memorySource } from '../../src/bytes/source.ts';
import { findIterativeScanner, type IterativeScanner } from '../../src/ram/iterative.ts';
import { scanStream } from '../../src/stream/scan.ts';
import type { Stream } from '../../src/stream/stream.ts';

const folder = new URL('../../fixtures/streams/', import.meta.url);
const SUFFIX = '.qevm.gz';
const names = readdirSync(folder).flatMap((file) =>
  file.endsWith(SUFFIX) ? [file.slice(0, -SUFFIX.length)] : [],
);

function sourceOf(name: string): ByteSource {
  return memorySource(gunzipSync(readFileSync(new URL(name + SUFFIX, folder))), name);
}

function scanFixture(name: string): Promise<Stream<IterativeScanner>> {
  return scanStream<IterativeScanner>(sourceOf(name), {
    scannerFor: (found) => findIterativeScanner(found.idstr)?.(found),
  });
}

describe.each(names)('%s', (name) => {
  test('every byte of the RAM section is accounted for, and nothing is wrong with the others', async () => {
    const stream = await scanFixture(name);
    for (const section of stream.sections) {
      if (!section.scanner) continue;
      const wrong = stream.diagnostics.filter(
        ({ section: idstr, severity }) => idstr === section.idstr && severity === 'error',
      );
      expect(wrong).toEqual([]);
      const summary = section.scanner.summary();
      if (summary.kind !== 'ram') continue;
      let counted = summary.headerBytes + summary.blockListBytes;
      for (const [kind, count] of Object.entries(summary.pages))
        if (kind !== 'mapped') counted += count.bytes;
      for (const { mapped, length } of summary.blocks) {
        if (mapped) counted += mapped.pagesOffset + length - mapped.bitmapOffset;
      }
      const bodies = Object.values(summary.sections).reduce((sum, count) => sum + count.bytes, 0);
      expect(counted).toBe(bodies);
      expect(summary.totalLength).toBe(summary.blocks.reduce((sum, block) => sum + block.length, 0));
    }
  });
});
