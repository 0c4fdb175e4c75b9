import { type Diagnostic, printable } from '../../bytes/diagnostic.ts';
import type { ResolveContext } from '../context.ts';
import type { LayoutNode, NodePlace } from '../node.ts';
import { type SectionBytes, sectionBytes } from '../section-bytes.ts';
import { FixedLengths } from './fixed-length.ts';
import { Machine } from './machine.ts';
import { NodeBuilder } from './nodes.ts';
import type { FieldProgram, VmsdProgram } from './program.ts';
import { choiceMessage, compareReadings, type Doubt, misfit } from './readings.ts';
import { search } from './search.ts';
import { Objects, type Shadow } from './shadow.ts';
import { subsectionNames } from './subsection-names.ts';

/** Far more than a field needs whose end is known. */
const LIMITS = { states: 400, steps: 2_000_000, margin: 4 };

/** VMSDs that an info's function names itself. */
export interface InfoTables {
  vmsds(name: string): readonly VmsdProgram[];
  /** The field of a name and info; its VMSDs are those of the elements of a list or tree. */
  infoField(name: string, info: string): FieldProgram | undefined;
}

/** What the reader of a field's VMStateInfo makes of its bytes by the tables of one QEMU. */
export interface ReadInfo {
  /** It comes out at the field's end. */
  readonly fits: boolean;
  /** Bits, those of what it leaves included: lower explains more. */
  readonly cost: number;
  /** The field opened up, as far as the reader came, with what was guessed or why it stopped. */
  open(): OpenedInfo | undefined;
}

export interface OpenedInfo {
  readonly node: LayoutNode;
  readonly diagnostic: Omit<Diagnostic, 'section' | 'instanceId'> | undefined;
}

/**
 * Opens up a field by the reader that its VMStateInfo has, where a description has told the field's range. What it had
 * to guess is marked, and all of it where the reader fails: undefined where that comes to nothing.
 */
export function readInfo(
  context: ResolveContext,
  { name, type, start, end }: NodePlace,
  tables: InfoTables,
): ReadInfo | undefined {
  const section = partOf(context.section, start, end);
  const headers = subsectionNames(section.bytes);
  const lengths = new FixedLengths((header) => headers.has(header), context.infos);
  const { idstr, infos } = context;
  const surroundings = { idstr, vmsds: (vmsd: string) => tables.vmsds(vmsd), cpus: 1, infos };
  const machine = new Machine(section, end, new Objects(), lengths, { defaults: () => NONE }, surroundings);
  const program = fieldProgram(String(name), type, tables);
  const vmsd: VmsdProgram = {
    name: '',
    versionId: 0,
    minimumVersionId: 0,
    fields: [program],
    subsections: [],
    preparesSave: false,
    needed: undefined,
    validations: [],
  };
  const result = search(machine, 0, [{ vmsd, cost: 0, types: [] }], LIMITS);
  const build = (shadow: Shadow, doubt: Doubt | undefined) => {
    const builder = new NodeBuilder({ ...context, section }, vmsd, 0, doubt);
    const run = machine.start(vmsd, 0, shadow.branch());
    machine.run(run, builder);
    const path = [...context.path, ...builder.path.slice(1)];
    const { children } = builder.finish(run.offset, end);
    return { path, children };
  };
  const [best] = result.solutions;
  if (best) {
    const open = (): OpenedInfo | undefined => {
      const doubt = compareReadings(machine, result, 0, true);
      const [node] = build(best.shadow, doubt).children;
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
    const { path, children } = build(closest.shadow, misfit(vmsd));
    const parts = children.flatMap((child) =>
      child.kind === 'struct' && child.type === type ? child.children : child,
    );
    const nothing = { vmsdName: undefined, versionId: undefined };
    return {
      node: { kind: 'struct', name, type, start, end, ...nothing, value: section.bytes, children: parts },
      diagnostic: {
        severity: 'warning',
        code: 'schema-mismatch',
        message: `${printable(type)} cannot be read to its end: ${closest.why}`,
        range: { start: closest.offset, end },
        path,
      },
    };
  };
  return { fits: false, cost: closest.cost, open };
}

const NONE: ReadonlySet<number> = new Set();

function partOf({ bytes, base }: SectionBytes, start: number, end: number): SectionBytes {
  return sectionBytes(bytes.subarray(start - base, end - base), start);
}

function fieldProgram(name: string, info: string, tables: InfoTables): FieldProgram {
  const known = tables.infoField(name, info);
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
    element: known?.element ?? { kind: 'info', info, vmsd: undefined, key: undefined },
    plain: undefined,
    nullType: '',
    described: 'each',
    exists: { kind: 'version', from: 0 },
    versionId: 0,
  };
}
