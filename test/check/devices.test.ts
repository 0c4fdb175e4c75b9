import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { checkStream } from '../../src/check/check.ts';
import type { DestinationFacts } from '../../src/check/destination.ts';
import type { CheckReport, Finding } from '../../src/check/finding.ts';
import { childrenOf, walk } from '../../src/layout/children.ts';
import type { LayoutNode } from '../../src/layout/node.ts';
import { layoutOf, openStream } from '../../src/layout/open.ts';
import {
  blocking,
  checkLoad,
  destinationOf,
  hasSaid,
  type Known,
  NO_FACTS,
  openBytes,
  recorded,
} from './recorded.ts';
import { patch } from './splice.ts';

async function first(
  id: string,
  known?: Known,
): Promise<{ finding: Finding | undefined; words: readonly string[]; report: CheckReport }> {
  const load = recorded(id);
  const report = await checkLoad(load, known);
  return { finding: blocking(report)[0], words: load.words, report };
}

describe('what a section is read as', () => {
  test.each([
    ['pc-nics@5.2 7.2 to 7.2 damaged fields: pci-version', 'field-too-large'],
    ['pc-nics@5.2 7.2 to 7.2 damaged fields: pci-irq-state', 'pci-irq-state'],
    ['pc-nics@5.2 7.2 to 7.2 damaged fields: fdc-drives', 'unequal-field'],
    ['pc-nics@5.2 7.2 to 7.2 damaged fields: pcibus-nirq', 'unequal-field'],
    ['pc-nics@5.2 7.2 to 7.2 damaged fields: vmmouse-queue', 'unequal-field'],
    ['pc-nics@5.2 7.2 to 7.2 damaged fields: hpet-timers-few', 'failed-validation'],
    ['pc-nics@5.2 7.2 to 7.2 damaged fields: subsection-version', 'section-too-new'],
    ['pc-nics@5.2 7.2 to 7.2 damaged fields: subsection-name', 'unknown-subsection'],
    ['pc-nics@5.2 7.2 to 7.2 damaged fields: globalstate-runstate', 'post-load'],
  ])('%s', async (id, rule) => {
    const { finding, words } = await first(id);
    if (rule !== 'unknown-subsection') expect(finding?.rule).toBe(rule);
    expect(hasSaid(words, finding!.says!), finding!.says).toBe(true);
  });

  test.each([
    'pci-irq-raised',
    'e1000-body',
    'apic-id',
    'cpu-regs',
    'fdc-media',
    'timer-ticks',
    'ps2-count',
    'ps2-negative',
    'i8254-channels',
    'rtc-data',
    'ide-error',
    'globalstate-size',
    'vmmouse-entries',
    'fw-cfg-entry',
    'subsection-missing',
    'subsection-twice',
    'acpi-table-size',
  ])('%s: QEMU loads it', async (what) => {
    const load = recorded(`pc-nics@5.2 7.2 to 7.2 damaged fields: ${what}`);
    expect(load.loaded).toBe(true);
    expect(blocking(await checkLoad(load))).toEqual([]);
  });

  test.each([
    ['count-cpus ab 11.1 to 11.1', 'piix4_pm'],
    ['count-cpus-q35 ab 11.1 to 11.1', 'ICH9LPC'],
    ['memory-slots ab 11.1 to 11.1', 'ICH9LPC'],
  ])('another number of elements: %s', async (id, device) => {
    const load = recorded(id);
    const report = await checkLoad(load);
    const said = report.findings.filter(({ says }) => says !== undefined && hasSaid(load.words, says));
    expect(said[0]?.section?.endsWith(device)).toBe(true);
    // The field begins inside of the section's body.
    const { stream } = await openStream(memorySource(load.stream()));
    const section = stream.sections.find(({ idstr }) => idstr === said[0]!.section)!;
    const { body } = section.records[0]!;
    expect(said[0]!.range!.start).toBeGreaterThanOrEqual(body.start);
    expect(said[0]!.range!.end).toBeLessThanOrEqual(body.end);
  });

  test('without the tables of the QEMU what differs cannot be checked', async () => {
    const { report } = await first('count-cpus ab 11.1 to 11.1', { tables: false });
    const found = report.findings.filter(({ rule }) => rule === 'not-checked');
    expect(found.length).toBeGreaterThan(0);
    for (const { severity } of found) expect(severity).toBe('suspicious');
  });

  test('a byte too many and one too few: the field that was cut or pushed is in the section', async () => {
    for (const what of ['byte-missing', 'byte-extra']) {
      const load = recorded(`pc-nics@5.2 7.2 to 7.2 damaged framing: ${what}`);
      expect(load.loaded).toBe(false);
      expect((await checkLoad(load)).verdict).toBe('will be rejected');
    }
  });
});

describe('virtio', () => {
  const ID = 'pc-virtio@5.2 7.2 to 7.2 damaged virtio:';

  test.each([
    ['last-avail-unused', 'virtio-queues'],
    ['queue-size-zero', 'virtio-queues'],
    ['msix-vector-large', 'virtio-vector'],
    ['config-vector', 'virtio-vector'],
    ['net-vnet-header', 'post-load'],
    ['net-ufo', 'post-load'],
  ])('%s', async (what, rule) => {
    const { finding, words } = await first(`${ID} ${what}`);
    expect(finding?.rule).toBe(rule);
    expect(hasSaid(words, finding!.says!), finding!.says).toBe(true);
  });

  test('queues larger than at the destination are refused by 11.1 and by none before', async () => {
    const older = recorded(`${ID} queue-size`);
    const newer = recorded('pc-virtio@5.2 11.1 to 11.1 damaged virtio: queue-size');
    expect([older.loaded, newer.loaded]).toEqual([true, false]);
    expect(blocking(await checkLoad(older))).toEqual([]);
    const [finding] = blocking(await checkLoad(newer));
    expect(finding?.rule).toBe('virtio-queues');
    expect(hasSaid(newer.words, finding!.says!), finding!.says).toBe(true);
    // Where it is, and not the tree that is there.
    expect(Object.keys(finding!.range!)).toEqual(['start', 'end']);
  });

  test('queues that the destination does not have are a matter of their number', async () => {
    const load = recorded('count-serial-max-ports ab 11.1 to 11.1');
    const finding = blocking(await checkLoad(load)).find(({ rule }) => rule === 'virtio-queues')!;
    expect(finding.message).toBe(
      'virtqueues 10 to 63 have 128 entries, and the destination has no such queue',
    );
    const advised = finding.fix?.match(/^at the destination (max_ports=\d+)$/)?.[1];
    expect(load.source.args.at(-1)).toBe(`virtio-serial-pci,${advised}`);
    expect(hasSaid(load.words, finding.says!), finding.says).toBe(true);
  });

  test.each([`${ID} features-64`, 'linux-pc-virtio@5.2 7.2 to 7.2 damaged virtio: features-one'])(
    'bits that are no features: %s',
    async (id) => {
      const load = recorded(id);
      const [finding] = blocking(await checkLoad(load));
      expect(finding?.rule).toBe('virtio-features');
      expect(hasSaid(load.words, finding!.says!), finding!.says).toBe(true);
    },
  );

  test('features that the device does not offer, where its monitor tells which it does', async () => {
    const OFFERED = 0x179006e54n;
    const load = recorded(`${ID} features-64-one`);
    expect(load.words[0]).toContain(
      `Features 0x8000000000 unsupported. Allowed features: 0x${OFFERED.toString(16)}`,
    );
    const known = (offered: bigint): Known => ({
      facts: {
        ramBlocks: [],
        capabilities: [],
        barSizes: () => undefined,
        devices: () => [],
        virtioFeatures: (idstr) =>
          idstr.endsWith('/virtio-blk') ? { offered, denied: ~offered } : undefined,
      },
    });
    const [finding] = blocking(await checkLoad(load, known(OFFERED)));
    expect(finding).toMatchObject({ rule: 'virtio-features', section: '0000:00:02.0/virtio-blk' });
    expect(hasSaid(load.words, finding!.says!), finding!.says).toBe(true);
    expect(blocking(await checkLoad(load, known(OFFERED | 0x8000000000n)))).toEqual([]);
    expect(blocking(await checkLoad(load))).toEqual([]);
  });
});

describe('what helps against a feature', () => {
  // Real QEMUs load such streams with it: packed and num-queues set there, in_order (7.2 has none) off in 11.1.
  test.each([
    [34, { packed: false }, 'at the destination -device virtio-blk-pci,…,packed=on'],
    [12, { 'num-queues': 1 }, 'at the destination -device virtio-blk-pci,…,num-queues=…, as at the source'],
    [35, { packed: false }, 'for the device at the source in_order=off, with the guest started anew'],
    [34, { packed: true }, 'for the device at both sides packed=off, with the guest started anew'],
  ])('bit %i, where the device has %j', async (bit, properties, fix) => {
    const load = recorded('pc-virtio@5.2 7.2 to 7.2 damaged virtio: features-64-one');
    const bytes = load.stream();
    const opened = await openBytes(bytes);
    const section = opened.stream.sections.find(({ idstr }) => idstr.endsWith('/virtio-blk'))!;
    const { root } = await layoutOf(opened, section);
    const features = [...walk(root)].find(({ node }) => node.name === 'guest_features')!.node;
    const accepted = 1n << BigInt(bit);
    const facts: DestinationFacts = {
      ...NO_FACTS,
      devices: () => [{ type: 'virtio-blk-pci', isOnboard: false, properties }],
      virtioFeatures: () => ({ offered: 1n << 32n, denied: ~(1n << 32n) }),
    };
    const changed = patch(bytes, features.start, accepted.toString(16).padStart(16, '0'));
    const { version, target } = load.destination;
    const destination = await destinationOf(load.profile(), version, target, { facts });
    const findings = blocking(await checkStream(await openBytes(changed), destination));
    const found = findings.find(
      ({ section: at, rule }) => rule === 'virtio-features' && at === section.idstr,
    );
    expect(found?.fix).toContain(fix);
    // Of a property with a value there is nothing to be looked up at the source.
    expect(found?.fix?.includes('as at the source')).toBe(fix.includes('as at the source'));
  });
});

test('a field of the destination is where its path says', async () => {
  const load = recorded('pc-nics@5.2 7.2 to 7.2 damaged fields: fdc-drives');
  const [finding] = blocking(await checkLoad(load));
  const opened = await openStream(memorySource(load.stream()));
  const section = opened.stream.sections.find(({ idstr }) => idstr === finding!.section)!;
  let node: LayoutNode = (await layoutOf(opened, section)).root;
  for (const name of finding!.path!) node = [...childrenOf(node)].find((child) => child.name === name)!;
  expect({ start: node.start, end: node.end }).toEqual({
    start: finding!.range!.start,
    end: finding!.range!.end,
  });
});
