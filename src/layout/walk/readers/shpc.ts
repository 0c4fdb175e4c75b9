import { bytes, type InfoReader, peek } from '../reader.ts';

/** Offsets in the registers of the standard hot-plug controller (hw/pci/shpc.c). */
const SLOT_COUNT = 0x0c;
const SLOT_COUNT_MASK = 0x1f;
const SLOTS = 0x24;
const SLOT_LENGTH = 4;

/** hw/pci/shpc.c, shpc_save: the controller's registers, as many as it has slots. */
export const readShpc: InfoReader = function* () {
  const slots = ((yield* peek(SLOTS))[SLOT_COUNT] ?? 0) & SLOT_COUNT_MASK;
  yield* bytes('config', 'buffer', SLOTS + slots * SLOT_LENGTH);
};
