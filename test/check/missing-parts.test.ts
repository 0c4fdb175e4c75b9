import { describe, expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import type { CheckReport } from '../../src/check/finding.ts';
import { readFixture } from '../fixtures.ts';
import {
  blocking,
  checkLoad,
  destinationOf,
  hasSaid,
  type Known,
  loads,
  NO_FACTS,
  openBytes,
  recorded,
} from './recorded.ts';

async function check(bytes: Uint8Array, own: Uint8Array, version: string, known: Known = {}) {
  const destination = await destinationOf(own, version, 'x86_64', { tables: false, ...known });
  return checkStream(await openBytes(bytes), destination);
}

const ofRule = ({ findings }: CheckReport, rule: string) => findings.filter((each) => each.rule === rule);

describe('dirty bitmaps (dirty_bitmap_load_header)', () => {
  const bytes = readFixture('qemu-10.0-dirty-bitmaps');
  const ofBitmaps = ({ findings }: CheckReport) =>
    findings.filter(({ section, rule }) => section === 'dirty-bitmap' && rule !== 'unknown-section');
  const checkBitmaps = (known: Known) => check(bytes, bytes, '10.0', known);

  async function nodes(): Promise<string[]> {
    const { stream } = await openBytes(bytes);
    const summary = stream.sections.find(({ idstr }) => idstr === 'dirty-bitmap')?.scanner?.summary();
    if (summary?.kind !== 'dirty-bitmap') throw new Error('no dirty bitmaps');
    return [...new Set(summary.bitmaps.map(({ node }) => node))];
  }

  test('nodes that are there', async () => {
    const report = await checkBitmaps({ facts: { ...NO_FACTS, blockNodes: await nodes() } });
    expect(ofBitmaps(report)).toEqual([]);
  });

  test('nodes that are not: the load goes on', async () => {
    const [first] = await nodes();
    const report = await checkBitmaps({ facts: { ...NO_FACTS, blockNodes: ['other'] } });
    expect(blocking(report)).toEqual([]);
    expect(ofRule(report, 'dirty-bitmaps')[0]).toMatchObject({
      severity: 'suspicious',
      says: `Cannot find device='${first}' nor node-name='${first}'`,
    });
  });

  test('nodes by their aliases', async () => {
    const facts = { ...NO_FACTS, blockNodes: ['other'] };
    const mapping = (alias: string) => ({
      'block-bitmap-mapping': JSON.stringify([{ 'node-name': 'other', alias, bitmaps: [] }]),
    });
    const names = await nodes();
    const left = ofRule(await checkBitmaps({ facts, parameters: mapping(names[0]!) }), 'dirty-bitmaps');
    expect(left.length).toBe(names.length - 1);
    const [unknown] = ofRule(await checkBitmaps({ facts, parameters: mapping('no') }), 'dirty-bitmaps');
    expect(unknown?.says).toBe(`Error: Unknown node alias '${names[0]}'`);
  });

  test('where nobody knows the nodes', async () => {
    const report = await checkBitmaps({ facts: NO_FACTS });
    expect(ofBitmaps(report)).toMatchObject([{ rule: 'not-checked', severity: 'note' }]);
  });
});

test('section block is unknown from 9.1 on', async () => {
  const bytes = readFixture('qemu-5.2-block');
  const own = recorded('pc-nics@5.2 7.2 to 7.2 damaged framing: command-unknown').profile();
  for (const [version, blocks] of [
    ['5.2', false],
    ['7.2', false],
    ['9.0', false],
    ['9.1', true],
    ['11.1', true],
  ] as const) {
    const found = blocking(await check(bytes, own, version)).filter(({ section }) => section === 'block');
    expect({ version, blocks: found.length > 0 }).toEqual({ version, blocks });
    if (blocks) expect(found[0]?.says).toContain("section or instance 'block' 0");
  }
});

test('the state of devices alone, as xen-save-devices-state writes it', async () => {
  const own = recorded('pc-nics@5.2 7.2 to 7.2 damaged framing: command-unknown').profile();
  const { stream } = await openBytes(own);
  const parts = stream.records.flatMap((record) =>
    record.kind === 'section' && record.type === 'SECTION_FULL'
      ? [own.subarray(record.range.start, record.range.end)]
      : [],
  );
  const bytes = Buffer.concat([own.subarray(0, 8), ...parts, Buffer.from([0])]);
  const destination = await destinationOf(own, '7.2', 'x86_64');
  const report = await checkStream(await openBytes(bytes), destination);
  // QEMU 7.2 loads it with send-configuration=off, as it is under Xen, and says "Configuration section missing" without.
  expect(blocking(report)).toEqual([]);
  expect(ofRule(report, 'missing-configuration')).toMatchObject([
    { severity: 'suspicious', says: 'Configuration section missing' },
  ]);
  expect(ofRule(report, 'missing-section').filter(({ section }) => section === 'ram')).toEqual([]);
  expect(ofRule(report, 'not-checked')).toMatchObject([{ severity: 'note' }]);
});

describe('what is in a slot', () => {
  test('another device, as its section is called, or as the monitor calls it', async () => {
    const load = loads.find(
      ({ kind, loaded, words }) =>
        !loaded && !kind.startsWith('damaged') && words.some((line) => /'0000:00:02\.0\/rtl8139'/.test(line)),
    );
    if (!load) throw new Error('no load without an rtl8139');
    const [first] = blocking(await checkLoad(load)).filter(({ rule }) => rule === 'unknown-section');
    expect(hasSaid(load.words, first!.says!)).toBe(true);
    const device = { type: 'e1000e', isOnboard: false, properties: {} };
    const facts = { ...NO_FACTS, devices: () => [device] };
    const [named] = blocking(await checkLoad(load, { facts })).filter(
      ({ rule }) => rule === 'unknown-section',
    );
    expect(named?.message).toContain('; the destination has e1000e at 0000:00:02.0');
  });
});

test('a ROM of another size: romsize=', async () => {
  const load = loads.find(({ words }) =>
    words.some((line) => /Size (mismatch|too large): [^:]*:[^:]*:[^:]*\.rom: /.test(line)),
  );
  if (!load) throw new Error('no load with a ROM of another size');
  const found = ofRule(await checkLoad(load), 'ram-block-size');
  const [, wanted] = /: (0x[0-9a-f]+) !=/.exec(load.words.join('\n')) ?? [];
  expect(found[0]?.fix).toContain(`romsize=${Number(wanted)} `);
});
