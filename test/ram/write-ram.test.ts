import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { splicedSource } from '../../src/bytes/splice.ts';
import { openStream } from '../../src/layout/open.ts';
import type { RamSummary } from '../../src/ram/ram.ts';
import type { RamBlock } from '../../src/ram/ram-block.ts';
import { type RamBodyOptions, RamBodyWriter, writeBlockList } from '../../src/ram/write-ram.ts';
import { writeSectionFooter, writeSectionHeader } from '../../src/stream/section-header.ts';
import { recordPieces } from '../../src/stream/write-records.ts';
import { fixtures, openFixture, readFixture } from '../fixtures.ts';
import { bytes as joined } from './section-bytes.ts';

const PAGE = 4096;

/** Pages that follow each other in a RAMBlock: their content, or how many bytes of them are zeros. */
interface PageRun {
  readonly block: string;
  readonly offset: number;
  readonly content: Uint8Array | number;
}

interface RamOfStream {
  readonly summary: RamSummary;
  /** In the order of the stream. */
  readonly runs: readonly PageRun[];
}

/** Pages of a stream that has plain and zero ones only; undefined for others. */
async function ramOf(content: Uint8Array): Promise<RamOfStream | undefined> {
  const runs: PageRun[] = [];
  let isPlain = true;
  const { stream } = await openStream(memorySource(content), {
    sink: {
      needsContent: true,
      pages({ idstr: block }, first, count, kind, pageSize, value) {
        for (let i = 0; i < count; i++) {
          const offset = first + i * pageSize;
          const place = value + i * (pageSize + 8);
          if (kind === 'plain') runs.push({ block, offset, content: content.slice(place, place + pageSize) });
          else if (kind === 'zero') runs.push({ block, offset, content: pageSize });
          else isPlain = false;
        }
      },
    },
  });
  const summary = stream.sections.find(({ idstr }) => idstr === 'ram')?.scanner?.summary() as RamSummary;
  return isPlain && runs.length > 0 ? { summary, runs } : undefined;
}

function hashOf(runs: readonly PageRun[]): string {
  const hash = createHash('sha256');
  for (const { block, offset, content } of runs) {
    hash.update(`${block} ${offset} `);
    hash.update(typeof content === 'number' ? `${content}` : content);
  }
  return hash.digest('hex');
}

async function collect(runs: Iterable<PageRun>, options: RamBodyOptions): Promise<Uint8Array[]> {
  const bodies: Uint8Array[] = [];
  // The first is waited for, and then none.
  const take = (body: Uint8Array) => {
    bodies.push(body.slice());
    return bodies.length === 1 ? Promise.resolve() : undefined;
  };
  const writer = new RamBodyWriter(take, options);
  for (const { block: idstr, offset, content } of runs) {
    const block = { idstr, length: 2 ** 50 };
    if (typeof content === 'number') await writer.fill(block, offset, content, 0);
    else await writer.pages(block, offset, content.length / options.pageSize, content, 0, options.pageSize);
  }
  await writer.finish();
  return bodies;
}

describe('RAM of streams that QEMU wrote', () => {
  test('is written as QEMU wrote it, where all is in one body', async () => {
    const compared: string[] = [];
    for (const { name } of fixtures) {
      const content = readFixture(name);
      const ram = await ramOf(content);
      const { multifdFlush = 1, hook = 1, pageSize = 0 } = ram?.summary ?? {};
      if (!ram || multifdFlush + hook > 0) continue;
      const { stream } = await openStream(openFixture(name));
      // At the switch to postcopy QEMU begins anew, and names the block again.
      if (stream.records.some((record) => record.kind === 'command' && record.name === 'PACKAGED')) continue;
      const { records } = stream.sections.find(({ idstr }) => idstr === 'ram')!;
      const [start, ...further] = records.map(({ body }) => content.subarray(body.start, body.end));
      expect(Buffer.from(writeBlockList(ram.summary.blocks)).equals(start!), name).toBe(true);
      // Each of QEMU's bodies is ended by an EOS record.
      const [body] = await collect(ram.runs, { pageSize, most: 2 * content.length });
      const expected = joined(...further.map((part) => part.subarray(0, -8)));
      expect(Buffer.from(body!.subarray(0, -8)).equals(expected), name).toBe(true);
      compared.push(name);
    }
    expect(compared.length).toBeGreaterThan(fixtures.length / 2);
  });

  test('comes out of bodies of any size as it went in', async () => {
    const name = 'qemu-7.2-pc-devices';
    const content = readFixture(name);
    const { runs, summary } = (await ramOf(content))!;
    const { stream, source } = await openStream(openFixture(name));
    for (const most of [1, 2 * PAGE, 100_000]) {
      const bodies = await collect(runs, { pageSize: PAGE, most });
      expect(Math.max(...bodies.map(({ length }) => length))).toBeLessThanOrEqual(
        Math.max(most, 8 + 256 + PAGE + 8),
      );
      const pieces = stream.records.flatMap((record) => {
        if (record.kind !== 'section' || record.idstr !== 'ram' || record.type === 'SECTION_START')
          return recordPieces(record);
        if (record.type === 'SECTION_PART') return [];
        return bodies.flatMap((body, i) => [
          writeSectionHeader(i === bodies.length - 1 ? 'SECTION_END' : 'SECTION_PART', record),
          body,
          writeSectionFooter(record.id),
        ]);
      });
      const spliced = splicedSource(source, pieces);
      const written = await spliced.read(0, spliced.size);
      const again = (await ramOf(written))!;
      expect(again.summary.pages).toEqual(summary.pages);
      expect(hashOf(again.runs)).toBe(hashOf(runs));
      expect((await openStream(memorySource(written))).diagnostics).toEqual([]);
    }
  });
});

describe('pages', () => {
  const options = { pageSize: PAGE, most: 1 << 20 };

  test('that are none are written as none', async () => {
    expect(await collect([], options)).toEqual([]);
    expect(await collect([{ block: 'a', offset: 0, content: 0 }], options)).toEqual([]);
  });

  test('that are all zeros are known as such', async () => {
    const zeros = await collect([{ block: 'a', offset: PAGE, content: new Uint8Array(2 * PAGE) }], options);
    expect(zeros).toEqual(await collect([{ block: 'a', offset: PAGE, content: 2 * PAGE }], options));
    expect(zeros[0]?.length).toBe(8 + 2 + 1 + 8 + 1 + 8);
  });

  test('at offsets beyond 4 GiB keep them', async () => {
    const [body] = await collect([{ block: 'a', offset: 2 ** 40, content: PAGE }], options);
    expect(new DataView(body!.buffer, body!.byteOffset).getBigUint64(0)).toBe((2n ** 40n) | 2n);
  });

  test('that are full of another byte are plain', async () => {
    const bodies: Uint8Array[] = [];
    const writer = new RamBodyWriter((body) => void bodies.push(body.slice()), options);
    await writer.fill({ idstr: 'a', length: PAGE }, 0, PAGE, 7);
    await writer.finish();
    expect(writer.written).toEqual({ plain: 1, zero: 0 });
    expect(bodies).toEqual(
      await collect([{ block: 'a', offset: 0, content: new Uint8Array(PAGE).fill(7) }], options),
    );
  });

  test('in part are refused', async () => {
    await expect(collect([{ block: 'a', offset: 1, content: PAGE }], options)).rejects.toThrow(
      /no pages of 4096/,
    );
    await expect(collect([{ block: 'a', offset: 0, content: 7 }], options)).rejects.toThrow(
      /7 bytes at 0 of RAMBlock 'a'/,
    );
  });
});

test('addresses and page sizes of blocks are written, mapped blocks refused', () => {
  const block: RamBlock = { idstr: 'a', length: 0x200000, pageSize: 0x200000, address: 1n << 63n };
  const list = writeBlockList([block]);
  const view = new DataView(list.buffer, list.byteOffset);
  expect([view.getBigUint64(0), view.getBigUint64(18), view.getBigUint64(26)]).toEqual([
    0x200004n,
    0x200000n,
    1n << 63n,
  ]);
  const mapped = { version: 1, pageSize: PAGE, bitmapOffset: 0, pagesOffset: 0 };
  expect(() => writeBlockList([{ ...block, mapped }])).toThrow(/mapped/);
});
