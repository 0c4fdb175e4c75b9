import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extractSchemaOfFile } from '../../src/node/schema-file.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';

const folder = join(import.meta.dirname, '../../fixtures/symbols');

/**
 * `qemu-10.0-devices`: objects of a QEMU 10.0.13 build (gcc 14, -O2 -g, DWARF 5): hw/rtc/mc146818rtc.c,
 * hw/char/serial.c, util/fifo8.c and migration/vmstate-types.c, linked by `ld -pie --unresolved-symbols=ignore-all`,
 * without .debug_loclists. `qemu-10.0-devices-dwz` went through dwz, which moved a part of its debug information to
 * `qemu-10.0-supplement`. `qemu-10.0-devices-clang`: the same by clang 19, which writes addresses and texts by index.
 * `qemu-10.0-tables`: 18 objects of that build in the same way, of which only
 * migration/vmstate-types.c and hw/timer/i8254_common.c have debug information (`strip -g` for the others).
 */
export function symbolFixture(name: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(gunzipSync(readFileSync(join(folder, `${name}.gz`))));
}

/** What gdb says of `qemu-10.0-devices`: `info line`, and of types what `ptype /o` shows: offset and size of members. */
export const gdb = JSON.parse(readFileSync(join(folder, 'gdb.json'), 'utf8')) as {
  readonly functions: Readonly<Record<string, readonly [string, number]>>;
  readonly vmsds: Readonly<Record<string, readonly [string, number]>>;
  readonly structs: Readonly<
    Record<
      string,
      { readonly size: number; readonly members: Readonly<Record<string, readonly [number, number]>> }
    >
  >;
};

/** The schema of a binary, without any files beside it. */
export async function schemaOfBytes(bytes: Uint8Array): Promise<QemuSchema> {
  const at = mkdtempSync(join(tmpdir(), 'vmwalk-schema-'));
  try {
    writeFileSync(join(at, 'qemu-system-x86_64'), bytes);
    return await extractSchemaOfFile(join(at, 'qemu-system-x86_64'), []);
  } finally {
    rmSync(at, { recursive: true });
  }
}
