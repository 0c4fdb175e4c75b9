import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type ByteSource, memorySource } from '../../src/bytes/source.ts';
import { openStream } from '../../src/layout/open.ts';
import { nodeInflater } from '../../src/node/inflater.ts';
import {
  findIterativeScanner,
  type IterativeScanner,
  type IterativeSummary,
} from '../../src/ram/iterative.ts';
import type { RamSummary } from '../../src/ram/ram.ts';
import { scanStream } from '../../src/stream/scan.ts';
import type { Stream } from '../../src/stream/stream.ts';
import { wholeMemory } from './whole-memory.ts';

const folder = new URL('../../fixtures/streams/', import.meta.url);
const SUFFIX = '.qevm.gz';
const names = existsSync(folder)
  ? readdirSync(folder).flatMap((file) => (file.endsWith(SUFFIX) ? [file.slice(0, -SUFFIX.length)] : []))
  : [];
const has = (name: string) => names.includes(name);

function sourceOf(name: string): ByteSource {
  return memorySource(gunzipSync(readFileSync(new URL(name + SUFFIX, folder))), name);
}

function scanFixture(name: string): Promise<Stream<IterativeScanner>> {
  return scanStream<IterativeScanner>(sourceOf(name), {
    scannerFor: (found) => findIterativeScanner(found.idstr)?.(found),
  });
}

function summaryOf(stream: Stream<IterativeScanner>, idstr: string): IterativeSummary {
  const section = stream.sections.find((candidate) => candidate.idstr === idstr && candidate.scanner);
  if (!section?.scanner) throw new Error(`no section ${idstr}`);
  return section.scanner.summary();
}

async function ramOf(name: string): Promise<RamSummary> {
  return summaryOf(await scanFixture(name), 'ram') as RamSummary;
}

/** The content of each RAMBlock after all of a stream, as a hash. */
async function memoryOf(name: string): Promise<Map<string, string>> {
  const { memory } = await openStream(sourceOf(name), { memory: { inflater: nodeInflater } });
  const { blocks } = await wholeMemory(memory!);
  return new Map(
    [...blocks].map(([idstr, content]) => [idstr, createHash('sha256').update(content).digest('hex')]),
  );
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

/** What QEMU itself said after the migration (query-migrate): `normal` and `duplicate` pages, and its page size. */
describe('as many pages as QEMU counted', () => {
  test.each([
    ['v52-x86-pc-bare', 3, 335, 4096],
    ['v72-x86-q35-virtio', 5, 333, 4096],
    ['v100-aarch64-virt', 6, 36892, 4096],
    ['v72-arm-raspi0', 0, 524288, 1024],
    ['v52-avr-uno', 0, 144, 256],
    ['v100-alpha-clipper', 6, 2042, 8192],
    ['v100-s390x-ccw', 24, 4072, 4096],
    ['v72-ppc64-pseries', 4, 65532, 4096],
    ['v52-feat-live', 134, 205, 4096],
    ['v72-feat-live', 261, 205, 4096],
    ['v100-feat-live', 390, 204, 4096],
    ['v111-feat-live', 390, 204, 4096],
    ['v72-feat-background-snapshot', 133, 205, 4096],
    ['v52-feat-postcopy', 134, 205, 4096],
    ['v100-feat-postcopy', 260, 204, 4096],
    ['v100-feat-xbzrle', 262, 204, 4096],
    ['v111-feat-xbzrle', 262, 204, 4096],
    ['v52-feat-ignore-shared', 3, 79, 4096],
  ])('%s', async (name, normal, duplicate, pageSize) => {
    if (!has(name)) return;
    const { pages, pageSize: found } = await ramOf(name);
    expect({ normal: pages.plain.pages, duplicate: pages.zero.pages, pageSize: found }).toEqual({
      normal,
      duplicate,
      pageSize,
    });
  });

  test.each([
    ['v100-feat-mapped-ram', 260],
    ['v111-feat-mapped-ram', 260],
    ['v111-feat-mapped-ram-ignore-shared', 4],
  ])('%s', async (name, normal) => {
    if (!has(name)) return;
    expect((await ramOf(name)).pages.mapped.pages).toBe(normal);
  });

  test.each([
    ['v100-feat-xbzrle', 1529],
    ['v111-feat-xbzrle', 1433],
  ])('%s: bytes of XBZRLE', async (name, size) => {
    if (!has(name)) return;
    expect((await ramOf(name)).pages.xbzrle.bytes).toBe(size);
  });
});

test('the same guest has the same memory in whatever way it was sent', async () => {
  const same = [
    'v52-feat-ram-text',
    'v52-feat-compress',
    'v72-feat-ram-text',
    'v72-feat-compress',
    'v72-feat-ignore-shared-not-shared',
    'v100-feat-ram-text',
    'v100-feat-mapped-ram',
    'v100-feat-mapped-ram-multifd',
    'v111-feat-mapped-ram',
    'v111-feat-zero-page-none',
  ].filter(has);
  const hashes = await Promise.all(same.map(async (name) => [name, (await memoryOf(name)).get('ram')]));
  expect(hashes).toEqual(same.map((name) => [name, hashes[0]?.[1]]));
});

test.each(['v52', 'v72', 'v100', 'v111'])('%s: dirty bitmaps, as they were made', async (version) => {
  const name = `${version}-feat-dirty-bitmap-several`;
  if (!has(name)) return;
  const summary = summaryOf(await scanFixture(name), 'dirty-bitmap');
  expect(summary).toMatchObject({
    bitmaps: [
      { node: 'd0', name: 'disabled', granularity: 65536, enabled: false, dirty: 0, complete: true },
      { node: 'd0', name: 'raw bitmap', granularity: 65536, enabled: true, dirty: 256, complete: true },
      { node: 'd1', name: 'fine', granularity: 512, enabled: true, dirty: 2176, complete: true },
      { node: 'd1', name: 'persistent0', granularity: 65536, persistent: true, dirty: 17, complete: true },
    ],
  });
});

test.each(['v52', 'v72'])('%s: two disks', async (version) => {
  const name = `${version}-feat-block-two`;
  if (!has(name)) return;
  expect(summaryOf(await scanFixture(name), 'block')).toMatchObject({
    devices: [
      { device: 'd1', blocks: 4, covered: 4 << 20 },
      { device: 'd0', blocks: 2, covered: 2 << 20 },
    ],
    progress: 100,
  });
});
