import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comparedBits } from '../../src/check/pci-config.ts';
import { ahci, e1000e, pciBridge, rootPort, virtioNet } from '../infos/pci-configs.ts';
import { blocking, checkLoad, hasSaid, loads, recorded } from './recorded.ts';

const REAL = { rootPort, e1000e, pciBridge, ahci, virtioNet };

/** QEMU's masks of a device: what a load compares is `compared & ~written & ~cleared` (get_pci_config_device). */
interface Device {
  readonly config: Uint8Array;
  readonly compared: Uint8Array;
  readonly written: Uint8Array;
  readonly cleared: Uint8Array;
  readonly bars: { bar: number; size: bigint }[];
}

function set(bytes: Uint8Array, at: number, length: number, value: number | bigint): void {
  for (let i = 0, rest = BigInt(value); i < length; i++, rest >>= 8n) bytes[at + i] = Number(rest & 0xffn);
}

/** hw/pci/pci.c, do_pci_register_device and the pci_init_* that it calls. */
function newDevice(size: 256 | 4096, isBridge: boolean): Device {
  const [config, compared, written, cleared] = [1, 2, 3, 4].map(() => new Uint8Array(size)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  set(compared, 0x00, 4, 0xffffffff);
  compared[0x06] = 0x10;
  set(compared, 0x08, 4, 0xffffffff);
  compared[0x0e] = 0xff;
  compared[0x34] = 0xff;
  written[0x0c] = 0xff;
  written[0x3c] = 0xff;
  // I/O, memory, bus master, INTx; SERR#.
  set(written, 0x04, 2, 0x0507);
  written.fill(0xff, 0x40);
  set(cleared, 0x06, 2, 0xf900);
  if (isBridge) {
    config[0x0e] = 1;
    // Buses, windows, and the types of the windows.
    set(written, 0x18, 4, 0xffffffff);
    set(written, 0x1c, 2, 0xf0f0);
    for (const at of [0x20, 0x22, 0x24, 0x26]) set(written, at, 2, 0xfff0);
    written.fill(0xff, 0x28, 0x30);
    set(compared, 0x1c, 2, 0x0f0f);
    compared[0x24] = 0x0f;
    compared[0x26] = 0x0f;
  }
  return { config, compared, written, cleared, bars: [] };
}

/** `hasAddress`: the guest has given it one. */
type Bar = { readonly type: number; readonly log2: number; readonly hasAddress: boolean } | undefined;

/** hw/pci/pci.c, pci_register_bar. */
function registerBars({ config, compared, written, bars }: Device, wanted: readonly Bar[]): void {
  for (let bar = 0; bar < wanted.length; bar++) {
    const found = wanted[bar];
    if (!found) continue;
    const { type } = found;
    const is64 = type === 4 || type === 12;
    if (is64 && bar === wanted.length - 1) continue;
    const log2 = Math.max(type === 1 ? 2 : 4, Math.min(found.log2, is64 ? 40 : 31));
    const at = 0x10 + 4 * bar;
    const length = is64 ? 8 : 4;
    set(config, at, length, BigInt(type) | (found.hasAddress ? 1n << BigInt(log2) : 0n));
    set(compared, at, length, (1n << 64n) - 1n);
    set(written, at, length, ~((1n << BigInt(log2)) - 1n) & ((1n << 64n) - 1n));
    bars.push({ bar, size: 1n << BigInt(log2) });
    if (is64) bar++;
  }
}

/** Capabilities by what of them is written: [id, bytes behind the first two, and the mask of these]. */
const CAPABILITIES: Record<string, readonly [id: number, content: string, written: string]> = {
  // D0; the state, PME enable.
  pm: [0x01, '0300 0000 0000', '0000 0301 0000'],
  // hw/pci/msi.c, msi_init: enable and number of messages, address, data, mask.
  msi: [
    0x05,
    '8a01 00000000 00000000 0000 0000 00000000 00000000',
    '7100 fcffffff ffffffff ffff 0000 ff000000 00000000',
  ],
  // hw/pci/msix.c, msix_init: enable and mask all.
  msix: [0x11, '0400 01000000 01080000', '00c0 00000000 00000000'],
  ssvid: [0x0d, '0000 361b0000', '0000 00000000'],
  // hw/pci/pcie.c, pcie_cap_init and pcie_cap_v1_init: device control; the first version ends behind the link.
  pcie: [0x10, `0200 01800000 ${'00'.repeat(52)}`, `0000 00000000 0f00 ${'00'.repeat(50)}`],
  pcieV1: [0x10, '0100 01800000 0000 0000 00000000 0000 0000', '0000 00000000 0f00 0000 00000000 0000 0000'],
  // hw/virtio/virtio-pci.c: windows, and the one that the guest moves.
  virtio: [0x09, '1001 04000000 00100000 00100000', '0000 00000000 00000000 00000000'],
  virtioPci: [0x09, '1405 00000000 00000000 00000000 00000000', '0000 ff000000 ffffffff ffffffff ffffffff'],
  // pcie-root-port: what firmware reserves.
  reserve: [0x09, `2001 00000000 ${'ff'.repeat(24)}`, '00'.repeat(30)],
  // hw/ide/ich.c, pci_ich9_ahci_realize.
  sata: [0x12, '1000 48000000', '0000 00000000'],
  // hw/pci/slotid_cap.c, slotid_cap_init: slots, and the chassis, which the guest numbers.
  slotId: [0x04, '20 01', '00 ff'],
  // Of another kind, and all of it written.
  other: [0x0a, '0000 0000 0000', 'ffff ffff ffff'],
};
const kinds = Object.keys(CAPABILITIES);

/** hw/pci/pci.c, pci_add_capability. */
function addCapabilities({ config, compared, written }: Device, names: readonly string[]): void {
  let at = 0x40;
  for (const name of names) {
    const [id, content, mask] = CAPABILITIES[name]!;
    const bytes = Buffer.from(content.replaceAll(' ', ''), 'hex');
    const length = 2 + bytes.length;
    if (at + length > 0xf8) return;
    config.set([id, config[0x34]!], at);
    config.set(bytes, at + 2);
    config[0x34] = at;
    config[0x06]! |= 0x10;
    compared.fill(0xff, at, at + length);
    written.fill(0, at, at + 2);
    written.set(Buffer.from(mask.replaceAll(' ', ''), 'hex'), at + 2);
    at += Math.ceil(length / 4) * 4;
  }
}

/** What no guest writes of some (hw/pci/pcie.c, pcie_*_init; pcie_sriov.c, pcie_sriov_pf_init_common). */
const EXTENDED_CONSTANT: Record<number, readonly (readonly [number, number])[]> = {
  3: [[4, 12]],
  13: [[4, 6]],
  14: [[4, 8]],
  15: [[4, 6]],
  16: [
    [4, 8],
    [0x0c, 0x10],
    [0x12, 0x20],
  ],
};

/** hw/pci/pcie_aer.c, pcie_aer_init and pcie_aer_root_init: errors that are reported, as bits. */
const UNCORRECTABLE = 0x03fff030;
const CORRECTABLE = 0xf1c1;

/** The mask of errors has a default, and is the guest's, from 8.0 on and with x-pcie-err-unc-mask only. */
function addErrorReporting({ config, written, cleared }: Device, at: number, masksErrors: boolean): void {
  written.fill(0, at, at + 0x40);
  if (masksErrors) {
    set(config, at + 0x08, 4, 0x00400000);
    set(written, at + 0x08, 4, UNCORRECTABLE);
  }
  set(written, at + 0x0c, 4, UNCORRECTABLE);
  set(written, at + 0x14, 4, CORRECTABLE);
  // Generation and check of checksums, and several headers in the log.
  set(written, at + 0x18, 4, 0x0540);
  set(written, at + 0x2c, 4, 0x07);
  set(cleared, at + 0x04, 4, UNCORRECTABLE);
  set(cleared, at + 0x10, 4, CORRECTABLE);
  set(cleared, at + 0x30, 4, 0x7f);
}

/** hw/pci/pcie.c, pcie_add_capability; what is in them is up to the device. */
function addExtended(device: Device, ids: readonly number[], masksErrors: boolean): void {
  const { config, compared, written } = device;
  ids.forEach((id, i) => {
    const at = 0x100 + 0x40 * i;
    const next = i + 1 < ids.length ? at + 0x40 : 0;
    set(config, at, 4, id | (1 << 16) | (next << 20));
    compared.fill(0xff, at, at + 0x40);
    // Devices change by themselves the number of the interrupt that reports errors.
    if (id === 1) compared[at + 0x33] = 0x07;
    written.fill(0, at, at + 4);
    for (const [from, to] of EXTENDED_CONSTANT[id] ?? []) written.fill(0, at + from, at + to);
    if (id === 1) addErrorReporting(device, at, masksErrors);
  });
}

interface DeviceParts {
  readonly isExpress: boolean;
  readonly isBridge: boolean;
  readonly isVirtio: boolean;
  readonly bars: readonly Bar[];
  readonly capabilities: readonly string[];
  readonly extended: readonly number[];
  readonly masksErrors: boolean;
}

const anyBar = fc.record({
  type: fc.constantFrom(0, 1, 4, 8, 12),
  log2: fc.integer({ min: 2, max: 40 }),
  hasAddress: fc.boolean(),
});
const anyDevice: fc.Arbitrary<DeviceParts> = fc.record({
  isExpress: fc.boolean(),
  isBridge: fc.boolean(),
  isVirtio: fc.boolean(),
  bars: fc.array(fc.option(anyBar, { nil: undefined }), { maxLength: 6 }),
  capabilities: fc.array(fc.constantFrom(...kinds), { maxLength: 8 }),
  extended: fc.array(fc.constantFrom(1, 3, 0xd, 0xe, 0xf, 0x10), { maxLength: 5 }),
  masksErrors: fc.boolean(),
});

function makeDevice(parts: DeviceParts): Device {
  const { isExpress, isBridge, isVirtio, bars, capabilities, extended, masksErrors } = parts;
  const device = newDevice(isExpress ? 4096 : 256, isBridge);
  if (isVirtio) set(device.config, 0, 2, 0x1af4);
  registerBars(device, isBridge ? bars.slice(0, 2) : bars);
  addCapabilities(
    device,
    capabilities.filter((name) => isVirtio || name !== 'virtioPci'),
  );
  if (isExpress) addExtended(device, extended, masksErrors);
  return device;
}

/** Bits that QEMU compares. */
function reallyCompared({ compared, written, cleared }: Device): Uint8Array {
  return compared.map((byte, i) => byte & ~written[i]! & ~cleared[i]!);
}

/** Bytes where a mask has bits that another one does not have, in hexadecimal. */
function beyond(mask: Uint8Array, most: Uint8Array): string[] {
  return [...mask].flatMap((bits, i) => ((bits & ~most[i]!) === 0 ? [] : [i.toString(16)]));
}

describe('against the masks that QEMU makes', () => {
  test('no bit that is not compared, and none that a guest writes', () => {
    fc.assert(
      fc.property(anyDevice, fc.boolean(), (parts, hasSizes) => {
        const device = makeDevice(parts);
        const mask = comparedBits(device.config, hasSizes ? device.bars : []);
        expect(beyond(mask, reallyCompared(device))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('of the header all bits, where the sizes of BARs are known', () => {
    fc.assert(
      fc.property(anyDevice, (parts) => {
        const device = makeDevice(parts);
        const header = (mask: Uint8Array) => mask.subarray(0, 0x40);
        const mask = comparedBits(device.config, device.bars);
        expect(beyond(header(reallyCompared(device)), header(mask))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('the mode of an IDE controller is written where it can be in native mode', () => {
    // hw/ide/via.c, via_ide_realize: wmask[PCI_CLASS_PROG] = 5.
    const { config } = newDevice(256, false);
    set(config, 0, 4, 0x05711106);
    set(config, 0x09, 3, 0x01018a);
    expect(comparedBits(config)[0x09]! & 5).toBe(0);
    expect(comparedBits(config)[0x0a]).toBe(0xff);
  });
});

describe('lists that no device has', () => {
  test('any bytes give a mask of as many bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 256, maxLength: 256 }),
        fc.constantFrom(256, 4096, 64, 0, 17),
        (bytes, length) => {
          const config = new Uint8Array(length);
          config.set(bytes.subarray(0, length));
          expect(comparedBits(config).length).toBe(length);
        },
      ),
    );
  });

  test('a list that leads back to itself ends, and so does one that leads into the header', () => {
    const loop = Uint8Array.from(e1000e);
    loop[0xd1] = 0xc8;
    expect(comparedBits(loop)[0xc8]).toBe(0xff);
    const header = Uint8Array.from(ahci);
    header[0x34] = 0x04;
    expect([...comparedBits(header).subarray(0x40)].every((bits) => bits === 0)).toBe(true);
  });
});

describe('devices that Linux has set up', () => {
  test.each(Object.entries(REAL))('%s: what the guest has written is not compared', (_, config) => {
    const mask = comparedBits(config);
    // Command, cache line, latency timer, subsystem, interrupt line and pin.
    for (const at of [0x04, 0x05, 0x07, 0x0c, 0x0d, 0x2c, 0x2e, 0x3c, 0x3d]) expect(mask[at]).toBe(0);
    for (const at of [0x00, 0x02, 0x08, 0x0b, 0x0e, 0x34]) expect(mask[at]).toBe(0xff);
  });

  test('addresses above the size of a BAR are not compared, and those below are', () => {
    // query-pci: BAR 0 and 1 have 128 KiB, BAR 2 32 ports, BAR 3 16 KiB.
    const sizes = [0x20000, 0x20000, 32, 0x4000].map((size, bar) => ({ bar, size: BigInt(size) }));
    const mask = Buffer.from(comparedBits(e1000e, sizes));
    expect([0x10, 0x14, 0x18, 0x1c, 0x20, 0x24].map((at) => mask.readUInt32LE(at))).toEqual([
      0x1ffff, 0x1ffff, 31, 0x3fff, 0, 0,
    ]);
    // The 64-bit BAR of the bridge has 256 bytes.
    const bridge = Buffer.from(comparedBits(pciBridge, [{ bar: 0, size: 256n }]));
    expect(bridge.readBigUInt64LE(0x10)).toBe(0xffn);
  });

  test('whether there is something in a slot, until 8.0', () => {
    // The capability of a root port is at 0x54, its slot status at 0x6e.
    const at = 0x6e;
    expect(comparedBits(rootPort, [], '7.2.22')[at]).toBe(0x40);
    expect(comparedBits(rootPort, [], '8.1.0')[at]).toBe(0);
    expect(comparedBits(rootPort)[at]).toBe(0);
  });

  test('MSI-X: its size and places, but not whether it is enabled', () => {
    const mask = Buffer.from(comparedBits(e1000e));
    expect(mask.readUInt16LE(0xa2)).toBe(0x3fff);
    expect(mask.readUInt32LE(0xa4)).toBe(0xffffffff);
    expect(mask.readUInt32LE(0xa8)).toBe(0xffffffff);
  });
});

/** Where QEMU found a difference, and its masks there. */
const BAD_CONFIG =
  /Bad config data: i=0x([0-9a-f]+) read: ([0-9a-f]+) device: ([0-9a-f]+) cmask: ([0-9a-f]+) wmask: ([0-9a-f]+) w1cmask:\s*([0-9a-f]+)/;

/** Loads that QEMU refused for a configuration space, one for each byte and masks. */
const refusals = new Map(
  loads.flatMap((load) => {
    const words = BAD_CONFIG.exec(load.words.join('\n'));
    if (!words) return [];
    const [at, , , ...masks] = words.slice(1).map((digits) => Number.parseInt(digits, 16));
    return [[`${at} ${masks}`, load.id]];
  }),
);

/**
 * QEMU compares these, and it is not known here: a BAR whose size is not known; a configuration space of another length,
 * whose section does not fit.
 */
const NOT_KNOWN = [/^property-vmxnet3-pcie/, /pci-bar0-(size|type)$/];

/** A BAR of another size stops QEMU before it comes to the capability where it is found here. */
const FOUND_LATER = [/^property-virtio-page-per-vq/];

describe('what QEMU says', () => {
  test('is there to compare with', () => {
    expect(refusals.size).toBeGreaterThan(12);
  });

  test.each([...refusals.values()])('%s', async (id) => {
    const load = recorded(id);
    const [, , read, device] = BAD_CONFIG.exec(load.words.join('\n'))!;
    const found = (await checkLoad(load)).findings.filter(({ rule }) => rule === 'pci-config');
    if (NOT_KNOWN.some((pattern) => pattern.test(id))) {
      expect(found).toEqual([]);
      return;
    }
    if (FOUND_LATER.some((pattern) => pattern.test(id))) {
      expect(found).toHaveLength(1);
      return;
    }
    expect(hasSaid(load.words, found[0]!.says!)).toBe(true);
    expect(load.stream()[found[0]!.range!.start]).toBe(Number.parseInt(read!, 16));
    expect(device).not.toBe(read);
  });

  test.each([
    ['size', 'i=0x11 read: 10 device: 0 '],
    ['type', 'i=0x10 read: 1 device: 0 '],
  ])('a BAR whose size is known: its %s', async (what, words) => {
    const load = recorded(`pc-nics@5.2 7.2 to 7.2 damaged fields: pci-bar0-${what}`);
    expect(load.words.join()).toContain(words);
    const [first] = blocking(
      await checkLoad(load, {
        facts: {
          ramBlocks: [],
          capabilities: [],
          // Intel's 82540EM: registers of 128 KiB, 64 ports.
          barSizes: (idstr) =>
            idstr.endsWith('/e1000')
              ? [
                  { bar: 0, size: 0x20000n },
                  { bar: 1, size: 0x40n },
                ]
              : undefined,
          devices: () => [],
          virtioFeatures: () => undefined,
        },
      }),
    );
    expect(first?.says).toContain(words);
  });

  test.each([
    'command',
    'status-high',
    'cache-line',
    'bar0-address',
    'subsystem',
    'interrupt-pin',
    'interrupt-line',
  ])('of the %s nothing', async (what) => {
    const load = recorded(`pc-nics@5.2 7.2 to 7.2 damaged fields: pci-${what}`);
    expect(load.loaded).toBe(true);
    expect(blocking(await checkLoad(load))).toEqual([]);
  });

  test.each(['aer-status', 'aer-severity', 'aer-correctable'])('of error reporting: %s', async (what) => {
    for (const version of ['7.2', '11.1']) {
      const load = recorded(`q35-virtio@5.2 ${version} to ${version} damaged virtio: ${what}`);
      expect(load.loaded).toBe(true);
      expect(blocking(await checkLoad(load))).toEqual([]);
    }
  });
});
