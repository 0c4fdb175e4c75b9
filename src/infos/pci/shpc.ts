import { type BitField, bits, choice, count, flags, unlessZero } from '../bits.ts';
import { FieldReader } from '../field-reader.ts';
import type { Info } from '../info.ts';
import { bytes, peek } from '../reader.ts';

/** Bytes in front of the slots, bytes of a slot, and where their number is. */
const HEADER_SIZE = 0x24;
const SLOT_SIZE = 4;
const SLOTS_OFFSET = 0x0c;

const LED = ['', 'on', 'blink', 'off'];
const SLOTS_OF = (mode: string, low: number) => count(low, 5, `${mode} slots`, unlessZero);

const SLOT_STATUS: readonly BitField[] = [
  choice(0, 2, 'state', ['', 'powered only', 'enabled', 'disabled']),
  count(2, 2, 'power LED', (n) => LED[n] || undefined),
  count(4, 2, 'attention LED', (n) => LED[n] || undefined),
  ...flags({ 6: 'power fault', 7: 'attention button', 8: 'MRL open', 9: '66 MHz' }),
  choice(10, 2, 'presence', ['card 7.5 W', 'card 25 W', 'card 15 W', 'empty']),
  choice(12, 2, 'PCI-X', ['', 'PCI-X 66 MHz', 'PCI-X 2', 'PCI-X 133 MHz']),
];

const SLOT_EVENTS = {
  0: 'presence',
  1: 'isolated power fault',
  2: 'attention button',
  3: 'MRL',
  4: 'connected power fault',
};

/**
 * hw/pci/shpc.c, shpc_save: the working register set of a hot-plug controller, little endian, as PCI Standard Hot-Plug
 * Controller and Subsystem Specification 1.0 lays it out. It says itself how many slots there are.
 */
export const shpc: Info = {
  names: ['shpc'],
  *read() {
    const slots = bits((yield* peek(HEADER_SIZE))[SLOTS_OFFSET] ?? 0, 0, 5);
    yield* bytes('config', 'buffer', HEADER_SIZE + slots * SLOT_SIZE);
  },
  open({ section }, place) {
    const slots = (place.end - place.start - HEADER_SIZE) / SLOT_SIZE;
    if (!Number.isInteger(slots) || slots < 0) return undefined;
    if (bits(section.view.getUint8(place.start - section.base + SLOTS_OFFSET), 0, 5) !== slots)
      return undefined;
    const reader = new FieldReader(section, place);
    reader.le32('base_offset');
    reader.le32('slots_available1', [
      SLOTS_OF('33 MHz', 0),
      SLOTS_OF('66 MHz PCI-X', 8),
      SLOTS_OF('100 MHz PCI-X', 16),
      SLOTS_OF('133 MHz PCI-X', 24),
    ]);
    reader.le32('slots_available2', [SLOTS_OF('66 MHz', 0)]);
    reader.uint8('slots', [count(0, 5, 'slots')]);
    reader.uint8('first_device', [count(0, 5, 'device')]);
    reader.le16('physical_slot', [
      count(0, 11, 'number'),
      ...flags({ 13: 'numbers go up', 14: 'MRL sensor', 15: 'attention button' }),
    ]);
    reader.le16('secondary_bus', [
      choice(0, 3, 'mode', ['33 MHz', '66 MHz', '66 MHz PCI-X', '100 MHz PCI-X', '133 MHz PCI-X']),
    ]);
    reader.uint8('msi_control', [count(0, 5, 'interrupt message', unlessZero)]);
    reader.uint8('interface');
    reader.uint8('command_code');
    reader.uint8('command_target');
    reader.le16(
      'command_status',
      flags({ 0: 'busy', 1: 'MRL open', 2: 'invalid command', 3: 'invalid mode' }),
    );
    reader.le32('interrupt_locator');
    reader.le32('serr_locator');
    reader.le32(
      'serr_interrupt',
      flags({
        0: 'interrupt masked',
        1: 'SERR masked',
        2: 'command interrupt masked',
        3: 'arbiter SERR masked',
        16: 'command completed',
        17: 'arbiter timeout',
      }),
    );
    reader.array('slot', slots, (index) =>
      reader.struct(index, () => {
        reader.le16('status', SLOT_STATUS);
        reader.uint8('event_latch', flags(SLOT_EVENTS));
        reader.uint8('event_mask', flags({ ...SLOT_EVENTS, 5: 'MRL SERR', 6: 'connected power fault SERR' }));
      }),
    );
    return reader.finish(place);
  },
};
