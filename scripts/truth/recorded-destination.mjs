/** The destinations of fixtures/loads, as `check` and `fix` know them. */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Destination } from '../../dist/check/destination.js';
import { memorySource, openVm, SchemaTables } from '../../dist/index.js';
import { packagedSchemas } from '../../dist/node/packaged-schemas.js';
import { openSchema } from '../../dist/node/schema-file.js';
import { builtinTablesOfWriter } from '../../dist/vm/builtin-tables.js';

const schemas = new URL('../../schemas/', import.meta.url);
/** @type {{ file: string, qemuVersion: string, target: string }[]} */
const index = JSON.parse(await readFile(new URL('index.json', schemas), 'utf8'));
/** @type {Map<string, Promise<SchemaTables | undefined>>} */
const tables = new Map();

/**
 * The built-in tables of a QEMU, by the beginning of its version.
 *
 * @param {string} version
 * @param {string} target
 */
export function tablesOf(version, target) {
  const key = `${version} ${target}`;
  const open = async () => {
    const entry = index.find((each) => each.target === target && each.qemuVersion.startsWith(`${version}.`));
    return entry && new SchemaTables(await openSchema(fileURLToPath(new URL(entry.file, schemas))));
  };
  const known = tables.get(key) ?? open();
  tables.set(key, known);
  return known;
}

/**
 * With the tables of its QEMU and its own state, of which either can be left out.
 *
 * @param {import("./read-loads.mjs").RecordedLoad} one
 * @param {{ withoutTables?: boolean | undefined, withoutProfile?: boolean | undefined }} [options]
 */
export async function recordedDestination(
  { destination: { version, target, args }, profile },
  { withoutTables = false, withoutProfile = false } = {},
) {
  // Debian's 7.2 has no i386 of its own.
  const known = withoutTables
    ? undefined
    : ((await tablesOf(version, target)) ??
      (await builtinTablesOfWriter(await openVm(memorySource(profile())), packagedSchemas))?.tables);
  const own = withoutProfile
    ? undefined
    : await openVm(memorySource(profile()), known ? { tables: known } : {});
  return new Destination({ tables: known, own, commandLine: args, qemuVersion: version });
}
