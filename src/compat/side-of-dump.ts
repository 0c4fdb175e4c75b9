import type { DumpVmstate } from '../schema/dump-vmstate.ts';
import { compileDumpedVmsd } from '../vmsd/compile-dump-vmstate.ts';
import type { RootVmsd, Side } from './side.ts';

/** The side of a dump. `name` is for people. */
export function sideOfDump(dump: DumpVmstate, name: string): Side {
  const roots = new Map<string, RootVmsd & { readonly types: string[] }>();
  for (const { type, versionId, minimumVersionId, vmsd } of dump.devices) {
    // Types that share a VMSD each print it.
    const key = JSON.stringify([versionId, minimumVersionId, vmsd]);
    const known = roots.get(key);
    if (known) known.types.push(type);
    else roots.set(key, { types: [type], versionId, minimumVersionId, vmsd: compileDumpedVmsd(vmsd) });
  }
  return {
    facts: {
      name,
      kind: 'dump',
      qemuVersion: undefined,
      target: undefined,
      remarks: [
        'a dump has no types of fields: their sizes in memory are compared',
        ...(dump.hasCounts ? [] : ['a dump of QEMU before 8.0 does not say how long arrays are']),
        ...(dump.isCut ? ['the dump breaks off, as QEMU crashed: what follows is not compared'] : []),
      ],
    },
    roots: [...roots.values()],
    types: dump.isCut ? undefined : new Set(dump.devices.map(({ type }) => type)),
    hasCounts: dump.hasCounts,
    hasAll: dump.isCut ? 'nothing' : 'types',
    names: undefined,
    machineTypes: undefined,
    pinned: undefined,
  };
}
