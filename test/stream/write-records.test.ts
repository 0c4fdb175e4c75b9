import { describe, expect, test } from 'vitest';
import { type FinishedSource, memorySource, readExactly } from '../../src/bytes/source.ts';
import { splicedSource } from '../../src/bytes/splice.ts';
import { Window } from '../../src/bytes/window.ts';
import { openStream } from '../../src/layout/open.ts';
import { commandPayload } from '../../src/stream/commands.ts';
import { readConfigurationRecord, writeConfiguration } from '../../src/stream/configuration.ts';
import type { Configuration, StreamRecord } from '../../src/stream/records.ts';
import { recordPieces } from '../../src/stream/write-records.ts';
import { fixtures, openFixture, readFixture } from '../fixtures.ts';

function all(source: FinishedSource): Promise<Uint8Array> {
  return readExactly(source, 0, source.size);
}

function inPackages(records: readonly StreamRecord[]): StreamRecord[] {
  return records.flatMap((record) =>
    record.kind === 'command' && record.detail?.command === 'PACKAGED'
      ? [record, ...inPackages(record.detail.records)]
      : [record],
  );
}

describe('a stream that QEMU wrote', () => {
  test.each(fixtures)('$name is written again as it was', async ({ name }) => {
    const source = openFixture(name);
    const { stream } = await openStream(source);
    expect(stream.records.filter(({ kind }) => kind === 'gap')).toEqual([]);
    const written = await all(splicedSource(source, stream.records.flatMap(recordPieces)));
    expect(Buffer.from(written).equals(readFixture(name))).toBe(true);
    // What is taken over from the stream is what devices wrote, and the text of the vmdesc.
    for (const record of inPackages(stream.records)) {
      const taken = recordPieces(record).filter((piece) => !(piece instanceof Uint8Array));
      if (record.kind === 'section') expect(taken).toEqual([record.body]);
      else if (record.kind === 'vmdescription') expect(taken).toEqual([record.json]);
      else if (record.kind !== 'command') expect(taken).toEqual([]);
    }
  });

  test('has commands of all kinds in some fixture', async () => {
    const found = new Set<string>();
    for (const { name } of fixtures) {
      const bytes = readFixture(name);
      for (const record of inPackages((await openStream(openFixture(name))).stream.records)) {
        if (record.kind !== 'command' || !record.detail || record.detail.command === 'PACKAGED') continue;
        found.add(record.detail.command);
        expect(commandPayload(record.detail)).toEqual(
          Uint8Array.from(bytes.subarray(record.payload.start, record.payload.end)),
        );
      }
    }
    expect(found).toEqual(new Set(['PING', 'POSTCOPY_ADVISE', 'POSTCOPY_RAM_DISCARD']));
  });
});

describe('a configuration', () => {
  const configurations: Readonly<Record<string, Configuration>> = {
    'of a machine alone': {
      machineType: 'pc-i440fx-2.4',
      capabilities: undefined,
      targetPageBits: undefined,
      uuid: undefined,
    },
    'with all subsections': {
      machineType: 'virt-11.1',
      capabilities: ['xbzrle', 'validate-uuid'],
      targetPageBits: 12,
      uuid: '00112233445566778899aabbccddeeff',
    },
    'without capabilities that are on': {
      machineType: '',
      capabilities: [],
      targetPageBits: 0,
      uuid: 'f'.repeat(32),
    },
  };

  test.each(Object.entries(configurations))('%s is read as it was written', async (_, configuration) => {
    const bytes = writeConfiguration(configuration);
    const window = new Window(memorySource(bytes), 1);
    const { kind, range, body, ...read } = await readConfigurationRecord(window, 0, undefined);
    expect(read).toEqual(configuration);
    expect(range).toEqual({ start: 0, end: bytes.length });
  });

  test('that cannot be written is refused', () => {
    const { 'with all subsections': all } = configurations;
    expect(() => writeConfiguration({ ...all!, uuid: 'x' })).toThrow(/no UUID/);
    expect(() => writeConfiguration({ ...all!, capabilities: ['c'.repeat(256)] })).toThrow(/256 bytes/);
    expect(() => writeConfiguration({ ...all!, targetPageBits: -1 })).toThrow(/-1 is no unsigned/);
  });
});
