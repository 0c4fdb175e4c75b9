import { FieldReader } from '../field-reader.ts';
import type { Info } from '../info.ts';

const PINS = ['INTA#', 'INTB#', 'INTC#', 'INTD#'];

/** hw/pci/pci.c, put_pci_irq_state: for each pin a u32, 1 while it is asserted. Behind the configuration space. */
export const pciIrqState: Info = {
  names: ['pci irq state'],
  length: PINS.length * 4,
  fault(content, memory) {
    if (!memory.pciConfig()) return 'a PCI device without configuration space';
    return content.some((byte, i) => byte > (i % 4 === 3 ? 1 : 0)) ? 'the level of an interrupt' : undefined;
  },
  open({ section }, place) {
    const reader = new FieldReader(section, place);
    reader.array('pins', PINS.length, (pin) => {
      reader.uint32(pin, (level) => (level === 1 ? `${PINS[pin]} asserted` : undefined));
    });
    return reader.finish(place);
  },
};
