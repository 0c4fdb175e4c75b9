import { ByteWriter } from '../bytes/byte-writer.ts';
import { DecodeError } from '../bytes/diagnostic.ts';
import type { Window } from '../bytes/window.ts';
import { describeForeignFormat } from './foreign-format.ts';
import { QEMU_VM_FILE_MAGIC, QEMU_VM_FILE_VERSION } from './records.ts';

/** Begins each of the further connections that carry pages (migration/multifd.h). */
const MULTIFD_MAGIC = 0x11223344;

/** Reads magic and version. Throws DecodeError `not-a-stream`. */
export async function readHeader(window: Window): Promise<void> {
  const fail = (message: string) =>
    new DecodeError({ severity: 'error', code: 'not-a-stream', message }, { source: window.source.name });
  if (!(await window.ensure(8))) {
    const size = await window.source.end();
    throw fail(
      size === 0
        ? 'the file is empty'
        : `too short for a QEMU migration stream: ${size} bytes, magic and version are 8`,
    );
  }
  const magic = await window.readU32('the header');
  if (magic === MULTIFD_MAGIC) {
    throw fail(
      'this is a multifd channel of a migration, not its main stream: open that, and give this with --channel',
    );
  }
  if (magic !== QEMU_VM_FILE_MAGIC) {
    const other = await describeForeignFormat(window.source);
    if (other !== undefined) throw fail(other);
    const found = magic.toString(16).padStart(8, '0');
    throw fail(
      `not a QEMU migration stream: it starts with 0x${found}, expected 0x5145564d ("QEVM"); ` +
        "'vmwalk scan FILE' finds those further in",
    );
  }
  const version = await window.readU32('the header');
  if (version !== QEMU_VM_FILE_VERSION) {
    throw fail(`migration stream version ${version}; only version 3 (QEMU 0.12 and later) is known`);
  }
}

/** Magic and version, the first 8 bytes of a stream. */
export function writeHeader(): Uint8Array {
  return new ByteWriter(8).u32(QEMU_VM_FILE_MAGIC).u32(QEMU_VM_FILE_VERSION).finish();
}
