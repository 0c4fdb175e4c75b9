import { FieldReader } from './field-reader.ts';
import type { InfoCodec } from './table.ts';

const PINS = ['INTA#', 'INTB#', 'INTC#', 'INTD#'];

/** hw/pci/pci.c, put_pci_irq_state: for each pin 1 while it is asserted. */
export const resolvePciIrqState: InfoCodec = ({ section }, { type }, place) => {
  const reader = new FieldReader(section, place);
  reader.array('pins', PINS.length, (pin) => {
    reader.uint32(pin, (level) => (level === 1 ? `${PINS[pin]} asserted` : undefined));
  });
  return reader.finish(place, type);
};
