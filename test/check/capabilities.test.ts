import { describe, expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import type { CheckReport } from '../../src/check/finding.ts';
import { parseCapability, parseParameter } from '../../src/check/migration-settings.ts';
import { readFixture } from '../fixtures.ts';
import { destinationOf, type Known, NO_FACTS, openBytes, recorded } from './recorded.ts';
import { command, firstSection, splice } from './splice.ts';

const POSTCOPY_ADVISE = 3;
const ENABLE_COLO = 8;
const base = recorded('pc-nics@5.2 7.2 to 7.2 damaged framing: command-unknown').profile();

async function checkBytes(bytes: Uint8Array, known: Known, version = '7.2'): Promise<CheckReport> {
  const destination = await destinationOf(base, version, 'x86_64', { tables: false, ...known });
  return checkStream(await openBytes(bytes), destination);
}

async function withCommand(record: Uint8Array, known: Known, version?: string) {
  const at = await firstSection(base);
  const { findings } = await checkBytes(splice(base, at, at, record), known, version);
  return findings
    .filter(({ rule }) => rule === 'capabilities' || rule === 'ram-page-size')
    .map(({ severity, says }) => [severity, says]);
}

const said = (name: string, isOn: boolean): Known => ({ capabilities: { [name]: isOn } });

describe('postcopy by the length of its ADVISE (loadvm_postcopy_handle_advise)', () => {
  const ofBitmaps = command(POSTCOPY_ADVISE);
  const ofRam = command(POSTCOPY_ADVISE, Buffer.from('00000000000010000000000000001000', 'hex'));
  const enabled = 'RAM postcopy is enabled but have 0 byte advise';
  const disabled = 'RAM postcopy is disabled but have 16 byte advise';

  test('0 bytes: dirty bitmaps alone', async () => {
    expect(await withCommand(ofBitmaps, {})).toEqual([]);
    expect(await withCommand(ofBitmaps, { facts: NO_FACTS })).toEqual([]);
    expect(await withCommand(ofBitmaps, said('postcopy-ram', false))).toEqual([]);
    expect(await withCommand(ofBitmaps, said('postcopy-ram', true))).toEqual([['blocks', enabled]]);
  });

  test('16 bytes: RAM', async () => {
    expect(await withCommand(ofRam, {})).toEqual([['note', disabled]]);
    expect(await withCommand(ofRam, { facts: NO_FACTS })).toEqual([['suspicious', disabled]]);
    expect(await withCommand(ofRam, said('postcopy-ram', false))).toEqual([['blocks', disabled]]);
    expect(await withCommand(ofRam, said('postcopy-ram', true))).toEqual([]);
  });

  test('page sizes behind the blocks', async () => {
    const { stream } = await openBytes(base);
    const summary = stream.sections.find(({ idstr }) => idstr === 'ram')?.scanner?.summary();
    if (summary?.kind !== 'ram') throw new Error('no RAM');
    const sizes = (size: number) => new Map(summary.blocks.map(({ idstr }) => [idstr, size]));
    const known = (size: number): Known => ({
      ...said('postcopy-ram', true),
      facts: { ...NO_FACTS, hostPageSizes: sizes(size) },
    });
    expect(await withCommand(ofRam, known(0x1000))).toEqual([]);
    expect(await withCommand(ofRam, known(0x200000))).toEqual([
      ['blocks', 'Postcopy needs matching RAM page sizes (s=1000 d=200000)'],
    ]);
  });
});

test('COLO needs its capability from 8.1 on (migration_incoming_enable_colo)', async () => {
  const colo = command(ENABLE_COLO);
  expect(await withCommand(colo, said('x-colo', false), '7.2')).toEqual([]);
  expect(await withCommand(colo, said('x-colo', true), '10.0')).toEqual([]);
  expect((await withCommand(colo, said('x-colo', false), '10.0')).map(([severity]) => severity)).toEqual([
    'blocks',
  ]);
});

describe('multifd', () => {
  const ofRam = async (name: string, version: string, known: Known = {}) => {
    const bytes = readFixture(name);
    const destination = await destinationOf(bytes, version, 'x86_64', { tables: false, ...known });
    const { findings } = await checkStream(await openBytes(bytes), destination);
    return findings.filter(({ section }) => section === 'ram');
  };

  test('marks of 8.0 and later are unknown to what is older', async () => {
    const found = await ofRam('qemu-11.1-multifd-zlib', '7.2');
    expect(found).toMatchObject([
      { rule: 'ram-pages', severity: 'blocks', says: 'Unknown combination of migration flags: 0x200' },
    ]);
  });

  test('the capability and the channels are needed', async () => {
    const found = await ofRam('qemu-11.1-multifd-zlib', '11.1');
    expect(found).toMatchObject([{ rule: 'capabilities', severity: 'suspicious' }]);
    expect(found[0]?.message).toContain('--channel');
    expect(await ofRam('qemu-7.2-multifd', '7.2')).toMatchObject([{ rule: 'ram-pages', severity: 'note' }]);
  });

  test('a destination with multifd waits for channels that do not come', async () => {
    const { findings } = await checkBytes(readFixture('qemu-5.2-postcopy'), said('multifd', true));
    expect(findings.filter(({ message }) => message.includes('channels that do not come'))).toMatchObject([
      { rule: 'capabilities', severity: 'blocks' },
    ]);
  });
});

test('a capability that the destination does not have', async () => {
  const bytes = readFixture('qemu-10.0-mapped-ram');
  const facts = { ...NO_FACTS, knownCapabilities: ['x-ignore-shared'] };
  const { findings } = await checkBytes(bytes, { facts });
  expect(findings.filter(({ rule }) => rule === 'capabilities')).toMatchObject([
    { severity: 'blocks', says: 'Received unknown capability mapped-ram' },
  ]);
});

describe('options', () => {
  test('what is set', () => {
    expect(parseCapability('postcopy-ram=on')).toEqual(['postcopy-ram', true]);
    expect(parseParameter('multifd-channels=4')).toEqual(['multifd-channels', '4']);
    expect(parseParameter('block-bitmap-mapping=[{"alias":"a=b"}]')[1]).toBe('[{"alias":"a=b"}]');
  });

  test.each(['postcopy-ram', 'postcopy-ram=yes', '=on', 'postcopy=on', ''])(
    'not a capability: %j',
    (text) => {
      expect(() => parseCapability(text)).toThrow();
    },
  );

  test.each(['multifd-channels', 'max-bandwidth=1', '=1'])('not a parameter: %j', (text) => {
    expect(() => parseParameter(text)).toThrow();
  });
});
