import { describe, expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import type { Finding } from '../../src/check/finding.ts';
import { blocking, checkLoad, destinationOf, hasSaid, loads, openBytes, recorded } from './recorded.ts';
import { nodeNamed, patch, splice } from './splice.ts';

/** Findings that block a stream that real QEMU loaded, when the first field of that name in a section is another. */
async function blocksWith(
  id: string,
  device: string,
  field: string,
  hex: string,
): Promise<readonly Finding[]> {
  const load = recorded(id);
  expect(load.loaded).toBe(true);
  const bytes = load.stream();
  const node = await nodeNamed(bytes, device, field);
  expect(node.end - node.start).toBe(hex.length / 2);
  const { version, target } = load.destination;
  const destination = await destinationOf(load.profile(), version, target);
  return blocking(await checkStream(await openBytes(patch(bytes, node.start, hex)), destination));
}

const STORAGE = 'pc-storage@5.2 7.2 to 7.2 bit flipped: lsiscsi-0';
const NICS = 'q35-nics@7.2 7.2 to 7.2';
const BARE = 'q35-bare@7.2 7.2 to 7.2';
const ARM_OLD = 'arm-virt-virtio@7.2 7.2 to 7.2 damaged fields: power-state';
const ARM_NEW = 'arm-virt-virtio@7.2 11.1 to 11.1 damaged fields: power-state';

describe('fields that a device refuses', () => {
  // What QEMU made of each was tried with these values in these fields of devices that had run nothing.
  test.each([
    [STORAGE, '/lsiscsi', 'msg_len', '00000009'],
    [STORAGE, '/lsiscsi', 'msg_len', 'ffffffff'],
    [STORAGE, '/mptsas', 'doorbell_cnt', '00000101'],
    [STORAGE, '/mptsas', 'doorbell_idx', '00000101'],
    [STORAGE, '/mptsas', 'reply_post_head', '0082'],
    [STORAGE, '/mptsas', 'diagnostic_idx', '05'],
    [NICS, '/vmxnet3', 'txq_num', '09'],
    [NICS, '/vmxnet3', 'event_int_idx', '19'],
    [NICS, '/e1000e', 'subsys', '1234'],
    [BARE, '/ich9_ahci', 'port_regs.cmd', '00008000'],
    [BARE, '/ich9_ahci', 'port_regs.cmd', '00004000'],
    [BARE, '/ich9_ahci', 'busy_slot', '00000020'],
    [BARE, '/ich9_ahci', 'used', '01'],
    [ARM_NEW, 'pl011', 'read_pos', '00000010'],
    [ARM_NEW, 'pl011', 'read_count', '00000011'],
  ])('%s: %s %s=%s', async (id, device, field, hex) => {
    const [finding] = await blocksWith(id, device, field, hex);
    expect(finding?.rule).toBe('post-load');
    expect(finding?.path?.at(-1)).toBe(field);
    expect(finding?.section?.endsWith(device)).toBe(true);
  });

  test.each([
    [STORAGE, '/lsiscsi', 'msg_len', '00000008'],
    [STORAGE, '/mptsas', 'reply_post_head', '0081'],
    [NICS, '/vmxnet3', 'txq_num', '08'],
    [ARM_NEW, 'pl011', 'read_pos', '0000000f'],
    [ARM_NEW, 'pl011', 'read_count', '00000010'],
    // The function is not there in 7.2.
    [ARM_OLD, 'pl011', 'read_pos', '00000020'],
  ])('%s: %s %s=%s is loaded', async (id, device, field, hex) => {
    expect(await blocksWith(id, device, field, hex)).toEqual([]);
  });

  test.each([1, 2])('sizes that ACPI tables cannot grow to: %i', async (n) => {
    for (const version of ['7.2', '11.1']) {
      const load = recorded(`q35-virtio@7.2 ${version} to ${version} bit flipped: fw_cfg-${n}`);
      const [finding] = blocking(await checkLoad(load));
      expect(finding?.rule).toBe('post-load');
      expect(hasSaid(load.words, finding!.says!), finding!.says).toBe(true);
    }
  });
});

describe('timers of the hpet, which newer QEMUs make as many of as the property says', () => {
  test.each(['hpet-timers', 'hpet-timers-many', 'hpet-timers-few'])('%s', async (what) => {
    const load = recorded(`pc-nics@5.2 11.1 to 11.1 damaged fields: ${what}`);
    expect(load.loaded).toBe(false);
    const [finding] = blocking(await checkLoad(load));
    expect(finding).toMatchObject({ rule: 'failed-validation', section: 'hpet', path: ['num_timers_save'] });
    expect(hasSaid(load.words, finding!.says!), finding!.says).toBe(true);
  });

  // Four timers instead of three, the last one twice: 7.2 loaded it, and 11.1 did not, with the words above.
  test.each([
    ['7.2', []],
    ['11.1', [{ rule: 'failed-validation', section: 'hpet', path: ['num_timers_save'] }]],
  ])('one more of them in a sound section, %s', async (version, expected) => {
    const load = recorded(`pc-nics@5.2 ${version} to ${version} damaged fields: hpet-timers`);
    const own = load.profile();
    const timers = await nodeNamed(own, 'hpet', 'timer');
    const last = own.subarray(timers.end - (timers.end - timers.start) / 3, timers.end);
    const stream = splice(patch(own, timers.start - 1, '04'), timers.end, timers.end, last);
    const destination = await destinationOf(own, version, 'x86_64');
    expect(blocking(await checkStream(await openBytes(stream), destination))).toMatchObject(expected);
  });
});

describe('requests in flight, of which there are none', () => {
  // What real QEMU 7.2 and 11.1 made of each: it reads a request as long as what announces it is positive.
  test.each(['01', '02', '03', '09', '7f'])('announced by %s', async (hex) => {
    const [finding] = await blocksWith(STORAGE, '/scsi-disk', 'requests', hex);
    expect(finding).toMatchObject({
      rule: 'section-layout',
      says: expect.stringContaining('section footer'),
    });
    expect(finding?.section?.endsWith('/scsi-disk')).toBe(true);
  });

  test.each(['80', 'ff'])('ended by %s', async (hex) => {
    expect(await blocksWith(STORAGE, '/scsi-disk', 'requests', hex)).toEqual([]);
  });
});

describe('SD cards over SPI', () => {
  const card = { rule: 'post-load', section: 'sd-card', path: [] };

  test.each([
    ['sifive', '7.2 to 7.2'],
    ['sifive', '10.0 to 10.0'],
    ['sifive', '11.1 to 11.1'],
    ['stellaris', '7.2 to 7.2'],
    ['stellaris', '7.2 to 10.0'],
    ['stellaris', '11.1 to 11.1'],
  ])('%s %s: QEMU aborts', async (board, versions) => {
    const load = recorded(`sd-spi-${board} ${versions}`);
    expect(load.loaded).toBe(false);
    const [finding] = blocking(await checkLoad(load));
    expect(finding).toMatchObject(card);
    expect(hasSaid(load.words, `…${finding!.says!}`)).toBe(true);
  });

  test.each(['sifive', 'stellaris'])('%s, QEMU 5.2: loads', async (board) => {
    const load = recorded(`sd-spi-${board} 5.2 to 5.2`);
    expect(load.loaded).toBe(true);
    expect(blocking(await checkLoad(load))).toEqual([]);
  });
});

describe('engines of AHCI that are on without bus mastering', () => {
  const engines = loads.filter(({ kind }) => kind === 'engines without bus mastering');

  test('some are loaded and some are refused, by versions with one mapping and with bytes for them', () => {
    const seen = new Set(engines.map(({ loaded, destination }) => `${destination.version} ${loaded}`));
    for (const version of ['7.2', '10.0', '11.1'])
      for (const loaded of [true, false]) expect([...seen]).toContain(`${version} ${loaded}`);
  });

  test.each(engines.map((load) => [load.id, load] as const))('%s', async (_, load) => {
    const [finding] = blocking(await checkLoad(load));
    expect(finding === undefined).toBe(load.loaded);
    if (!finding) return;
    expect(finding).toMatchObject({ rule: 'post-load' });
    expect(finding.section?.endsWith('ich9_ahci')).toBe(true);
    expect(hasSaid(load.words, finding.says!), finding.says).toBe(true);
  });
});
