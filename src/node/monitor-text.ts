import type { ProfilePci, ProfilePciRegion, ProfileRamBlock } from '../check/profile.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/**
 * What the monitor's `info ramblock` prints (softmmu or system/physmem.c, ram_block_format): name, page size, offset,
 * used and allocated length. Lines of another form are left out.
 */
export function parseRamBlocks(text: string): ProfileRamBlock[] {
  const row = /^ *(\S.*?) +([\d.]+) ([KMGTPE]iB|B) +0x[0-9a-f]+ 0x([0-9a-f]+) 0x([0-9a-f]+)/gm;
  return [...text.matchAll(row)].map(([, name, size, unit, used, total]) => ({
    name: name!,
    pageSize: Number(size) * 1024 ** UNITS.indexOf(unit!),
    usedLength: Number.parseInt(used!, 16),
    maxLength: Number.parseInt(total!, 16),
  }));
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
  for (const line of text.split(/\r?\n/)) {
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
  const region = /^ *bar (\d): (i\/o|mem) at 0x([0-9a-f]+) \[0x([0-9a-f]+)\]$/.exec(line);
  if (region && device.pci) {
    const [, bar, type, start, last] = region;
    device.pci = {
      ...device.pci,
      regions: [...device.pci.regions, readRegion(Number(bar), type!, start!, last!)],
    };
    return;
  }
  const mmio = /^ *mmio ([0-9a-f]{16})\/[0-9a-f]{16}$/.exec(line);
  if (mmio && mmio[1] !== 'f'.repeat(16)) device.mmio = [...device.mmio, BigInt(`0x${mmio[1]}`)];
}

/** A region has its last address in the line, modulo 2^64; one that is not mapped starts at -1. */
function readRegion(bar: number, type: string, start: string, last: string): ProfilePciRegion {
  const size = BigInt.asUintN(64, BigInt(`0x${last}`) - BigInt(`0x${start}`) + 1n);
  return { bar, type: type === 'i/o' ? 'io' : 'memory', size: Number(size) };
}
