import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { checkStream } from '../../src/check/check.ts';
import { Destination } from '../../src/check/destination.ts';
import type { CheckReport } from '../../src/check/finding.ts';
import { openStream } from '../../src/layout/open.ts';
import { readFixture } from '../fixtures.ts';
import { blocking, checkLoad, destinationOf, hasSaid, openBytes, recorded, tablesOf } from './recorded.ts';
import { patch } from './splice.ts';

/** Offset behind the name and version of a subsection of the configuration. */
function contentOf(bytes: Uint8Array, subsection: string): number {
  const at = Buffer.from(bytes).indexOf(`configuration/${subsection}`, 0, 'latin1');
  if (at < 0) throw new Error(`no configuration/${subsection} is sent`);
  return at + 'configuration/'.length + subsection.length + 4;
}

/** What a QEMU with the state `own` says of the configuration of a stream. */
async function check(stream: Uint8Array, own: Uint8Array): Promise<CheckReport> {
  return checkStream(await openBytes(stream), await destinationOf(own, '7.2', 'x86_64', { tables: false }));
}

describe('machine type', () => {
  test.each([
    'pc-bare 5.2 to 7.2',
    'pc-bare 7.2 to 11.1',
    'q35-bare 11.1 to 5.2',
    'pc-nics@5.2 7.2 to 7.2 damaged framing: configuration-name',
  ])('%s', async (id) => {
    const load = recorded(id);
    const [first] = blocking(await checkLoad(load, { tables: false }));
    expect(first).toMatchObject({ rule: 'machine-type', section: 'configuration' });
    expect(hasSaid(load.words, first!.says!), first!.says).toBe(true);
  });

  test('of a QEMU alone: whether it has the machine type', async () => {
    const { configuration } = (await openBytes(recorded('pc-bare 7.2 to 5.2').stream())).stream;
    expect(configuration?.machineType).toBe('pc-i440fx-7.2');
    for (const [version, rejected] of [
      ['5.2', true],
      ['7.2', false],
      ['10.0', false],
    ] as const) {
      const tables = await tablesOf(version, 'x86_64');
      const destination = new Destination({ tables });
      const opened = await openBytes(recorded('pc-bare 7.2 to 5.2').stream());
      const rules = blocking(await checkStream(opened, destination)).map(({ rule }) => rule);
      expect({ version, rejected: rules.includes('unknown-machine-type') }).toEqual({ version, rejected });
    }
  });

  test('a stream without a configuration section', async () => {
    const load = recorded('pc-nics@5.2 7.2 to 7.2 damaged framing: no-configuration');
    const rules = blocking(await checkLoad(load, { tables: false })).map(({ rule }) => rule);
    expect(rules).toContain('missing-configuration');
  });

  test.each([
    ['property-migration-config ab 7.2 to 7.2', 'unexpected-configuration'],
    ['property-migration-section-footer ab 7.2 to 7.2', 'section-footers'],
    ['property-migration-section-footer ba 7.2 to 7.2', 'section-footers'],
    ['property-migration-section-footer ab 11.1 to 11.1', 'section-footers'],
  ])('%s', async (id, rule) => {
    const load = recorded(id);
    const [first] = blocking(await checkLoad(load, { tables: false }));
    expect(first).toMatchObject({ rule });
    expect(hasSaid(load.words, first!.says!), first!.says).toBe(true);
  });

  test('machine types up to 2.2 have none, and want none', async () => {
    const bytes = readFixture('qemu-7.2-machine-2.0');
    expect((await openBytes(bytes)).stream.configuration).toBeUndefined();
    expect(blocking(await check(bytes, bytes))).toEqual([]);
  });
});

test('the size of pages', async () => {
  const own = readFixture('qemu-7.2-aarch64-virt');
  const at = contentOf(own, 'target-page-bits');
  const bits = Buffer.from(own).readUInt32BE(at);
  const other = patch(own, at, '00000010');
  const report = await check(other, own);
  expect(blocking(report)[0]).toMatchObject({
    rule: 'target-page-bits',
    says: `Received TARGET_PAGE_BITS is 16 but local is ${bits}`,
  });
  expect(blocking(await check(own, own))).toEqual([]);
});

describe('UUID', () => {
  const own = readFixture('qemu-7.2-ignore-shared-uuid');
  const at = contentOf(own, 'uuid');
  const zero = patch(own, at, '00'.repeat(16));
  const other = patch(own, at, '0123456789abcdef0123456789abcdef');
  const uuids = (report: CheckReport) => report.findings.filter(({ rule }) => rule === 'uuid');

  test('is that of the command line', async () => {
    const { configuration } = (await openStream(memorySource(own))).stream;
    expect(configuration?.uuid).toBe(Buffer.from(own.subarray(at, at + 16)).toString('hex'));
  });

  test('another one is refused', async () => {
    const [finding] = uuids(await check(other, own));
    expect(finding).toMatchObject({ severity: 'blocks' });
    expect(finding!.says).toMatch(/^UUID received is 01234567-89ab-cdef-0123-456789abcdef and local is /);
    expect(uuids(await check(own, own))).toEqual([]);
  });

  test('of a destination without one QEMU only warns (migration/savevm.c, vmstate_uuid post_load)', async () => {
    expect(uuids(await check(other, zero)).filter(({ severity }) => severity === 'blocks')).toEqual([]);
    expect(uuids(await check(zero, own))).toMatchObject([{ severity: 'blocks' }]);
  });

  test('of a destination that does not send one nothing is known', async () => {
    const without = readFixture('qemu-7.2-multifd');
    expect(uuids(await check(other, without))).toEqual([]);
  });
});

describe('capabilities that a load compares', () => {
  const shared = readFixture('qemu-11.1-ignore-shared');
  const plain = readFixture('qemu-11.1-multifd-zlib');
  const capabilities = (report: CheckReport) => report.findings.filter(({ rule }) => rule === 'capabilities');

  test('x-ignore-shared at one side only is suspicious: it is set right before a load', async () => {
    const found = capabilities(await check(shared, plain));
    expect(found).toMatchObject([{ severity: 'suspicious' }]);
    expect(found[0]!.says).toBe('Capability x-ignore-shared is off, but received capability is on');
  });

  test('off at the source, and on in the stream of the destination', async () => {
    const found = capabilities(await check(plain, shared));
    expect(found.map(({ says }) => says)).toEqual([
      'Capability x-ignore-shared is on, but received capability is off',
    ]);
  });

  test('what the monitor of the destination tells counts', async () => {
    const facts = {
      ramBlocks: [],
      capabilities: ['x-ignore-shared', 'postcopy-ram'],
      barSizes: () => undefined,
      devices: () => [],
      virtioFeatures: () => undefined,
    };
    const destination = await destinationOf(plain, '11.1', 'x86_64', { tables: false, facts });
    expect(capabilities(await checkStream(await openBytes(shared), destination))).toEqual([]);
  });

  test('multifd is compared by none', async () => {
    expect(capabilities(await check(plain, readFixture('qemu-11.1-suppress-vmdesc')))).toEqual([]);
  });
});
