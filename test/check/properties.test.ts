import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { checkStream } from '../../src/check/check.ts';
import { Destination } from '../../src/check/destination.ts';
import { type CheckReport, report } from '../../src/check/finding.ts';
import { checkHeader } from '../../src/check/header.ts';
import { openStream } from '../../src/layout/open.ts';
import { fixtures, readFixture } from '../fixtures.ts';
import { readBlob } from '../layout/blob-reader.ts';
import { blocking, destinationOf, openBytes, tablesOf } from './recorded.ts';
import { soundnessProblems } from './sound.ts';

/** Streams up to this size; larger ones take long, and have more RAM or more of the same devices. */
const SMALL = 135_000;
const own = fixtures.filter(
  ({ size, target, name }) => size < SMALL && target !== 'avr' && target !== 'i386' && !/postcopy/.test(name),
);
/**
 * What is to be said of the others: one is not even loaded by the QEMU that wrote it, which aborts over its SD card
 * (`sd-spi-stellaris 10.0 to 10.0` of the recorded loads); one has its pages in channels that are not given here, and
 * a QEMU without the capability loads it and leaves the memory empty.
 */
const FOUND: Readonly<Record<string, readonly string[]>> = {
  'qemu-10.0-arm-lm3s6965evb': ['post-load sd-card'],
  'qemu-11.1-multifd-zlib': ['capabilities ram'],
};
const versionOf = (text: string) => /^\d+\.\d+/.exec(text)![0];

test.each(own.map((fixture) => [fixture.name, fixture] as const))(
  '%s is not refused by the QEMU that wrote it',
  async (name, { qemuVersion, target }) => {
    const bytes = readFixture(name);
    const version = versionOf(qemuVersion);
    const opened = await openBytes(bytes);
    const without = await destinationOf(bytes, version, target, { tables: false });
    expect(blocking(await checkStream(opened, without))).toEqual([]);
    const { findings } = await checkStream(opened, await destinationOf(bytes, version, target));
    const places = findings
      .filter(({ severity }) => severity !== 'note')
      .map(({ rule, section }) => `${rule} ${section}`);
    expect(places).toEqual(FOUND[name] ?? []);
    const tables = new Destination({ tables: await tablesOf(version, target) });
    expect(blocking(await checkStream(opened, tables))).toEqual([]);
  },
);

/** What holds of every report, whatever is checked. */
function expectSound(found: CheckReport, size: number): void {
  expect(soundnessProblems(found, size)).toEqual([]);
}

/** Check, as the command does it; undefined where it is no stream at all. */
async function checkBytes(bytes: Uint8Array, destination: Destination): Promise<CheckReport | undefined> {
  const source = memorySource(bytes);
  try {
    return await checkStream(await openStream(source), destination);
  } catch (error) {
    if (!(error instanceof DecodeError) || error.code !== 'not-a-stream') throw error;
    return checkHeader(source);
  }
}

const DAMAGED = [
  ['qemu-11.1-sparc64-sun4u', 20],
  ['qemu-7.2-machine-2.0', 20],
  ['qemu-7.2-sparc-ss5', 20],
  ['qemu-11.1-ignore-shared', 8],
] as const;

describe.each(DAMAGED)('%s with damage', (name, numRuns) => {
  const bytes = readFixture(name);
  const fixture = fixtures.find((each) => each.name === name)!;
  const destination = destinationOf(bytes, versionOf(fixture.qemuVersion), fixture.target);
  /** Places among the devices as often as in RAM. */
  const devicesEnd = readBlob(Buffer.from(bytes))?.start ?? bytes.length;
  const place = fc.oneof(
    fc.integer({ min: 0, max: bytes.length - 1 }),
    fc.integer({ min: Math.max(0, devicesEnd - 8000), max: devicesEnd - 1 }),
  );

  test('flipped bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
        async (flips) => {
          const damaged = Uint8Array.from(bytes);
          for (const [at, bits] of flips) damaged[at]! ^= bits;
          const found = await checkBytes(damaged, await destination);
          if (found) expectSound(found, damaged.length);
        },
      ),
      { numRuns },
    );
  });

  test('cut off: refused wherever it ends before its end-of-file record', async () => {
    const opened = await openStream(memorySource(bytes));
    const eof = opened.stream.records.find(({ kind }) => kind === 'eof')!.range.start;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: eof }), async (length) => {
        const found = await checkBytes(bytes.subarray(0, length), await destination);
        expect(found?.verdict).toBe('will be rejected');
        expectSound(found!, length);
      }),
      { numRuns },
    );
  });

  test('a destination whose own stream is damaged', async () => {
    const opened = await openBytes(bytes);
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), async (at, bits) => {
        fc.pre(at >= 8);
        const damaged = Uint8Array.from(bytes);
        damaged[at]! ^= bits;
        const strange = await destinationOf(damaged, versionOf(fixture.qemuVersion), fixture.target);
        expectSound(await checkStream(opened, strange), bytes.length);
      }),
      { numRuns: Math.ceil(numRuns / 4) },
    );
  });
});

test('a report puts first what blocks, then the order of the stream', () => {
  const finding = fc.record({
    rule: fc.constantFrom('uuid' as const, 'pci-config' as const),
    severity: fc.constantFrom('blocks' as const, 'suspicious' as const, 'note' as const),
    message: fc.constant('x'),
    range: fc.integer({ min: 0, max: 99 }).map((start) => ({ start, end: start + 1 })),
  });
  fc.assert(
    fc.property(fc.array(finding), fc.option(fc.string(), { nil: undefined }), (findings, reason) => {
      const { findings: sorted, verdict } = report('x', findings, reason);
      expect(sorted.length).toBe(findings.length);
      const blocks = sorted.filter(({ severity }) => severity === 'blocks');
      expect(sorted.slice(0, blocks.length)).toEqual(blocks);
      const starts = blocks.map(({ range }) => range!.start);
      expect(starts).toEqual([...starts].sort((a, b) => a - b));
      expect(verdict).toBe(
        blocks.length > 0 ? 'will be rejected' : reason === undefined ? 'no blocker found' : 'cannot tell',
      );
    }),
  );
});
