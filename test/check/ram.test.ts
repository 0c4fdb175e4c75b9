import { describe, expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import type { DestinationFacts, DestinationRamBlock } from '../../src/check/destination.ts';
import type { CheckReport } from '../../src/check/finding.ts';
import { readFixture } from '../fixtures.ts';
import { blocking, checkLoad, destinationOf, hasSaid, loads, openBytes, recorded } from './recorded.ts';

const factsOf = (...ramBlocks: DestinationRamBlock[]): DestinationFacts => ({
  ramBlocks,
  capabilities: [],
  barSizes: () => undefined,
  devices: () => [],
  virtioFeatures: () => undefined,
});

const ofRam = ({ findings }: CheckReport, ...rules: string[]) =>
  findings.filter(({ rule }) => rules.includes(rule));

describe('what QEMU said', () => {
  const cases = loads.filter(
    ({ id, kind, words }) =>
      !kind.startsWith('damaged') &&
      kind !== 'cut' &&
      // Not those that fw_cfg resizes when it is loaded: no list of blocks says so.
      !/fw_cfg/.test(id) &&
      words.some((line) => /Unknown ramblock|Size mismatch|Size too large/.test(line)),
  );
  const firstOfSet = new Map(cases.map((load) => [`${load.set} ${load.id.split(' ')[1]}`, load.id]));

  test('is there to compare with', () => {
    expect(firstOfSet.size).toBeGreaterThan(15);
  });

  test.each([...firstOfSet.values()])('%s', async (id) => {
    const load = recorded(id);
    const report = await checkLoad(load, { tables: false });
    expect(report.verdict).toBe('will be rejected');
    const says = ofRam(report, 'unknown-ram-block', 'ram-block-size').map((finding) => finding.says!);
    // QEMU stops at the first in the order of the stream's list.
    expect(
      says.some((line) => hasSaid(load.words, line)),
      says.join(),
    ).toBe(true);
    expect(hasSaid(load.words, says[0]!), says[0]).toBe(true);
  });

  test.each(
    loads
      .filter(({ kind, loaded, id }) => kind === 'memory' && loaded && / 7.2 to 7.2$/.test(id))
      .map(({ id }) => id),
  )('%s is loaded', async (id) => {
    const report = await checkLoad(recorded(id), { tables: false });
    expect(ofRam(report, 'unknown-ram-block', 'ram-block-size')).toEqual([]);
  });
});

describe('lengths', () => {
  const load = recorded('memory-bios ab 7.2 to 7.2');
  const [line] = load.words;
  // pc.bios: 128 KiB here, 256 KiB there.
  const check = (facts: DestinationFacts) => checkLoad(load, { tables: false, facts });

  test('the case is about pc.bios', () => {
    expect(line).toContain('Size mismatch: pc.bios: 0x20000 != 0x40000');
  });

  test('a block whose monitor says that it cannot be resized', async () => {
    const report = await check(factsOf({ idstr: 'pc.bios', usedLength: 0x40000, maxLength: 0x40000 }));
    expect(ofRam(report, 'ram-block-size')[0]!.says).toBe(
      'Size mismatch: pc.bios: 0x20000 != 0x40000: Invalid argument',
    );
  });

  test('one that can (qemu_ram_resize)', async () => {
    const resizable = await check(factsOf({ idstr: 'pc.bios', usedLength: 0x40000, maxLength: 0x80000 }));
    expect(ofRam(resizable, 'ram-block-size')).toEqual([]);
    expect(ofRam(resizable, 'ram-block-resized')).toMatchObject([{ severity: 'note' }]);
  });

  test('one that is there not long enough', async () => {
    const grown = recorded('memory-bios-padded ab 7.2 to 7.2');
    const report = await checkLoad(grown, {
      tables: false,
      facts: factsOf({ idstr: 'pc.bios', usedLength: 0x20000, maxLength: 0x30000 }),
    });
    expect(ofRam(report, 'ram-block-size')[0]!.says).toBe(
      'Size too large: pc.bios: 0x40000 > 0x30000: Invalid argument',
    );
  });
});

describe('the section itself', () => {
  test.each(['version', 'version-5'])('%s', async (what) => {
    const load = recorded(`pc-nics@5.2 7.2 to 7.2 damaged RAM: ${what}`);
    const [first] = blocking(await checkLoad(load, { tables: false }));
    expect(first?.section).toBe('ram');
    expect(hasSaid(load.words, first!.says!), first!.says).toBe(true);
  });

  test('pages that were compressed one by one: an older destination must have it on, a newer one has it no more', async () => {
    const bytes = readFixture('qemu-5.2-compress');
    for (const [version, severity] of [
      ['7.2', 'suspicious'],
      ['9.0', 'suspicious'],
      ['9.1', 'blocks'],
      ['11.1', 'blocks'],
    ]) {
      const destination = await destinationOf(bytes, version!, 'x86_64', { tables: false });
      const report = await checkStream(await openBytes(bytes), destination);
      expect(ofRam(report, 'ram-pages')).toMatchObject([{ severity }]);
    }
  });

  test('a block of the destination that is not sent keeps its content', async () => {
    const load = recorded('missing-vga ba 7.2 to 7.2');
    expect(load.loaded).toBe(true);
    const report = await checkLoad(load, { tables: false });
    expect(ofRam(report, 'missing-ram-block').map(({ severity }) => severity)).toContain('note');
    expect(blocking(report)).toEqual([]);
  });
});
