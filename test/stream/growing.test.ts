import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GrowingSource } from '../../src/bytes/growing-source.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { watchedSource } from '../../src/bytes/watched-source.ts';
import { openStream } from '../../src/layout/open.ts';
import { findIterativeScanner } from '../../src/ram/iterative.ts';
import { scanStream } from '../../src/stream/scan.ts';
import type { ScanOptions } from '../../src/stream/stream.ts';
import { type Fixture, fixtures, readFixture } from '../fixtures.ts';

const options: ScanOptions = { scannerFor: (found) => findIterativeScanner(found.idstr)?.(found) };

/** All that a scan finds, but for the source. */
async function framing(bytes: Uint8Array | GrowingSource): Promise<unknown> {
  const source = bytes instanceof GrowingSource ? bytes : memorySource(bytes);
  const { source: _, sections, diagnostics, ...stream } = await scanStream(source, options);
  return { ...stream, diagnostics, sections: sections.map(({ scanner, ...section }) => section) };
}

/** Adds bytes in pieces of these lengths, over and over, each after those who wait have been served. */
async function feed(source: GrowingSource, bytes: Uint8Array, lengths: readonly number[]): Promise<void> {
  for (let pos = 0, i = 0; pos < bytes.length; i++) {
    const length = lengths[i % lengths.length]!;
    source.append(bytes.subarray(pos, pos + length));
    pos += length;
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }
  source.finish();
}

const small = [...fixtures].sort((a, b) => a.size - b.size);

describe('a stream that arrives piece by piece', () => {
  test.each(fixtures)('$name is framed as the whole one', async ({ name }) => {
    const bytes = readFixture(name);
    const source = new GrowingSource();
    const fed = feed(source, bytes, [1000, 70_000, 3, 400_000]);
    expect(await framing(source)).toEqual(await framing(bytes));
    await fed;
    expect(source.size).toBe(bytes.length);
  });

  test('is framed as the whole one where it is cut or damaged, too', async () => {
    const fixture = fc.constantFrom<Fixture>(...small.slice(0, 12));
    const damage = fc.record({ place: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(
        fixture,
        fc.array(damage, { maxLength: 3 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 4 }),
        async ({ name }, damages, cut, lengths) => {
          const whole = Uint8Array.from(readFixture(name));
          for (const { place, byte } of damages) whole[8 + Math.floor(place * (whole.length - 9))] = byte;
          const bytes = whole.subarray(0, 8 + Math.ceil(cut * (whole.length - 8)));
          const source = new GrowingSource();
          const fed = feed(source, bytes, [...lengths, 20_000]);
          expect(await framing(source)).toEqual(await framing(bytes));
          await fed;
        },
      ),
      { numRuns: 30 },
    );
  });

  test('is framed up to what has arrived', async () => {
    const bytes = readFixture('qemu-7.2-pc-devices');
    const { records } = (await openStream(memorySource(bytes))).stream;
    const device = records.findIndex((record) => record.kind === 'section' && record.type === 'SECTION_FULL');
    const framed = records[device + 3]!.range.end;
    // To be sure of a footer, a section header behind it is looked at, of up to 269 bytes.
    const arrived = framed + 300;
    const source = new GrowingSource();
    source.append(bytes.subarray(0, arrived));
    const scanned = new Promise<number>((resolve) => {
      const onProgress = (offset: number) => {
        if (offset >= framed) resolve(offset);
      };
      void scanStream(source, { ...options, onProgress });
    });
    expect(await scanned).toBeLessThanOrEqual(arrived);
    expect(source.size).toBeUndefined();
    source.append(bytes.subarray(arrived));
    source.finish();
  });

  test('is described when it has ended', async () => {
    const bytes = readFixture('qemu-7.2-pc-devices');
    const source = new GrowingSource();
    const fed = feed(source, bytes, [100_000]);
    const { stream, schema } = await openStream(source);
    await fed;
    const whole = await openStream(memorySource(bytes));
    expect(stream.records).toEqual(whole.stream.records);
    expect(schema).toEqual(whole.schema);
  });

  test('fails where the connection does', async () => {
    const source = new GrowingSource();
    source.append(readFixture('qemu-7.2-pc-devices').subarray(0, 5000));
    const scan = scanStream(source, options);
    source.fail(new Error('connection reset'));
    await expect(scan).rejects.toThrow('connection reset');
    await expect(source.end()).rejects.toThrow('connection reset');
  });

  test('is waited for until that is stopped', async () => {
    const stop = new AbortController();
    const source = new GrowingSource();
    source.append(readFixture('qemu-7.2-pc-devices').subarray(0, 5000));
    const scan = scanStream(watchedSource(source, { signal: stop.signal }), options);
    stop.abort(new Error('enough'));
    await expect(scan).rejects.toThrow('enough');
    await expect(watchedSource(source, { signal: stop.signal }).end()).rejects.toThrow('enough');
  });
});
