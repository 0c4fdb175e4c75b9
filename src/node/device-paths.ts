import type { ProfileDevice, ProfilePci } from '../check/profile.ts';
import type { QtreeDevice } from './monitor-text.ts';

/** What QEMU's object tree has of a device. */
export interface QomDevice extends Pick<ProfileDevice, 'path' | 'type' | 'bus' | 'properties'> {
  /** QOM types of its children, the buses among them, by path. */
  readonly children: ReadonlyMap<string, string>;
}

/** Where a device is, as far as it can be told. */
interface DevicePlace {
  readonly devicePath: string | undefined;
  readonly pci: ProfilePci | undefined;
}

/**
 * What QEMU puts in front of the names of devices' sections (qdev_get_dev_path, which asks the bus that the device is on),
 * by QOM path: computed here as each bus does, since QEMU does not tell.
 */
export function devicePaths(
  devices: readonly QomDevice[],
  qtree: readonly QtreeDevice[],
): ReadonlyMap<string, DevicePlace> {
  const places = new Places(devices, qtree);
  return new Map(
    devices.map((device) => [
      device.path,
      { devicePath: places.devicePath(device), pci: places.pci(device) },
    ]),
  );
}

/** Buses deeper than this are a circle. */
const MAX_DEPTH = 64;
const PCI_BUS = /^(PCI|PCIE|CXL|pxb-(bus|pcie-bus|cxl-bus))$/;
/** Host bridges whose root bus has a path of its own (root_bus_path of their class). */
const NUMBERED_ROOTS: ReadonlySet<string> = new Set([
  'q35-pcihost',
  'i440FX-pcihost',
  'gpex-pcihost',
  'designware-pcie-host',
]);
/** hw/ppc/spapr_pci.c: the first bridge has it, the others add their index. */
const SPAPR_PCI_BASE_BUID = 0x800000020000000n;
/** SpaprVioDeviceClass.dt_name, by type. */
const SPAPR_VIO_NAMES: ReadonlyMap<string, string> = new Map([
  ['spapr-vscsi', 'v-scsi'],
  ['spapr-vlan', 'l-lan'],
  ['spapr-vty', 'vty'],
  ['spapr-nvram', 'nvram'],
  ['spapr-tpm-proxy', 'ibm,tpm'],
]);

class Places {
  readonly #devices: ReadonlyMap<string, QomDevice>;
  readonly #busTypes: ReadonlyMap<string, string>;
  /** PCI devices by the name of their bus, slot and function. */
  readonly #pciDevices: ReadonlyMap<string, QtreeDevice>;
  /** Devices by the name of the bus behind them. */
  readonly #busOwners: ReadonlyMap<string, QtreeDevice | undefined>;
  /** PCI expander bridges by their id, which is the name of their bus. */
  readonly #expanders: ReadonlyMap<string, QomDevice>;

  constructor(devices: readonly QomDevice[], qtree: readonly QtreeDevice[]) {
    this.#devices = new Map(devices.map((device) => [device.path, device]));
    this.#busTypes = new Map(devices.flatMap(({ children }) => [...children]));
    this.#pciDevices = new Map(qtree.map((device) => [`${device.bus} ${device.pciAddress}`, device]));
    this.#busOwners = new Map(qtree.map((device) => [device.bus, device.parent]));
    this.#expanders = new Map(
      devices.filter(({ type }) => type.startsWith('pxb')).map((device) => [lastName(device.path), device]),
    );
  }

  pci(device: QomDevice): ProfilePci | undefined {
    const address = this.#isOnPci(device) ? pciAddress(device) : undefined;
    return this.#pciDevices.get(`${lastName(device.bus ?? '')} ${address}`)?.pci;
  }

  devicePath(device: QomDevice, depth = 0): string | undefined {
    const { bus, type, properties } = device;
    if (bus === undefined || depth > MAX_DEPTH) return undefined;
    const owner = this.#devices.get(bus.slice(0, bus.lastIndexOf('/')));
    const ownerPath = owner && this.devicePath(owner, depth + 1);
    const behindOwner = (name: string) => (ownerPath === undefined ? name : `${ownerPath}/${name}`);
    const busType = this.#busTypes.get(bus) ?? '';
    if (PCI_BUS.test(busType)) {
      const address = pciAddress(device);
      const root = owner && this.#isOnPci(owner) ? ownerPath : this.#rootBusPath(owner, lastName(bus));
      return address === undefined || root === undefined ? undefined : `${root}:${address}`;
    }
    switch (busType) {
      case 'virtio-pci-bus':
      case 'virtio-ccw-bus':
        return ownerPath;
      case 'virtio-mmio-bus': {
        const start = this.#busOwners.get(lastName(bus))?.mmio[0];
        if (start === undefined || owner?.properties['format_transport_address'] === false) return ownerPath;
        return behindOwner(`virtio-mmio@${start.toString(16).padStart(16, '0')}`);
      }
      case 'SCSI':
        return behindOwner(`${properties['channel']}:${properties['scsi-id']}:${properties['lun']}`);
      case 'usb-bus':
        // Where the command line does not name a port, QEMU chooses one, and does not say it here.
        return properties['port'] ? behindOwner(String(properties['port'])) : undefined;
      case 'virtual-css-bus':
        return properties['dev_id'] ? `/${properties['dev_id']}` : undefined;
      case 'spapr-vio-bus': {
        const name = SPAPR_VIO_NAMES.get(type);
        return name && `${name}@${Number(properties['reg']).toString(16)}`;
      }
      default:
        return undefined;
    }
  }

  #isOnPci({ bus }: QomDevice): boolean {
    return PCI_BUS.test(this.#busTypes.get(bus ?? '') ?? '');
  }

  #rootBusPath(host: QomDevice | undefined, busName: string): string | undefined {
    if (!host) return undefined;
    const { type, properties } = host;
    // Machine types before 1.7.
    if (properties['short_root_bus']) return '0000';
    if (NUMBERED_ROOTS.has(type)) return '0000:00';
    if (type === 'spapr-pci-host-bridge') {
      const { index = 0 } = properties;
      return Number.isSafeInteger(index)
        ? `pci@${(SPAPR_PCI_BASE_BUID + BigInt(index)).toString(16)}`
        : undefined;
    }
    const expander = this.#expanders.get(busName);
    if (!expander) return busName;
    // The bus of an expander is a root, and has a device that it is behind all the same.
    const number = Number(expander.properties['bus_nr']).toString(16).padStart(2, '0');
    return `0000:${number}:${pciAddress(expander)}`;
  }
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Slot and function of a PCI device: `02.0`. */
function pciAddress({ properties }: QomDevice): string | undefined {
  const { addr } = properties;
  if (typeof addr !== 'number' || addr < 0) return undefined;
  return `${(addr >> 3).toString(16).padStart(2, '0')}.${addr & 7}`;
}
