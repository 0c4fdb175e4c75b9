import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { compareSides } from '../../src/compat/compat.ts';
import { openSide } from '../../src/node/compat-side.ts';

/**
 * Changes of QEMU's history, taken back in the source of QEMU 10.0.13 and built: what is in fixtures/series of a device is
 * its tables as they are there, `-before` without the change, `-ungated` without the property or test that keeps it from
 * older machine types. What those are is in hw_compat_* and pc_compat_* of hw/core/machine.c and hw/i386/pc.c.
 */
async function breaks(old: string, fresh: string, machineType?: string): Promise<string[][]> {
  const open = (name: string) =>
    openSide(fileURLToPath(new URL(`../../fixtures/series/${name}.json.gz`, import.meta.url)));
  const machines = machineType === undefined ? {} : { machines: [machineType] };
  const { findings } = compareSides(await open(old), await open(fresh), machines);
  return (['old-to-new', 'new-to-old'] as const).map((direction) =>
    findings
      .filter((finding) => finding.direction === direction && finding.rank !== 'cosmetic')
      .map(({ rank, rule }) => `${rank} ${rule.slice('compat-'.length)}`),
  );
}

const NOT_SENT = ['certain field-not-sent'];
const NOT_READ = ['certain field-not-read'];
const UNKNOWN = ['conditional subsection-unknown'];

test.each([
  // Fields without a test break both ways. drq_state is one that a release had, until it got a version.
  ['e1000e-timadj-before', 'e1000e-timadj-ungated', NOT_SENT, NOT_READ],
  ['esp-drq-before', 'esp-drq', NOT_SENT, NOT_READ],
  ['root-port-msix-before', 'root-port-msix-ungated', NOT_SENT, NOT_READ],
  // Subsections that are always sent break backwards.
  ['pckbd-extended-before', 'pckbd-extended-ungated', [], ['certain subsection-unknown']],
  ['virtio-gpu-blob-before', 'virtio-gpu-blob-ungated', [], ['certain subsection-unknown']],
  ['ich9-tco-before', 'ich9-tco-ungated', [], ['certain subsection-unknown']],
  ['hda-stream-before', 'hda-stream-ungated', [], ['certain subsection-unknown']],
  // Those with a test break only where it says yes.
  ['virtio-gpu-blob-before', 'virtio-gpu-blob', [], UNKNOWN],
  ['ich9-tco-before', 'ich9-tco', [], UNKNOWN],
  ['hda-stream-before', 'hda-stream', [], UNKNOWN],
  ['e1000-tso-before', 'e1000-tso', [], UNKNOWN],
  ['cpu-smi-count-before', 'cpu-smi-count', [], UNKNOWN],
  // Whose number of elements is in the device.
  [
    'virtio-gpu-scanout-before',
    'virtio-gpu-scanout-ungated',
    ['conditional field-not-sent'],
    ['conditional field-not-read'],
  ],
  ['hpet-timers-renamed', 'hpet', [], []],
])('%s to %s', async (old, fresh, forward, backward) => {
  expect(await breaks(old, fresh)).toEqual([forward, backward]);
});

describe('a property of older machine types keeps from breaking', () => {
  test.each([
    ['e1000e-timadj-before', 'e1000e-timadj', 'pc-q35-7.2', 'pc-q35-8.0', NOT_SENT, NOT_READ],
    ['piix4-acpi-index-before', 'piix4-acpi-index', 'pc-i440fx-6.2', 'pc-i440fx-7.0', NOT_SENT, NOT_READ],
    ['root-port-msix-before', 'root-port-msix', 'pc-q35-2.9', 'pc-q35-2.10', NOT_SENT, NOT_READ],
    ['hpet-offset-before', 'hpet', 'pc-q35-2.11', 'pc-q35-2.12', [], UNKNOWN],
    ['fw-cfg-acpi-mr-before', 'fw-cfg-acpi-mr', 'pc-q35-4.2', 'pc-q35-5.0', [], UNKNOWN],
    ['ramfb-before', 'ramfb', 'pc-q35-8.1', 'pc-q35-8.2', [], ['conditional device-missing']],
  ])('%s to %s: those up to %s', async (old, fresh, last, next, forward, backward) => {
    expect(await breaks(old, fresh, last)).toEqual([[], []]);
    expect(await breaks(old, fresh, next)).toEqual([forward, backward]);
  });

  test('what virtio-mem sent late it sends early', async () => {
    const [forward = [], backward = []] = await breaks(
      'virtio-mem-early-before',
      'virtio-mem-early',
      'pc-q35-8.0',
    );
    expect(forward).toEqual(expect.arrayContaining(['certain field-not-read']));
    expect(backward).toEqual(
      expect.arrayContaining(['certain field-not-sent', 'conditional device-missing']),
    );
  });

  test.each([
    ['e1000e-timadj-ungated', 'e1000e-timadj', 'pc-q35-8.0', 'pc-q35-7.2', NOT_READ, NOT_SENT],
    ['root-port-msix-ungated', 'root-port-msix', 'pc-q35-2.10', 'pc-q35-2.9', NOT_READ, NOT_SENT],
    ['piix4-acpi-index-ungated', 'piix4-acpi-index', 'pc-i440fx-7.0', 'pc-i440fx-6.2', NOT_READ, NOT_SENT],
  ])('%s to %s: not the older ones, from before it was there', async (old, fresh, same, broken, ...both) => {
    expect(await breaks(old, fresh, same)).toEqual([[], []]);
    expect(await breaks(old, fresh, broken)).toEqual(both);
  });
});

test.each([
  ['pcspk-ungated', 'pcspk'],
  ['ramfb-ungated', 'ramfb'],
  ['cpu-smi-count-ungated', 'cpu-smi-count'],
  ['pckbd-extended-ungated', 'pckbd-extended'],
])('%s to %s: sent in other cases, which is no break between the two', async (old, fresh) => {
  expect(await breaks(old, fresh)).toEqual([[], []]);
  const open = (name: string) =>
    openSide(fileURLToPath(new URL(`../../fixtures/series/${name}.json.gz`, import.meta.url)));
  const { findings } = compareSides(await open(old), await open(fresh));
  expect(findings.map(({ rule }) => rule)).toEqual(['compat-needed-changed', 'compat-needed-changed']);
});
