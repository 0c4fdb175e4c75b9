import { viewOf } from '../../bytes/view.ts';
import type { KnownMachine } from '../device-state.ts';
import type { Fields } from '../fields.ts';
import type { PhysicalMap } from '../physical-map.ts';

/** Sections of display adapters on the PCI bus, and the block that BAR 0 shows. */
const adapters: Readonly<Record<string, string>> = {
  vga: 'vga.vram',
  'virtio-gpu': 'vga.vram',
  cirrus_vga: 'vga.vram',
  'bochs-display': 'bochs-display-vram',
};
/** Others, whose memory is not mapped here. */
const moreAdapters = ['qxl', 'vmware_vga'];
/** Of the standard adapter on the ISA bus, hw/display/vga-isa.c; Cirrus' has none there. */
const ISA_VIDEO_MEMORY = 0xe000_0000;
const CLASS_VGA = 0x0300;
const COMMAND_MEMORY = 2;

/** Maps video memory where the guest sees it as RAM. */
export async function placeVideoMemory(state: KnownMachine, map: PhysicalMap): Promise<void> {
  const { blocks } = state;
  for (const [name, memory] of Object.entries(adapters)) {
    for (const fields of await state.allFields(name)) {
      const header = pciHeader(fields);
      const device = fields.section.slice(0, -name.length);
      const block = blocks.find(({ idstr }) => idstr === `${device}${memory}`);
      if (!block) continue;
      const visible = header ? header.command & COMMAND_MEMORY && header.bar0 : name === 'vga';
      const address = header ? header.bar0 : ISA_VIDEO_MEMORY;
      if (visible) map.map({ address, length: block.length, block: block.idstr, offset: 0 });
    }
  }
}

/** Whether an adapter answers in the window at 0xa0000, so that the RAM there is hidden. */
export async function hasVgaWindow(state: KnownMachine): Promise<boolean> {
  for (const name of [...Object.keys(adapters), ...moreAdapters]) {
    for (const fields of await state.allFields(name)) {
      const header = pciHeader(fields);
      // Without one it is on the ISA bus.
      if (!header || header.class === CLASS_VGA) return true;
    }
  }
  return false;
}

function pciHeader(fields: Fields): { command: number; class: number; bar0: number } | undefined {
  // In front of virtio's state is its version, then the transport's, which is the PCI device.
  const config = fields.bytesOfType('pci config') ?? fields.bytes('virtio')?.subarray(4);
  if (!config || config.length < 0x14) return undefined;
  const view = viewOf(config);
  return {
    command: view.getUint16(0x04, true),
    class: view.getUint16(0x0a, true),
    bar0: (view.getUint32(0x10, true) & ~0xf) >>> 0,
  };
}
