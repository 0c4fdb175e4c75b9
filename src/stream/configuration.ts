import { ByteWriter, encodeText } from '../bytes/byte-writer.ts';
import { badArgument } from '../bytes/diagnostic.ts';
import { decodeText, type Window } from '../bytes/window.ts';
import {
  type Configuration,
  type ConfigurationRecord,
  QEMU_VM_CONFIGURATION,
  QEMU_VM_SUBSECTION,
} from './records.ts';

const MAX_MACHINE_NAME = 4096;
/** QEMU has some thirty capabilities; a count beyond this is damage. */
const MAX_CAPABILITIES = 1024;
/** TARGET_PAGE_BITS of all targets is between 8 (avr) and 16. */
const MAX_PAGE_BITS = 30;

/**
 * Reads the CONFIGURATION record that begins at `start`; the window stands behind its type byte. One with a subsection
 * that is not known ends by its description, which says how long its body is. Throws DecodeError `bad-configuration` or
 * `truncated`.
 */
export async function readConfigurationRecord(
  window: Window,
  start: number,
  describedLength: number | undefined,
): Promise<ConfigurationRecord> {
  const bodyStart = window.offset;
  const { complete, ...configuration } = await readConfiguration(window);
  if (!complete) {
    if (describedLength === undefined || bodyStart + describedLength < window.offset) {
      throw window.error('bad-configuration', 'a configuration subsection that nothing describes');
    }
    window.seek(bodyStart);
    await window.skip(describedLength, 'the configuration');
  }
  const end = window.offset;
  return {
    kind: 'configuration',
    ...configuration,
    range: { start, end },
    body: { start: bodyStart, end },
  };
}

/**
 * Reads a CONFIGURATION record behind its type byte (migration/savevm.c, vmstate_configuration): u32 length and
 * machine type, then subsections. Throws DecodeError `bad-configuration` or `truncated`.
 *
 * An unknown subsection cannot be skipped, as nothing gives its length: it is left unread, and the caller finds the
 * next record.
 */
async function readConfiguration(window: Window): Promise<Configuration & { readonly complete: boolean }> {
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
    await window.skip(1, 'a configuration subsection');
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

/** Version of each subsection, of which there has been one only. */
const SUBSECTION_VERSION = 1;

/** A CONFIGURATION record with its type byte; subsections are in QEMU's order, and there where they have a value. */
export function writeConfiguration({
  machineType,
  capabilities,
  targetPageBits,
  uuid,
}: Configuration): Uint8Array {
  const writer = new ByteWriter();
  const name = encodeText(machineType);
  writer.u8(QEMU_VM_CONFIGURATION).u32(name.length).bytes(name);
  const subsection = (idstr: string) => writer.u8(QEMU_VM_SUBSECTION).text8(idstr).u32(SUBSECTION_VERSION);
  if (targetPageBits !== undefined) subsection('configuration/target-page-bits').u32(targetPageBits);
  if (capabilities) {
    subsection('configuration/capabilities').u32(capabilities.length);
    for (const capability of capabilities) writer.text8(capability);
  }
  if (uuid !== undefined) {
    if (!/^[0-9a-f]{32}$/i.test(uuid)) throw badArgument(`'${uuid}' is no UUID of 32 hex digits`);
    subsection('configuration/uuid');
    for (let i = 0; i < uuid.length; i += 2) writer.u8(Number.parseInt(uuid.slice(i, i + 2), 16));
  }
  return writer.finish();
}
