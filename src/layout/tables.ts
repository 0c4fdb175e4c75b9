import { type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { rangeLength } from '../bytes/range.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import type { SectionRecord } from '../stream/records.ts';
import type { Section } from '../stream/scan.ts';
import { type ResolveContext, sectionBytes } from './context.ts';
import type { StructNode } from './node.ts';
import { resolveStruct } from './resolve.ts';
import { CandidateFinder } from './walk/candidates.ts';
import { VmsdCompiler } from './walk/compile.ts';
import { countHints } from './walk/count-hints.ts';
import { FixedLengths } from './walk/fixed-length.ts';
import { type CountHints, Machine, type WalkSink } from './walk/machine.ts';
import { NodeBuilder } from './walk/nodes.ts';
import type { VmsdProgram } from './walk/program.ts';
import { type Candidate, type Solution, search } from './walk/search.ts';
import { Objects, type Shadow } from './walk/shadow.ts';

/** A section of more bytes is not searched for a reading. */
const MAX_SECTION_LENGTH = 64 << 20;
/** Runs for one section at the most; real ones need one to a few hundred. */
const MAX_STATES = 4000;
/** Steps for one section: some seconds. */
const MAX_STEPS = 20_000_000;
/** Readings that cost this many bits more than the best one are not looked for. */
const MARGIN = 24;

/** The VMSD tables of a QEMU, ready to resolve sections with. */
export class SchemaTables {
  readonly schema: QemuSchema;
  /** What counts are by default. */
  readonly hints: CountHints;
  readonly #compiler: VmsdCompiler;
  readonly #finder: CandidateFinder;
  readonly #byName = new Map<string, number[]>();
  readonly #buses = new WeakMap<readonly Section[], ReadonlySet<string>>();

  constructor(schema: QemuSchema) {
    this.schema = schema;
    this.hints = countHints(schema);
    this.#compiler = new VmsdCompiler(schema);
    this.#finder = new CandidateFinder(schema);
    for (const [i, { name }] of schema.vmsds.entries()) {
      if (name !== undefined) this.#byName.set(name, [...(this.#byName.get(name) ?? []), i]);
    }
  }

  vmsds(name: string): readonly VmsdProgram[] {
    return (this.#byName.get(name) ?? []).map((index) => this.#compiler.program(index));
  }

  /** VMSDs that a section can be of, the likeliest first. The stream's other sections tell which buses there are. */
  candidates(idstr: string, versionId: number, sections: readonly Section[]): Candidate[] {
    let buses = this.#buses.get(sections);
    if (!buses) {
      buses = this.#finder.busesOf(sections.map((section) => section.idstr));
      this.#buses.set(sections, buses);
    }
    return this.#finder
      .candidates(idstr, versionId, buses)
      .map(({ index, cost }) => ({ vmsd: this.#compiler.program(index), cost }));
  }
}

/** Resolves a section by VMSD tables; undefined where the tables have nothing for it. */
export async function resolveByTables(
  source: ByteSource,
  tables: SchemaTables,
  record: SectionRecord,
  sections: readonly Section[],
  report: (diagnostic: Diagnostic) => void,
): Promise<StructNode | undefined> {
  const { body, idstr, versionId } = record;
  const candidates = tables.candidates(idstr, versionId, sections);
  if (candidates.length === 0 || rangeLength(body) > MAX_SECTION_LENGTH) return undefined;
  const length = rangeLength(body);
  const section = sectionBytes(await source.read(body.start, length, new Uint8Array(length)), body.start);
  const headers = subsectionNames(section.bytes);
  const machine = new Machine(
    section,
    body.end,
    new Objects(),
    new FixedLengths((name) => headers.has(name)),
    tables.hints,
    { idstr, vmsds: (name) => tables.vmsds(name) },
  );
  const result = search(machine, versionId, candidates, {
    states: MAX_STATES,
    steps: MAX_STEPS,
    margin: MARGIN,
  });
  const context: ResolveContext = { section, path: [], report, resolveStruct };
  const build = (vmsd: VmsdProgram, shadow: Shadow): StructNode => {
    const builder = new NodeBuilder(context, vmsd, versionId);
    const run = machine.start(vmsd, versionId, shadow.branch());
    machine.run(run, builder);
    return builder.finish(run.offset, body.end);
  };
  const [best, ...others] = result.solutions;
  if (best) {
    const shape = (solution: Solution) => shapeOf(machine, solution, versionId);
    const own = shape(best);
    // Guesses that show nowhere in the bytes make no other reading.
    const different = others.slice(0, MAX_COMPARED).filter((other) => shape(other) !== own);
    reportChoice(best, different, result.exhausted, tables.schema.origin, record, report);
    return build(best.candidate.vmsd, best.shadow);
  }
  const { furthest } = result;
  if (!furthest) return undefined;
  report({
    severity: 'error',
    code: 'schema-mismatch',
    message: `the tables of this QEMU do not fit: ${furthest.why}`,
    range: { start: furthest.offset, end: body.end },
  });
  return build(furthest.candidate.vmsd, furthest.shadow);
}

/** Readings that are compared with the best one. */
const MAX_COMPARED = 16;

/** What a reading makes of the bytes, as a text to compare. */
function shapeOf(machine: Machine, { candidate, shadow }: Solution, versionId: number): string {
  const parts: (string | number)[] = [];
  const sink: WalkSink = {
    open: (name, type) => parts.push('{', name, type),
    openArray: (name, type) => parts.push('[', name, type),
    leaf: (name, type, start, end) => parts.push(name, type, start, end),
    leaves: (type, start, size, count) => parts.push(type, start, size, count),
    close: (end) => parts.push('}', end),
  };
  machine.run(machine.start(candidate.vmsd, versionId, shadow.branch()), sink);
  return parts.join(' ');
}

/** Says so when the bytes and the tables leave more than one reading, or may do. */
function reportChoice(
  best: Solution,
  different: readonly Solution[],
  exhausted: boolean,
  origin: QemuSchema['origin'],
  { range }: SectionRecord,
  report: (diagnostic: Diagnostic) => void,
): void {
  const [second] = different;
  // Tables learned from streams may lack what would give another answer to a question, or the device around a struct.
  const isPlain = best.guesses.length === 0 && best.candidate.cost === 0;
  const isSure = exhausted && (origin === 'binary' || isPlain);
  if (isSure && !second) return;
  const told = ({ guesses, candidate }: Solution) =>
    guesses.length === 0
      ? `VMSD ${printable(candidate.vmsd.name)}`
      : guesses
          .map(({ unknown, value }) => `${unknown.question} of ${printable(unknown.field)} ${value}`)
          .join(', ');
  const count = different.length + 1;
  const which = second ? `one of ${exhausted ? '' : 'at least '}${count} readings` : 'the likeliest reading';
  const untried = exhausted
    ? ', as far as these tables go, which are learned from streams'
    : ', others were not all tried';
  const next = second ? `; the next one: ${told(second)}` : untried;
  const message = `this is ${which}: ${told(best)}${next}`;
  report({ severity: 'note', code: 'chosen-reading', message, range });
}

/** Names in all places that look like a subsection's header. */
function subsectionNames(bytes: Uint8Array): ReadonlySet<string> {
  const names = new Set<string>();
  for (let pos = bytes.indexOf(0x05); pos >= 0; pos = bytes.indexOf(0x05, pos + 1)) {
    const length = bytes[pos + 1] ?? 0;
    if (length === 0 || pos + 2 + length + 4 > bytes.length) continue;
    const name = bytes.subarray(pos + 2, pos + 2 + length);
    if (name.every((byte) => byte > 0x20 && byte < 0x7f)) names.add(String.fromCharCode(...name));
  }
  return names;
}
