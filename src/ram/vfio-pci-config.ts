import type { Window } from '../bytes/window.ts';
import { msixStateLength, msixVectors } from '../pci/config-space.ts';

/** PCIDevice before the config space: int32 version_id. Behind it: four u32 of interrupt states. */
const BEFORE_CONFIG = 4;
const IRQ_STATE = 16;
/** Without and with extended config space (PCI Express). */
const CONFIG_SIZES = [256, 4096] as const;
const MAX_MSIX = msixStateLength(2048);
/** Longer than the subsection VFIOPCIDevice/VFIODisplay. */
const MAX_SUBSECTIONS = 4096;
const QEMU_VM_SUBSECTION = 0x05;

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
    const msix = msixStateLength(msixVectors(window.bytes.subarray(config, config + size)));
    // A device can have the capability in its config space without QEMU emulating it.
    for (const end of [fixed + msix, fixed]) {
      if (isEnd(window, end)) return end - window.pos;
      if (window.bytes[end] !== QEMU_VM_SUBSECTION) continue;
      for (let pos = end; pos < end + MAX_SUBSECTIONS; pos++) {
        if (isEnd(window, pos)) return pos - window.pos;
      }
    }
  }
  return undefined;
}
