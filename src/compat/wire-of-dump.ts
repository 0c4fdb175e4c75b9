import type { DumpedField, DumpedVmsd, DumpVmstate } from '../schema/dump-vmstate.ts';
import type { RootVmsd, WireField, WireSide, WireTest, WireVmsd } from './wire-vmsd.ts';

/** A test of which a dump says only that there is one. */
const someTest: WireTest = { text: () => undefined, shape: undefined, answer: () => undefined };

/** The wire form of a dump. `name` is for people. */
export function wireOfDump(dump: DumpVmstate, name: string): WireSide {
  const roots = new Map<string, RootVmsd & { readonly types: string[] }>();
  const reader = new DumpReader(dump.hasCounts);
  for (const device of dump.devices) {
    // Types that share a VMSD each print it.
    const key = JSON.stringify([device.versionId, device.minimumVersionId, device.vmsd]);
    const known = roots.get(key);
    if (known) known.types.push(device.type);
    else {
      const { type, versionId, minimumVersionId, vmsd } = device;
      roots.set(key, { types: [type], versionId, minimumVersionId, vmsd: reader.vmsd(vmsd, false) });
    }
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
  };
}

class DumpReader {
  readonly #hasCounts: boolean;

  constructor(hasCounts: boolean) {
    this.#hasCounts = hasCounts;
  }

  vmsd(dumped: DumpedVmsd, isSubsection: boolean): WireVmsd {
    return {
      name: dumped.name,
      versionId: dumped.versionId,
      minimumVersionId: dumped.minimumVersionId,
      unmigratable: false,
      earlySetup: false,
      loadsOld: false,
      needed: isSubsection ? someTest : undefined,
      fields: dumped.fields.map((field) => this.#field(field)),
      subsections: dumped.subsections.map((subsection) => this.vmsd(subsection, true)),
    };
  }

  #field({ name, versionId, fieldExists, num, size, vmsd }: DumpedField): WireField {
    const inner = vmsd && this.vmsd(vmsd, false);
    return {
      name,
      versionId,
      test: fieldExists ? someTest : undefined,
      validates: false,
      count:
        num === undefined
          ? { kind: 'unknown', isSingle: this.#hasCounts }
          : { kind: 'fixed', count: num, isArray: true },
      pointers: 'unknown',
      element: inner
        ? {
            kind: 'struct',
            info: undefined,
            vmsd: inner,
            savedVersion: inner.versionId,
            loadedVersion: inner.versionId,
          }
        : { kind: 'value', info: undefined, length: undefined, memory: size, sizeMember: undefined },
    };
  }
}
