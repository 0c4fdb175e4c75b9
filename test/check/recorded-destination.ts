import type { RecordedLoad } from '../../scripts/truth/read-loads.mjs';
import { memorySource } from '../../src/bytes/source.ts';
import { Destination } from '../../src/check/destination.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { builtinSchemas } from '../../src/node/builtin-schema-index.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { builtinTablesOfWriter } from '../../src/vm/builtin-tables.ts';
import { openVm } from '../../src/vm/vm.ts';

const builtin = await builtinSchemas();
const tables = new Map<string, Promise<SchemaTables | undefined>>();
/** The destination of the case before: cases are in the order of their destinations. */
let last: { readonly name: string; readonly destination: Destination } | undefined;

function tablesOf({ destination: { version, target } }: RecordedLoad): Promise<SchemaTables | undefined> {
  const key = `${version} ${target}`;
  const open = async () => {
    const entry = builtin.find(
      (each) => each.target === target && each.qemuVersion.startsWith(`${version}.`),
    );
    return entry && new SchemaTables(await openSchema(entry.name));
  };
  const known = tables.get(key) ?? open();
  tables.set(key, known);
  return known;
}

/** Where a recorded stream was loaded, as its profile and its command line show it. */
export async function destinationOf(load: RecordedLoad): Promise<Destination> {
  if (last?.name === load.profileName) return last.destination;
  // Debian's 7.2 has no i386 of its own.
  const known =
    (await tablesOf(load)) ??
    (await builtinTablesOfWriter(await openVm(memorySource(load.profile())), packagedSchemas))?.tables;
  const own = await openVm(memorySource(load.profile()), known ? { tables: known } : {});
  const { version, args } = load.destination;
  const destination = new Destination({ tables: known, own, commandLine: args, qemuVersion: version });
  last = { name: load.profileName, destination };
  return destination;
}
