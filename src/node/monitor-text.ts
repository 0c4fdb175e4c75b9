import type { ProfilePci, ProfileRamBlock } from '../check/profile.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Characters of a line that is looked at; those of QEMU have some hundred. */
const MAX_LINE = 1000;
/** Regions of a device that are taken; real ones have a dozen. */
const MAX_REGIONS = 1000;

/**
 * What the monitor's `info ramblock` prints (softmmu or system/physmem.c, ram_block_format): name, page size, offset,
 * used and allocated length. Lines of another form are left out.
 */
export function parseRamBlocks(text: string): ProfileRamBlock[] {
  const row = /^ *(\S.*?)(?<! ) +(\d+(?:\.\d+)?) ([KMGTPE]iB|B) +0x[0-9a-f]+ 0x([0-9a-f]+) 0x([0-9a-f]+)/;
  return linesOf(text).flatMap((line) => {
    const [, name, size, unit, used, total] = row.exec(line) ?? [];
    const block = {
      name: name ?? '',
      pageSize: Number(size) * 1024 ** UNITS.indexOf(unit ?? ''),
      usedLength: Number.parseInt(used ?? '', 16),
      maxLength: Number.parseInt(total ?? '', 16),
    };
    return [block.pageSize, block.usedLength, block.maxLength].every(Number.isSafeInteger) ? [block] : [];
  });
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter(({ length }) => length <= MAX_LINE);
}

/** A device in what `info qtree` prints. */
export interface QtreeDevice {
  readonly type: string;
  /** Empty where it has none. */
  readonly id: string;
  /** Name of the bus that it sits on, and the device that the bus belongs to. */
  readonly bus: string;
  readonly parent: QtreeDevice | undefined;
  /** Slot and function, where it is a PCI device: `02.0`. */
  readonly pciAddress: string | undefined;
  readonly pci: ProfilePci | undefined;
  /** Addresses of its memory regions, where they are mapped (sysbus). */
  readonly mmio: readonly bigint[];
}

type Growing<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * What the monitor's `info qtree` prints (softmmu/qdev-monitor.c, qdev_print; pcibus_dev_print; sysbus_dev_print):
 * indented by two for each bus, and each device on it. Lines that are not known are left out.
 */
export function parseQtree(text: string): QtreeDevice[] {
  const devices: QtreeDevice[] = [];
  /** By indentation: the device or bus whose lines are indented by more. */
  const open: { indent: number; device?: Growing<QtreeDevice>; bus?: string }[] = [];
  for (const line of linesOf(text)) {
    const indent = line.search(/\S/);
    if (indent < 0) continue;
    while ((open.at(-1)?.indent ?? -1) >= indent) open.pop();
    const bus = /^ *bus: (.*)$/.exec(line);
    if (bus) {
      open.push({ indent, bus: bus[1]! });
      continue;
    }
    const header = /^ *dev: (\S+), id "(.*)"$/.exec(line);
    if (header) {
      const device: QtreeDevice = {
        type: header[1]!,
        id: header[2]!,
        bus: open.findLast((entry) => entry.bus !== undefined)?.bus ?? '',
        parent: open.findLast((entry) => entry.device !== undefined)?.device,
        pciAddress: undefined,
        pci: undefined,
        mmio: [],
      };
      devices.push(device);
      open.push({ indent, device });
      continue;
    }
    const device = open.at(-1)?.device;
    if (device) readDetail(device, line);
  }
  return devices;
}

function readDetail(device: Growing<QtreeDevice>, line: string): void {
  const ids =
    /addr [0-9a-f]+:([0-9a-f]+\.[0-7]), pci id ([0-9a-f]{4}):([0-9a-f]{4}) \(sub ([0-9a-f]{4}):([0-9a-f]{4})\)/.exec(
      line,
    );
  if (ids) {
    const [vendorId, deviceId, subsystemVendorId, subsystemId] = ids
      .slice(2)
      .map((digits) => Number.parseInt(digits, 16)) as [number, number, number, number];
    device.pciAddress = ids[1];
    device.pci = { vendorId, deviceId, subsystemVendorId, subsystemId, regions: [] };
    return;
  }
  const region = /^ *bar ([0-6]): (i\/o|mem) at 0x([0-9a-f]+) \[0x([0-9a-f]+)\]$/.exec(line);
  if (region && device.pci) {
    const [, bar, type, start, last] = region;
    const { regions } = device.pci;
    const size = regionSize(start!, last!);
    if (!Number.isSafeInteger(size) || regions.length >= MAX_REGIONS) return;
    const read = { bar: Number(bar), type: type === 'i/o' ? 'io' : 'memory', size } as const;
    device.pci = { ...device.pci, regions: [...regions, read] };
    return;
  }
  const mmio = /^ *mmio ([0-9a-f]{16})\/[0-9a-f]{16}$/.exec(line);
  if (mmio && mmio[1] !== 'f'.repeat(16) && device.mmio.length < MAX_REGIONS)
    device.mmio = [...device.mmio, BigInt(`0x${mmio[1]}`)];
}

/** A region has its last address in the line, modulo 2^64; one that is not mapped starts at -1. */
function regionSize(start: string, last: string): number {
  return Number(BigInt.asUintN(64, BigInt(`0x${last}`) - BigInt(`0x${start}`) + 1n));
}
