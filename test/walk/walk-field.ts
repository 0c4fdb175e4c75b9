import { builtInInfos } from '../../src/infos/infos.ts';
import { sectionBytes } from '../../src/layout/section-bytes.ts';
import { FixedLengths } from '../../src/layout/walk/fixed-length.ts';
import { Machine } from '../../src/layout/walk/machine.ts';
import type { WalkSink } from '../../src/layout/walk/outcome.ts';
import { NO_NODES } from '../../src/layout/walk/outcome.ts';
import { search } from '../../src/layout/walk/search.ts';
import { Objects } from '../../src/layout/walk/shadow.ts';
import type { CompiledField, CompiledVmsd } from '../../src/vmsd/compiled.ts';

/** A field that is always there, once. */
export function field(name: string, info: string, offset = 0, size = 0): CompiledField {
  return {
    name,
    offset,
    size,
    count: { kind: 'fixed', count: 1, array: false },
    bufferSize: undefined,
    pointer: false,
    allocated: false,
    pointers: false,
    marked: false,
    element: { kind: 'info', info, vmsd: undefined, key: undefined },
    exists: { kind: 'version', from: 0 },
    versionId: 0,
  } as CompiledField;
}

export function vmsd(
  name: string,
  fields: readonly CompiledField[],
  subsections: readonly CompiledVmsd[] = [],
): CompiledVmsd {
  return {
    name,
    versionId: 1,
    minimumVersionId: 1,
    fields,
    subsections,
    preparesSave: false,
    needed: undefined,
    validations: [],
  };
}

/** Bytes of hex digits, of which white space is no part. */
export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

/** `path value` of all leaves of the likeliest reading, and how many states it took to find; undefined without one. */
export function walkSection(
  bytes: Uint8Array,
  idstr: string,
  root: CompiledVmsd,
  others: readonly CompiledVmsd[] = [],
  infos = builtInInfos,
): { readonly leaves: Readonly<Record<string, unknown>>; readonly states: number } | undefined {
  const text = Buffer.from(bytes).toString('latin1');
  const machine = new Machine(
    sectionBytes(bytes, 0),
    bytes.length,
    new Objects(),
    new FixedLengths((name) => text.includes(name), infos),
    { defaults: () => new Set() },
    { idstr, vmsds: (name) => others.filter((other) => other.name === name), cpus: 1, infos },
  );
  const result = search(machine, root.versionId, [{ vmsd: root, cost: 0, types: [] }], LIMITS);
  const [best] = result.solutions;
  if (!best) return undefined;
  const leaves: Record<string, unknown> = {};
  const path: (string | number)[] = [];
  const sink: WalkSink = {
    ...NO_NODES,
    open: (name) => path.push(name),
    openArray: (name) => path.push(name),
    close: () => path.pop(),
    leaf: (name, _type, start, end, value) => {
      leaves[[...path, name].join('/')] = value instanceof Uint8Array ? `${end - start} bytes` : value;
    },
    elements: ({ count }) => {
      leaves[path.join('/')] = `${count} values`;
    },
  };
  machine.run(machine.start(root, root.versionId, best.shadow.branch()), sink);
  return { leaves, states: result.states };
}

const LIMITS = { states: 200, steps: 100_000, margin: 8 };
