import type { Window } from '../bytes/window.ts';

/** PCIDevice before the config space: int32 version_id. Behind it: four u32 of interrupt states. */
const BEFORE_CONFIG = 4;
const IRQ_STATE = 16;
/** Without and with extended config space (PCI Express). */
const CONFIG_SIZES = [256, 4096] as const;
/** Bytes of MSI-X state for each vector: the table entry. */
const MSIX_ENTRY = 16;
const MAX_MSIX = 2048 * MSIX_ENTRY + 2048 / 8;
/** Longer than the subsection VFIOPCIDevice/VFIODisplay. */
const MAX_SUBSECTIONS = 4096;
const QEMU_VM_SUBSECTION = 0x05;
const PCI_STATUS = 0x06;
const PCI_STATUS_CAP_LIST = 0x10;
const PCI_CAPABILITY_LIST = 0x34;
const PCI_CAP_ID_MSIX = 0x11;

/**
 * The length of the VMSD `VFIOPCIDevice` at the window's position (hw/vfio/pci.c, vmstate_vfio_pci_config), in bytes:
 * PCIDevice, MSI-X state if the config space has the capability, subsections. Two sizes of config space are
 * possible; `isEnd` tells whether what must follow stands at a place of the window, and decides. Does not move the
 * window. Undefined when nothing fits.
 */
export async function findVfioPciConfigEnd(
  window: Window,
  isEnd: (window: Window, pos: number) => boolean,
): Promise<number | undefined> {
  await window.ensure(BEFORE_CONFIG + 4096 + IRQ_STATE + MAX_MSIX + MAX_SUBSECTIONS + 8);
  for (const size of CONFIG_SIZES) {
    const config = window.pos + BEFORE_CONFIG;
    if (window.limit < config + size + IRQ_STATE) continue;
    const fixed = config + size + IRQ_STATE;
    // A device can have the capability in its config space without QEMU emulating it.
    for (const end of [fixed + msixSize(window, config), fixed]) {
      if (isEnd(window, end)) return end - window.pos;
      if (window.bytes[end] !== QEMU_VM_SUBSECTION) continue;
      for (let pos = end; pos < end + MAX_SUBSECTIONS; pos++) {
        if (isEnd(window, pos)) return pos - window.pos;
      }
    }
  }
  return undefined;
}

/** Bytes of MSI-X state by the capability in the config space at `config`: entries, then a pending bit for each. */
function msixSize(window: Window, config: number): number {
  const { view } = window;
  if ((view.getUint16(config + PCI_STATUS, true) & PCI_STATUS_CAP_LIST) === 0) return 0;
  let capability = view.getUint8(config + PCI_CAPABILITY_LIST) & 0xfc;
  for (let count = 0; count < 48 && capability >= 0x40; count++) {
    if (view.getUint8(config + capability) === PCI_CAP_ID_MSIX) {
      const vectors = (view.getUint16(config + capability + 2, true) & 0x7ff) + 1;
      return vectors * MSIX_ENTRY + Math.ceil(vectors / 8);
    }
    capability = view.getUint8(config + capability + 1) & 0xfc;
  }
  return 0;
}
