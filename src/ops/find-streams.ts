import type { FinishedSource } from '../bytes/source.ts';
import { decodeText, Window } from '../bytes/window.ts';
import { plausibleRecord } from '../stream/plausible.ts';
import {
  QEMU_VM_CONFIGURATION,
  QEMU_VM_FILE_MAGIC,
  QEMU_VM_FILE_VERSION,
  QEMU_VM_SECTION_FULL,
  QEMU_VM_SECTION_START,
} from '../stream/records.ts';

/** Magic and version. */
const HEADER_LENGTH = 8;
const FIRST_BYTE = 0x51;
/** Longer machine types are not believed. */
const MAX_MACHINE_TYPE = 255;

/** A place where the magic and version of a migration stream stand. */
export interface FoundStream {
  /** In the source. */
  readonly offset: number;
  /** Does a record that a stream can begin with follow? If not, these are likely other bytes of the same value. */
  readonly plausible: boolean;
  /** From the CONFIGURATION record; machine types before 2.4 or so send none. */
  readonly machineType: string | undefined;
  /** idstr of the first section, where the stream begins with one. */
  readonly firstSection: string | undefined;
}

/**
 * Searches a source from its beginning to its end for migration streams. Those inside others are found as well: RAM that
 * holds one, for example. Throws what the source throws.
 */
export async function* findStreams(
  source: FinishedSource,
  onProgress?: (offset: number) => void,
): AsyncGenerator<FoundStream> {
  const window = new Window(source);
  while (await window.ensure(HEADER_LENGTH)) {
    const last = window.limit - HEADER_LENGTH;
    window.pos = findHeader(window, last);
    if (window.pos <= last) {
      const { offset } = window;
      yield { offset, ...(await examine(window)) };
      window.seek(offset + HEADER_LENGTH);
    }
    onProgress?.(window.offset);
  }
}

/** The place of the next magic and version in what is loaded; behind `last` when there is none. */
function findHeader({ bytes, view, pos }: Window, last: number): number {
  for (let at = pos; at <= last; at++) {
    at = bytes.indexOf(FIRST_BYTE, at);
    if (at < 0 || at > last) break;
    if (view.getUint32(at) === QEMU_VM_FILE_MAGIC && view.getUint32(at + 4) === QEMU_VM_FILE_VERSION)
      return at;
  }
  return last + 1;
}

/** What follows magic and version, at which the window stands. */
async function examine(window: Window): Promise<Omit<FoundStream, 'offset'>> {
  window.seek(window.offset + HEADER_LENGTH);
  const plausible = (await plausibleRecord(window, { knownIds: new Map(), packaged: false })) === 'yes';
  const { bytes, view, pos, limit } = window;
  const type = bytes[pos];
  if (type === QEMU_VM_CONFIGURATION && limit - pos >= 5) {
    const length = view.getUint32(pos + 1);
    const machineType =
      length <= MAX_MACHINE_TYPE ? decodeText(bytes.subarray(pos + 5, pos + 5 + length)) : '';
    const isName = /^[!-~]+$/.test(machineType) && machineType.length === length;
    return { plausible: isName, machineType: isName ? machineType : undefined, firstSection: undefined };
  }
  const isSection = plausible && (type === QEMU_VM_SECTION_START || type === QEMU_VM_SECTION_FULL);
  const firstSection = isSection ? decodeText(bytes.subarray(pos + 6, pos + 6 + bytes[pos + 5]!)) : undefined;
  return { plausible, machineType: undefined, firstSection };
}
