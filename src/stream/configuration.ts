import { decodeText, type Window } from '../bytes/window.ts';
import { type Configuration, QEMU_VM_SUBSECTION } from './records.ts';

const MAX_MACHINE_NAME = 4096;
/** QEMU has some thirty capabilities; a count beyond this is damage. */
const MAX_CAPABILITIES = 1024;
/** TARGET_PAGE_BITS of all targets is between 8 (avr) and 16. */
const MAX_PAGE_BITS = 30;

/**
 * Reads a CONFIGURATION record behind its type byte (migration/savevm.c, vmstate_configuration): u32 length and
 * machine type, then subsections. Throws DecodeError `bad-configuration` or `truncated`.
 *
 * An unknown subsection cannot be skipped, as nothing gives its length: it is left unread, and the caller finds the
 * next record.
 */
export async function readConfiguration(
  window: Window,
): Promise<Configuration & { readonly complete: boolean }> {
  const length = await window.readU32('the configuration');
  if (length > MAX_MACHINE_NAME) {
    throw window.error('bad-configuration', `a machine type of ${length} bytes cannot be`);
  }
  const machineType = decodeText(await window.readBytes(length, 'the machine type'));
  let capabilities: string[] | undefined;
  let targetPageBits: number | undefined;
  let uuid: string | undefined;
  while ((await window.ensure(1)) && window.bytes[window.pos] === QEMU_VM_SUBSECTION) {
    const start = window.offset;
    window.skip(1, 'a configuration subsection');
    const name = await window.readText8('a configuration subsection');
    await window.readU32('a configuration subsection');
    switch (name) {
      case 'configuration/target-page-bits':
        targetPageBits = await window.readU32(name);
        if (targetPageBits > MAX_PAGE_BITS) {
          throw window.error('bad-configuration', `a page of 2^${targetPageBits} bytes cannot be`);
        }
        break;
      case 'configuration/capabilities': {
        const count = await window.readU32(name);
        if (count > MAX_CAPABILITIES) {
          throw window.error('bad-configuration', `${count} capabilities cannot be`);
        }
        capabilities = [];
        for (let i = 0; i < count; i++) capabilities.push(await window.readText8(name));
        break;
      }
      case 'configuration/uuid':
        uuid = Array.from(await window.readBytes(16, name), (byte) =>
          byte.toString(16).padStart(2, '0'),
        ).join('');
        break;
      default:
        window.seek(start);
        return { machineType, capabilities, targetPageBits, uuid, complete: false };
    }
  }
  return { machineType, capabilities, targetPageBits, uuid, complete: true };
}
