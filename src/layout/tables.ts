import { appendTo } from '../bytes/append-to.ts';
import { type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { rangeLength } from '../bytes/range.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import type { SourceSymbol } from '../schema/symbols.ts';
import type { Section } from '../stream/stream.ts';
import { TablesCompiler } from '../vmsd/compile-tables.ts';
import type { CompiledField, CompiledVmsd } from '../vmsd/compiled.ts';
import { variablesOf } from '../vmsd/variables.ts';
import type { StructNode } from './node.ts';
import { openSectionMachine, type SectionInput } from './section-machine.ts';
import { buildNodes } from './walk/build.ts';
import { CandidateFinder } from './walk/candidates.ts';
import { countHints } from './walk/count-hints.ts';
import { NodeBuilder } from './walk/nodes.ts';
import { choiceMessage, compareReadings, type Doubt, misfit } from './walk/readings.ts';
import { type Candidate, search } from './walk/search.ts';
import { Objects, type Shadow } from './walk/shadow.ts';
import type { CountHints } from './walk/walk-context.ts';

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
  readonly #compiler: TablesCompiler;
  #finder: CandidateFinder | undefined;
  #hints: CountHints | undefined;
  #variables: ReadonlyMap<CompiledVmsd, SourceSymbol> | undefined;
  readonly #byName = new Map<string, number[]>();
  /** The first VMSD that has a field with an info, by both names. */
  #infoFields: ReadonlyMap<string, number> | undefined;
  /** Types of a VM with all that they inherit from. */
  readonly #typesThere = new WeakMap<ReadonlySet<string>, ReadonlySet<string>>();
  readonly #buses = new WeakMap<readonly Section[], ReadonlySet<string>>();

  constructor(schema: QemuSchema) {
    this.schema = schema;
    this.#compiler = new TablesCompiler(schema);
    for (const [i, { name }] of schema.vmsds.entries()) {
      if (name !== undefined) appendTo(this.#byName, name, i);
    }
  }

  /** What counts are by default. @internal */
  get hints(): CountHints {
    this.#hints ??= countHints(this.schema);
    return this.#hints;
  }

  vmsds(name: string): readonly CompiledVmsd[] {
    return (this.#byName.get(name) ?? []).map((index) => this.#compiler.vmsd(index));
  }

  /** The variable of QEMU's source that a VMSD of these tables is, where they know it. */
  variable(vmsd: CompiledVmsd): SourceSymbol | undefined {
    this.#variables ??= variablesOf(this.schema.symbols, this.#compiler);
    return this.#variables.get(vmsd);
  }

  /** @internal */
  infoField(name: string, info: string): CompiledField | undefined {
    this.#infoFields ??= infoFields(this.schema);
    const index = this.#infoFields.get(`${name} ${info}`);
    if (index === undefined) return undefined;
    const { fields } = this.#compiler.vmsd(index);
    return fields.find(
      (field) => field.name === name && field.element.kind === 'info' && field.element.info === info,
    );
  }

  /** VMSDs that a section can be of, the likeliest first. The stream's other sections tell which buses there are. @internal */
  candidates(idstr: string, versionId: number, sections: readonly Section[]): Candidate[] {
    this.#finder ??= new CandidateFinder(this.schema);
    let buses = this.#buses.get(sections);
    if (!buses) {
      buses = this.#finder.busesOf(sections.map((section) => section.idstr));
      this.#buses.set(sections, buses);
    }
    return this.#finder.candidates(idstr, versionId, buses).map(({ index, cost }) => {
      const types = this.schema.types.filter(({ vmsds }) => vmsds.includes(index)).map(({ name }) => name);
      return { vmsd: this.#compiler.vmsd(index), cost, types };
    });
  }

  /**
   * Candidates that devices of these QOM types can have; all where it is so of none. Those of no type stay: a VMSD may be
   * registered without a device. @internal
   */
  thoseOf(deviceTypes: ReadonlySet<string>, candidates: readonly Candidate[]): readonly Candidate[] {
    let there = this.#typesThere.get(deviceTypes);
    if (!there) {
      there = this.#withParents(deviceTypes);
      this.#typesThere.set(deviceTypes, there);
    }
    const isThere = ({ types }: Candidate) => types.some((type) => there.has(type));
    return candidates.some(isThere)
      ? candidates.filter((candidate) => candidate.types.length === 0 || isThere(candidate))
      : candidates;
  }

  #withParents(types: ReadonlySet<string>): ReadonlySet<string> {
    const parents = new Map(this.schema.types.map(({ name, parent }) => [name, parent]));
    const all = new Set(types);
    for (const type of types) {
      let parent = parents.get(type);
      for (let i = 0; parent !== undefined && i < MAX_PARENTS; i++) {
        all.add(parent);
        parent = parents.get(parent);
      }
    }
    return all;
  }
}

/** More parents than a type has. */
const MAX_PARENTS = 32;

function infoFields({ vmsds, infos }: QemuSchema): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [i, { fields }] of vmsds.entries())
    for (const { name, info } of fields) {
      if (info === undefined) continue;
      const key = `${name} ${infos[info]?.name}`;
      if (!found.has(key)) found.set(key, i);
    }
  return found;
}

/**
 * Resolves a section by VMSD tables; undefined where the tables have nothing for it. `deviceTypes` are the QOM types of
 * all devices of the VM, where they are known.
 */
export async function resolveByTables(
  input: SectionInput,
  tables: SchemaTables,
  report: (diagnostic: Diagnostic) => void,
  deviceTypes?: ReadonlySet<string>,
): Promise<StructNode | undefined> {
  const { record, sections } = input;
  const { body, idstr, versionId } = record;
  const possible = tables.candidates(idstr, versionId, sections);
  const candidates = deviceTypes ? tables.thoseOf(deviceTypes, possible) : possible;
  if (candidates.length === 0 || rangeLength(body) > MAX_SECTION_LENGTH) return undefined;
  const { machine, context } = await openSectionMachine(
    input,
    tables,
    new Objects(),
    { isCut: record.boundary === 'truncated' },
    report,
  );
  const result = search(machine, versionId, candidates, {
    states: MAX_STATES,
    steps: MAX_STEPS,
    margin: MARGIN,
  });
  const build = (vmsd: CompiledVmsd, shadow: Shadow, doubt?: Doubt): StructNode => {
    const { root, outcome, path } = buildNodes(machine, context, vmsd, versionId, shadow, doubt);
    if (outcome.kind === 'cut') {
      report({
        severity: 'error',
        code: 'truncated',
        message: 'the stream ends in this field',
        range: { start: outcome.offset, end: body.end },
        path: [...path, outcome.field].filter((name) => name !== ''),
      });
    }
    return root;
  };
  const [best] = result.solutions;
  if (best) {
    const { vmsd } = best.candidate;
    if (vmsd.versionId !== versionId) {
      report({
        severity: 'warning',
        code: 'schema-mismatch',
        message: `version ${versionId} of ${printable(vmsd.name)}; this QEMU writes ${vmsd.versionId}: another one wrote the stream`,
        range: record.range,
      });
    }
    const doubt = compareReadings(machine, result, versionId, tables.schema.origin === 'binary');
    if (doubt) {
      const message = choiceMessage(doubt);
      report({ severity: 'note', code: 'chosen-reading', message, range: record.range });
    }
    return build(best.candidate.vmsd, best.shadow, doubt);
  }
  const { closest } = result;
  if (!closest) {
    const message = `the search for a reading was given up after ${result.states} tries`;
    report({ severity: 'error', code: 'schema-mismatch', message, range: body });
    return new NodeBuilder(context, candidates[0]!.vmsd, versionId).finish(body.start, body.end);
  }
  report({
    severity: 'error',
    code: 'schema-mismatch',
    message: `the tables of this QEMU do not fit: ${closest.why}`,
    range: { start: closest.offset, end: body.end },
  });
  return build(closest.candidate.vmsd, closest.shadow, misfit(closest.candidate.vmsd));
}
