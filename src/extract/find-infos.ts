import { forEachPointer, type Image } from './elf/image.ts';

/** A VMStateInfo in the image. */
export interface RawInfo {
  readonly address: number;
  readonly name: string;
  /** Whether load and save follow get and put (QEMU 11.1). */
  readonly hasLoadAndSave: boolean;
}

/** Infos of plain types, which every QEMU has; fields that name one are where the search for tables begins. */
export const baseInfoNames: ReadonlySet<string> = new Set([
  'bool',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'timer',
  'buffer',
  'unused_buffer',
]);

/**
 * Everything that looks like a VMStateInfo: a name, then pointers to get and put, or two zeros and pointers to load
 * and save. Others things do too, which does no harm: what counts is what fields point to.
 */
export function findInfos(image: Image): ReadonlyMap<number, RawInfo> {
  const infos = new Map<number, RawInfo>();
  const isFunction = (address: number) => {
    const target = image.pointer(address);
    return target !== 0 && image.isCode(target);
  };
  forEachPointer(image, (address, target) => {
    const isOld = isFunction(address + 8) && isFunction(address + 16);
    const isNew =
      !isOld &&
      image.u64(address + 8) === 0 &&
      image.u64(address + 16) === 0 &&
      isFunction(address + 24) &&
      isFunction(address + 32);
    if (!isOld && !isNew) return;
    const name = image.text(target);
    if (name === undefined || name === '') return;
    infos.set(address, { address, name, hasLoadAndSave: isNew });
  });
  return infos;
}
