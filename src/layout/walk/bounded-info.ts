import { type Diagnostic, printable } from '../../bytes/diagnostic.ts';
import type { CompiledField, CompiledVmsd } from '../../vmsd/compiled.ts';
import type { ResolveContext } from '../context.ts';
import type { LayoutNode, NodePlace } from '../node.ts';
import { type SectionBytes, sectionBytes } from '../section-bytes.ts';
import { buildNodes } from './build.ts';
import { FixedLengths } from './fixed-length.ts';
import { Machine, stepsOf } from './machine.ts';
import { choiceMessage, compareReadings, misfit } from './readings.ts';
import { search } from './search.ts';
import { Objects } from './shadow.ts';
import { subsectionNames } from './subsection-names.ts';
import type { AppliedMode } from './walk-context.ts';

/** Far more than a field needs whose end is known; its bytes are steps, too. */
const LIMITS = { states: 400, steps: 2_000_000, margin: 4 };

/** VMSDs that an info's function names itself. */
export interface InfoTables {
  vmsds(name: string): readonly CompiledVmsd[];
  /** The field of a name and info; its VMSDs are those of the elements of a list or tree. */
  infoField(name: string, info: string): CompiledField | undefined;
}

/** What the reader of a field's VMStateInfo makes of its bytes by the tables of one QEMU. */
export interface BoundedInfo {
  /** It comes out at the field's end. */
  readonly fits: boolean;
  /** Bits, those of what it leaves included: lower explains more. */
  readonly cost: number;
  /** The field opened up, as far as the reader came, with what was guessed or why it stopped. */
  open(): OpenedInfo | undefined;
}

interface OpenedInfo {
  readonly node: LayoutNode;
  readonly diagnostic: Omit<Diagnostic, 'section' | 'instanceId'> | undefined;
}

/**
 * Reads a field by its VMStateInfo where its range is known: a search of its own, in these bytes. What it had to guess is
 * marked, and all of it where the reader fails: undefined where that comes to nothing. `described` is the VMSD of its
 * elements, where a description has told it.
 */
export function readBoundedInfo(
  context: ResolveContext,
  { name, type, start, end }: NodePlace,
  described: CompiledVmsd | undefined,
  tables: InfoTables,
  applied?: AppliedMode,
): BoundedInfo | undefined {
  const section = partOf(context.section, start, end);
  const headers = subsectionNames(section.bytes);
  const { idstr, infos } = context;
  const lengths = new FixedLengths((header) => headers.has(header), infos);
  const surroundings = { idstr, vmsds: (vmsd: string) => tables.vmsds(vmsd), cpus: 1, infos };
  const hints = { defaults: () => NONE };
  const mode = applied ? { applied } : {};
  const machine = new Machine(section, end, new Objects(), lengths, hints, surroundings, mode);
  const vmsd = vmsdAround(compiledField(String(name), type, described, tables));
  const result = search(machine, 0, [{ vmsd, cost: 0, types: [] }], {
    ...LIMITS,
    steps: LIMITS.steps + 4 * stepsOf(section.bytes.length),
  });
  // The walk opens a node for the field itself.
  const here = { ...context, section, path: context.path.slice(0, -1) };
  const [best] = result.solutions;
  if (best) {
    const open = (): OpenedInfo | undefined => {
      const doubt = compareReadings(machine, result, 0, true);
      const [node] = buildNodes(machine, here, vmsd, 0, best.shadow, doubt).root.children;
      const diagnostic = doubt && {
        severity: 'note' as const,
        code: 'chosen-reading' as const,
        message: choiceMessage(doubt),
        range: { start, end },
        path: context.path,
      };
      return node && { node: { ...node, name }, diagnostic };
    };
    return { fits: true, cost: best.cost, open };
  }
  const { closest } = result;
  if (!closest || closest.offset === start) return undefined;
  const open = (): OpenedInfo => {
    const { path, root } = buildNodes(machine, here, vmsd, 0, closest.shadow, misfit(vmsd));
    const children = root.children.flatMap((child) =>
      child.kind === 'struct' && child.type === type ? child.children : child,
    );
    const nothing = { vmsdName: undefined, versionId: undefined };
    return {
      node: { kind: 'struct', name, type, start, end, ...nothing, value: section.bytes, children },
      diagnostic: {
        severity: 'warning',
        code: 'schema-mismatch',
        message: `${printable(type)} cannot be read to its end: ${closest.why}`,
        range: { start: closest.offset, end },
        path: [...context.path, ...path.slice(1)],
      },
    };
  };
  return { fits: false, cost: closest.cost, open };
}

const NONE: ReadonlySet<number> = new Set();

function partOf({ bytes, base }: SectionBytes, start: number, end: number): SectionBytes {
  return sectionBytes(bytes.subarray(start - base, end - base), start);
}

function vmsdAround(field: CompiledField): CompiledVmsd {
  return {
    name: '',
    versionId: 0,
    minimumVersionId: 0,
    fields: [field],
    subsections: [],
    preparesSave: false,
    needed: undefined,
    validations: [],
  };
}

function compiledField(
  name: string,
  info: string,
  described: CompiledVmsd | undefined,
  tables: InfoTables,
): CompiledField {
  const known = described ? undefined : tables.infoField(name, info);
  return {
    name,
    offset: 0,
    size: 0,
    count: { kind: 'fixed', count: 1, array: false },
    bufferSize: undefined,
    pointer: false,
    allocated: false,
    pointers: false,
    marked: false,
    element: known?.element ?? { kind: 'info', info, vmsd: described, key: undefined },
    plain: undefined,
    nullType: '',
    described: 'each',
    exists: { kind: 'version', from: 0 },
    versionId: 0,
  };
}
