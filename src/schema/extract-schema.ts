import { DecodeError } from '../bytes/diagnostic.ts';
import type { ByteSource } from '../bytes/source.ts';
import { type LoadedProgram, loadProgram } from '../elf/load.ts';
import { findInfos } from './find-infos.ts';
import { findVmsds } from './find-vmsds.ts';
import { fitKnownLayout } from './fit-layout.ts';
import { QEMU_SCHEMA_FORMAT, QEMU_SCHEMA_FORMAT_VERSION, type QemuSchema } from './qemu-schema.ts';
import { readTables } from './read-tables.ts';
import { readTypes } from './read-types.ts';
import { TableReader } from './table-reader.ts';

/** The files of a QEMU: its binary, and the modules that it would load (`hw-*.so`). */
export interface QemuSources {
  readonly binary: ByteSource;
  readonly modules: readonly ByteSource[];
}

/**
 * Reads the VMStateDescription tables out of a QEMU system emulator, stripped or not, which is never run. Throws
 * DecodeError `bad-elf` for a file that is no 64-bit ELF binary or a damaged one, and `not-qemu` for one without such
 * tables.
 */
export async function extractSchema(sources: QemuSources): Promise<QemuSchema> {
  return schemaOfProgram(await loadProgram(sources.binary, sources.modules));
}

/** The same for a program that is loaded already, for callers that also need its code. */
export function schemaOfProgram(program: LoadedProgram): QemuSchema {
  const { image, objects } = program;
  const infos = findInfos(image);
  const addresses = new Set(infos.keys());
  const layout = fitKnownLayout(image, addresses);
  const name = objects[0]?.name ?? '';
  if (!layout) throw notQemu(name);
  const vmsds = findVmsds(program, new TableReader(image, layout, addresses));
  return {
    format: QEMU_SCHEMA_FORMAT,
    formatVersion: QEMU_SCHEMA_FORMAT_VERSION,
    qemuVersion: undefined,
    target: undefined,
    host: { machine: program.machine, byteOrder: image.littleEndian ? 'little' : 'big' },
    layout: layout.name,
    objects: objects.map((object) => ({ name: fileName(object.name), buildId: object.buildId })),
    ...readTables(program, layout, infos, vmsds),
    ...readTypes(program, new Map(vmsds.map(({ address }, i) => [address, i]))),
  };
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function notQemu(name: string): DecodeError {
  return new DecodeError({
    severity: 'error',
    code: 'not-qemu',
    message: `${name} is no QEMU system emulator: it has no VMStateDescription tables`,
  });
}
