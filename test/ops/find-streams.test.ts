import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { type FoundStream, findStreams } from '../../src/ops/find-streams.ts';
import { readFixture } from '../fixtures.ts';

const withConfiguration = readFixture('qemu-5.2-isapc');
const withoutConfiguration = readFixture('qemu-7.2-machine-2.0');

async function found(bytes: Uint8Array): Promise<FoundStream[]> {
  const streams: FoundStream[] = [];
  for await (const stream of findStreams(memorySource(bytes))) streams.push(stream);
  return streams;
}

/** Windows are loaded in reads of 64 KiB and then 2 MiB: streams on and around all borders of them. */
const borders = [64 << 10, (64 << 10) + (2 << 20), (64 << 10) + 2 * (2 << 20)];

test('finds streams wherever they begin', async () => {
  for (const shift of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 300]) {
    const bytes = new Uint8Array(7 << 20).fill(0x51);
    const offsets = borders.map((border) => border - shift);
    for (const offset of offsets) bytes.set(withConfiguration.subarray(0, 2000), offset);
    const streams = await found(bytes);
    expect(streams.map(({ offset }) => offset)).toEqual(offsets);
    expect(new Set(streams.map(({ machineType }) => machineType))).toEqual(new Set(['isapc']));
  }
});

test('says what a stream begins with', async () => {
  const bytes = new Uint8Array(400_000);
  bytes.set(withConfiguration, 100);
  bytes.set(withoutConfiguration, 100_000);
  bytes.set([0x51, 0x45, 0x56, 0x4d, 0, 0, 0, 3, 0x99], 300_000);
  bytes.set([0x51, 0x45, 0x56, 0x4d, 0, 0, 0, 2, 7], 350_000);
  bytes.set([0x51, 0x45, 0x56, 0x4d, 0, 0, 0, 3, 7, 0, 0, 0, 2, 0x70], 400_000 - 14);
  expect(await found(bytes)).toEqual([
    { offset: 100, plausible: true, machineType: 'isapc', firstSection: undefined },
    { offset: 100_000, plausible: true, machineType: undefined, firstSection: 'ram' },
    { offset: 300_000, plausible: false, machineType: undefined, firstSection: undefined },
    { offset: 399_986, plausible: false, machineType: undefined, firstSection: undefined },
  ]);
});

test('finds nothing in nothing', async () => {
  expect(await found(new Uint8Array(0))).toEqual([]);
  expect(await found(new Uint8Array(7).fill(0x51))).toEqual([]);
});
