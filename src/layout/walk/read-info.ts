import { type NodePlace, type ResolveContext, type SectionBytes, sectionBytes } from '../context.ts';
import type { LayoutNode } from '../node.ts';
import { FixedLengths } from './fixed-length.ts';
import { Machine } from './machine.ts';
import { NodeBuilder } from './nodes.ts';
import type { FieldProgram, VmsdProgram } from './program.ts';
import { infoReaders } from './readers/table.ts';
import { choiceMessage, compareReadings } from './readings.ts';
import { search } from './search.ts';
import { Objects } from './shadow.ts';
import { subsectionNames } from './subsection-names.ts';

/** Far more than a field needs whose end is known. */
const LIMITS = { states: 400, steps: 2_000_000, margin: 4 };

/** VMSDs that an info's function names itself. */
export interface InfoTables {
  vmsds(name: string): readonly VmsdProgram[];
  /** The field of a name and info; its VMSDs are those of the elements of a list or tree. */
  infoField(name: string, info: string): FieldProgram | undefined;
}

/** Is there a reader for a VMStateInfo? */
export function hasInfoReader(info: string): boolean {
  return infoReaders.has(info);
}

/**
 * Opens up a field by the reader that its VMStateInfo has, where a description has told the field's range; undefined where
 * the reader does not come out at its end. What it had to guess is marked.
 */
export function readInfo(
  context: ResolveContext,
  { name, type, start, end }: NodePlace,
  tables: InfoTables,
): LayoutNode | undefined {
  const section = partOf(context.section, start, end);
  const headers = subsectionNames(section.bytes);
  const lengths = new FixedLengths((header) => headers.has(header));
  const surroundings = { idstr: context.idstr, vmsds: (vmsd: string) => tables.vmsds(vmsd), cpus: 1 };
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
  const [best] = result.solutions;
  if (!best) return undefined;
  const doubt = compareReadings(machine, result, 0, true);
  if (doubt) {
    const range = { start, end };
    context.report({
      severity: 'note',
      code: 'chosen-reading',
      message: choiceMessage(doubt),
      range,
      path: context.path,
    });
  }
  const builder = new NodeBuilder({ ...context, section }, vmsd, 0, doubt);
  machine.run(machine.start(vmsd, 0, best.shadow.branch()), builder);
  const [node] = builder.finish(end, end).children;
  return node && { ...node, name };
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
