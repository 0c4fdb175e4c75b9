import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type CompatFinding, type CompatReport, compareSides } from '../../src/compat/compat.ts';
import { compatRules } from '../../src/compat/rules.ts';
import { openSide } from '../../src/node/compat-side.ts';
import { vmwalk } from '../cli/run.ts';

const reports = new Map<string, Promise<CompatReport>>();

function compare(old: string, fresh: string): Promise<CompatReport> {
  const key = `${old} ${fresh}`;
  let report = reports.get(key);
  if (!report) {
    report = Promise.all([openSide(old), openSide(fresh)]).then(([a, b]) => compareSides(a, b));
    reports.set(key, report);
  }
  return report;
}

/** Findings about a device, from a source to a destination. */
async function findings(source: string, destination: string, device: string): Promise<CompatFinding[]> {
  const isNewer = Number.parseFloat(source) > Number.parseFloat(destination);
  const report = await (isNewer ? compare(destination, source) : compare(source, destination));
  const direction = isNewer ? 'new-to-old' : 'old-to-new';
  return report.findings.filter(
    (finding) =>
      finding.direction === direction &&
      finding.devices.some(({ name, types }) => name === device || types.includes(device)),
  );
}

describe('what QEMU said when it was tried: a stream of one version, loaded by another', () => {
  // Paused VMs, pc-i440fx-5.2 with the device; g3beige for mos6522.
  test.each([
    ['7.2-x86_64', '10.0-x86_64', 'pciespscsi', 'compat-field-not-sent', undefined],
    [
      '7.2-x86_64',
      '5.2-x86_64',
      'pciespscsi',
      'compat-version-too-new',
      "savevm: unsupported version 2 for 'pciespscsi' v1",
    ],
    [
      '11.1-x86_64',
      '10.0-x86_64',
      'ipmi-bmc-sim',
      'compat-version-too-new',
      "savevm: unsupported version 2 for 'ipmi-bmc-sim' v1",
    ],
    [
      '10.0-x86_64',
      '11.1-x86_64',
      'isa-vga',
      'compat-name-changed',
      "Unknown savevm section or instance 'vga' 0. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices",
    ],
    [
      '11.1-x86_64',
      '10.0-x86_64',
      'isa-vga',
      'compat-name-changed',
      "Unknown savevm section or instance 'vga-isa' 0. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices",
    ],
    [
      '5.2-ppc64',
      '7.2-ppc64',
      'mos6522',
      'compat-version-too-old',
      'mos6522: incoming version_id 0 is too old for local minimum version_id 1',
    ],
    [
      '7.2-ppc64',
      '5.2-ppc64',
      'mos6522',
      'compat-version-too-new',
      "savevm: unsupported version 1 for 'mos6522' v0",
    ],
  ])('%s to %s refuses %s', async (source, destination, device, rule, says) => {
    const [certain] = (await findings(source, destination, device)).filter(({ rank }) => rank === 'certain');
    expect(certain).toMatchObject({ rule, qemuSays: says });
  });

  const loaded = [
    ...['e1000', 'rtl8139', 'ne2000', 'pcnet', 'vmxnet3', 'eeprom', 'lsiscsi', 'megasas', 'mptsas', 'pvscsi'],
    ...[
      'virtio-net',
      'virtio-scsi',
      'virtio-gpu',
      'virtio-balloon',
      'virtio-rng',
      'virtio-serial',
      'virtio-input',
    ],
    ...[
      'uhci',
      'ehci',
      'xhci',
      'ohci',
      'usb-kbd',
      'usb-mouse',
      'usb-tablet',
      'usb-hub',
      'sdhci',
      'ich9_ahci',
    ],
    ...['PCIDevice', 'I440FX', 'PIIX3', 'piix4_pm', 'ICH9LPC', 'ich9_pm', 'mch', 'e1000e', 'pcie-root-port'],
    ...[
      'cpu',
      'cpu_common',
      'apic',
      'ioapic',
      'i8254',
      'i8259',
      'hpet',
      'mc146818rtc',
      'fdc',
      'pckbd',
      'ps2kbd',
    ],
    ...[
      'serial',
      'parallel_isa',
      'fw_cfg',
      'ide',
      'vga',
      'cirrus_vga',
      'i6300esb',
      'timer',
      'globalstate',
      'dma',
    ],
  ];
  // Those of 10.0 and 11.1 as far as layouts go: 11.1 refuses queue sizes that 10.0 sends.
  test.each([
    ['5.2-x86_64', '7.2-x86_64'],
    ['7.2-x86_64', '5.2-x86_64'],
    ['7.2-x86_64', '10.0-x86_64'],
    ['10.0-x86_64', '7.2-x86_64'],
    ['10.0-x86_64', '11.1-x86_64'],
    ['11.1-x86_64', '10.0-x86_64'],
  ])('%s to %s loads devices of usual machines', async (source, destination) => {
    const certain: string[] = [];
    for (const device of loaded) {
      for (const { rank, rule, devices } of await findings(source, destination, device)) {
        // isa-vga has a section of its own; its device was tried above.
        const isOther = device === 'vga' && devices.every(({ types }) => types.includes('isa-vga'));
        if (rank === 'certain' && !isOther) certain.push(`${device} ${rule}`);
      }
    }
    expect(certain).toEqual([]);
  });
});

test('a field that a compat property decides about is a condition with that name', async () => {
  // hw/acpi/pcihp.c, vmstate_acpi_pcihp_use_acpi_index; hw/net/e1000e.c, e1000e_migrate_timadj
  const [index] = await findings('5.2-x86_64', '7.2-x86_64', 'piix4_pm');
  expect(index).toMatchObject({ rank: 'conditional', rule: 'compat-field-not-sent', bytes: 4 });
  expect(index!.conditions.join()).toContain('not property x-not-migrate-acpi-index');
  const [timadj] = await findings('7.2-x86_64', '10.0-x86_64', 'e1000e');
  expect(timadj).toMatchObject({
    rank: 'conditional',
    fields: ['core.timadj'],
    bytes: 8,
    conditions: ['property migrate-timadj'],
  });
});

test.each([
  ['5.2-ppc64', 'cpu/tlb6xx'],
  ['7.2-s390x', undefined],
  ['10.0-ppc', undefined],
  ['10.0-aarch64', undefined],
  // QEMU 11.1 refuses its own stream of an emmc with rpmb-partition-size=: "Section footer error".
  ['11.1-x86_64', 'sd-card/ext_csd_modes-state'],
  ['11.1-riscv64', 'sd-card/ext_csd_modes-state'],
])(
  'tables of %s say nothing against themselves, but for two subsections of one name: %s',
  async (name, twice) => {
    const { compared, findings: found } = compareSides(await openSide(name), await openSide(name));
    expect(compared).toBeGreaterThan(50);
    if (twice === undefined) {
      expect(found).toEqual([]);
      return;
    }
    const broken = found.filter(({ rank }) => rank !== 'cosmetic');
    for (const direction of ['old-to-new', 'new-to-old'])
      expect(broken.filter((one) => one.direction === direction)).not.toEqual([]);
    for (const { conditions } of broken) expect(conditions[0]).toContain(`${twice} is sent`);
    for (const { vmsd, rank } of found) if (rank === 'cosmetic') expect(vmsd?.startsWith(twice)).toBe(true);
  },
);

test('of two subsections of one name a load takes the first, in the very build that wrote the second', async () => {
  // QEMU 7.2 with -M bamboo refuses its own stream: "Missing section footer for cpu".
  const found = (await compare('7.2-ppc', '7.2-ppc')).findings;
  const broken = found.filter(({ rank }) => rank !== 'cosmetic');
  expect(broken.length).toBeGreaterThan(0);
  for (const { devices, conditions } of broken) {
    expect(devices.map(({ name }) => name)).toEqual(['cpu']);
    expect(conditions.join()).toContain('cpu/tlb6xx is sent');
  }
});

test('what code of a device writes by hand breaks where the device is', async () => {
  const found = await findings('7.2-x86_64', '10.0-x86_64', 'virtio-gpu');
  const broken = found.find(
    ({ rule, direction }) => rule === 'compat-field-not-sent' && direction === 'old-to-new',
  );
  const [device] = broken?.devices ?? [];
  expect(device).toMatchObject({ name: 'virtio-gpu', types: ['virtio-gpu-device'] });
  expect(device?.path[0]).toBe('virtio-gpu-scanouts');
});

test('there and back is the same whichever side is called old', async () => {
  const there = (await compare('7.2-x86_64', '10.0-x86_64')).findings;
  const back = (await compare('10.0-x86_64', '7.2-x86_64')).findings;
  const sorted = (found: readonly CompatFinding[], from: string, to: string) =>
    found
      .filter(({ direction }) => direction === from)
      .map((finding) => JSON.stringify({ ...finding, direction: to }))
      .sort();
  expect(sorted(there, 'new-to-old', 'old-to-new')).toEqual(sorted(back, 'old-to-new', 'old-to-new'));
  expect(sorted(there, 'old-to-new', 'new-to-old')).toEqual(sorted(back, 'new-to-old', 'new-to-old'));
});

test('every rule has a line in the documentation, and no other', async () => {
  const text = await readFile(new URL('../../docs/compat.md', import.meta.url), 'utf8');
  const lines = [...text.matchAll(/^\| `(compat-[a-z-]+)` \| (.*) \|$/gm)].map(([, code, title]) => [
    code,
    title,
  ]);
  expect(lines).toEqual(compatRules.map((rule) => [...rule]));
});

describe('the command', () => {
  test('exits with 1 for a certain break, with 0 without, and says how many', async () => {
    const broken = await vmwalk(['compat', '7.2-x86_64', '10.0-x86_64', '--only', 'pciespscsi']);
    expect(broken).toMatchObject({ status: 1, stderr: '' });
    expect(broken.stdout).toMatch(/^1 device compared: 1 breaks old → new, 1 breaks new → old$/m);
    expect(broken.stdout).toMatch(
      /drq_state \(bool\) of the destination is not sent \(1 more read than sent\)/,
    );
    const fine = await vmwalk(['compat', '7.2-x86_64', '10.0-x86_64', '--only', 'e1000e']);
    expect(fine).toMatchObject({ status: 0, stderr: '' });
    expect(fine.stdout).toContain('if property migrate-timadj');
    const strict = ['compat', '7.2-x86_64', '10.0-x86_64', '--only', 'e1000e', '--fail-on', 'conditional'];
    expect((await vmwalk(strict)).status).toBe(1);
  });

  test('prints JSON, one way only, and cosmetic findings where asked', async () => {
    const args = ['compat', '7.2-x86_64', '10.0-x86_64', '--only', 'e1000e', '--direction', 'old-to-new'];
    const report: CompatReport = JSON.parse((await vmwalk([...args, '--json'])).stdout);
    expect(report.old).toMatchObject({ name: '7.2-x86_64', kind: 'tables', target: 'x86_64' });
    expect(new Set(report.findings.map(({ direction }) => direction))).toEqual(new Set(['old-to-new']));
    const cosmetic = report.findings.filter(({ rank }) => rank === 'cosmetic').length;
    expect(cosmetic).toBeGreaterThan(0);
    const short = (await vmwalk(args)).stdout;
    expect(short).toContain(`${cosmetic} more on the same bytes (--all)`);
    const all = (await vmwalk([...args, '--all'])).stdout;
    expect(all.match(/^ {4}same bytes /gm)).toHaveLength(cosmetic);
    expect(short).not.toContain('same bytes  ');
  });

  test('exits with 2 for what it cannot compare', async () => {
    const missing = await vmwalk(['compat', '7.2-x86_64', '99.9-x86_64']);
    expect(missing.status).toBe(2);
    expect(missing.stderr).toMatch(
      /neither a file nor a built-in schema; their versions are 5\.2, 7\.2, 10\.0, 11\.1\n$/,
    );
    const other = await vmwalk([
      'compat',
      '7.2-x86_64',
      new URL('../../package.json', import.meta.url).pathname,
    ]);
    expect(other.status).toBe(2);
    expect(other.stderr).toMatch(/is no usable schema/);
    expect((await vmwalk(['compat', '7.2-x86_64'])).status).toBe(2);
    const nothing = await vmwalk(['compat', '7.2-x86_64', '10.0-x86_64', '--only', 'e10000']);
    expect(nothing).toMatchObject({
      status: 2,
      stderr: 'vmwalk: nothing matches --only and --ignore\n',
    });
  });
});
