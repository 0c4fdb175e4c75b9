import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { testConditions } from '../../src/compat/test-text.ts';
import { parseSchema } from '../../src/schema/parse-schema.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';

/** Of an unstripped QEMU 10.0.13 by scripts/truth/thin-schema.mjs: configuration, cpu/tsc_khz, timer. */
const file = join(import.meta.dirname, '../../fixtures/symbols/qemu-10.0-variables.json.gz');
const schema = parseSchema(String(gunzipSync(readFileSync(file))));

function neededText(tables: QemuSchema, name: string): string | undefined {
  const index = tables.vmsds.findIndex((vmsd) => vmsd.name === name);
  return testConditions(tables)(index, tables.vmsds[index]!.callbacks.needed!)?.replace(/ \(\w+, .*/, '');
}

test.for([
  // migration/savevm.c: `qemu_target_page_bits() > qemu_target_page_bits_min()`, which is 12.
  ['configuration/target-page-bits', '12 < target_page.bits'],
  // `qemu_uuid_set && migrate_validate_uuid()`, MIGRATION_CAPABILITY_VALIDATE_UUID.
  ['configuration/uuid', 'qemu_uuid_set and current_migration->capabilities[15]'],
  // system/cpu-timers.c: `icount_enabled()`.
  ['timer/icount', 'use_icount'],
  // target/i386/machine.c: a member of the machine's class, by `static Object *dev` of qdev_get_machine().
  ['cpu/tsc_khz', 's->env.tsc_khz and dev->0x0->0x188'],
] as const)('a condition names variables as the source does: %s', ([name, text]) => {
  expect(neededText(schema, name)).toBe(text);
});

test('without their names they are addresses', () => {
  const plain = { ...schema, symbols: { ...schema.symbols!, variables: [] } };
  expect(neededText(plain, 'timer/icount')).toMatch(/^variable 0x[0-9a-f]+$/);
});
