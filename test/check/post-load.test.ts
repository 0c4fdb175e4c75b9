import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { checkStream } from '../../src/check/check.ts';
import type { Finding } from '../../src/check/finding.ts';
import { walk } from '../../src/layout/node.ts';
import { layoutOf, openStream } from '../../src/layout/open.ts';
import { blocking, checkLoad, destinationOf, hasSaid, openBytes, recorded } from './recorded.ts';
import { patch } from './splice.ts';

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
  const opened = await openStream(memorySource(bytes));
  const section = opened.stream.sections.find(({ idstr }) => idstr.endsWith(device));
  if (!section) throw new Error(`there is no ${device} in ${id}`);
  const node = [...walk((await layoutOf(opened, section)).root)].find(
    ({ node: at }) => at.kind === 'leaf' && at.name === field,
  )?.node;
  if (!node) throw new Error(`there is no ${field} in ${device}`);
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

test.each(['7.2 to 7.2', '11.1 to 11.1'])(
  'a codec without the stream that another one has, %s',
  async (versions) => {
    const load = recorded(`device-hda ab ${versions}`);
    const [finding] = blocking(await checkLoad(load));
    expect(finding?.rule).toBe('null-pointer');
    expect(hasSaid(load.words, finding!.says!), finding!.says).toBe(true);
    expect(blocking(await checkLoad(recorded('device-hda ba 7.2 to 7.2')))).toEqual([]);
  },
);
