import type { Diagnostic } from '../bytes/diagnostic.ts';
import { rangeLength } from '../bytes/range.ts';
import type { ByteSource } from '../bytes/source.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import type { SectionRecord } from '../stream/records.ts';
import { type ResolveContext, sectionBytes } from './context.ts';
import type { StructNode } from './node.ts';
import { resolveStruct } from './resolve.ts';
import { VmsdCompiler } from './walk/compile.ts';
import { FixedLengths } from './walk/fixed-length.ts';
import { type CountHints, Machine } from './walk/machine.ts';
import { NodeBuilder } from './walk/nodes.ts';
import type { VmsdProgram } from './walk/program.ts';
import { type Candidate, type SearchResult, search } from './walk/search.ts';
import { Objects, type Shadow } from './walk/shadow.ts';

/** A section of more bytes is not searched for a reading. */
const MAX_SECTION_LENGTH = 64 << 20;
/** Runs for one section at the most; real ones need one to a few hundred. */
const MAX_STATES = 4000;
/** Readings that cost this many bits more than the best one are not looked for. */
const MARGIN = 8;

/** The VMSD tables of a QEMU, ready to resolve sections with. */
export class SchemaTables {
  readonly schema: QemuSchema;
  readonly #compiler: VmsdCompiler;
  readonly #byName = new Map<string, number[]>();
  readonly #embedded = new Set<number>();

  constructor(schema: QemuSchema) {
    this.schema = schema;
    this.#compiler = new VmsdCompiler(schema);
    for (const [i, { name, fields, subsections }] of schema.vmsds.entries()) {
      if (name !== undefined) this.#byName.set(name, [...(this.#byName.get(name) ?? []), i]);
      for (const { vmsd } of fields) if (vmsd !== undefined) this.#embedded.add(vmsd);
      for (const subsection of subsections) this.#embedded.add(subsection);
    }
  }

  vmsds(name: string): readonly VmsdProgram[] {
    return (this.#byName.get(name) ?? []).map((index) => this.#compiler.program(index));
  }

  /** VMSDs that a section can be of: by the whole idstr, or its last part, which is the VMSD's name for qdev devices. */
  candidates(idstr: string, versionId: number): Candidate[] {
    const names = new Set([idstr, idstr.slice(idstr.lastIndexOf('/') + 1)]);
    return [...names].flatMap((name) =>
      (this.#byName.get(name) ?? []).map((index) => {
        const vmsd = this.#compiler.program(index);
        // One that no other VMSD embeds is likelier to be a device's own.
        const cost = (this.#embedded.has(index) ? 6 : 0) + (vmsd.versionId === versionId ? 0 : 20);
        return { vmsd, cost };
      }),
    );
  }
}

const NO_HINTS: CountHints = { defaults: () => new Set() };

/** Resolves a section by VMSD tables; undefined where the tables have nothing for it. */
export async function resolveByTables(
  source: ByteSource,
  tables: SchemaTables,
  record: SectionRecord,
  report: (diagnostic: Diagnostic) => void,
): Promise<StructNode | undefined> {
  const { body, idstr, versionId } = record;
  const candidates = tables.candidates(idstr, versionId);
  if (candidates.length === 0 || rangeLength(body) > MAX_SECTION_LENGTH) return undefined;
  const length = rangeLength(body);
  const section = sectionBytes(await source.read(body.start, length, new Uint8Array(length)), body.start);
  const headers = subsectionNames(section.bytes);
  const machine = new Machine(
    section,
    body.end,
    new Objects(),
    new FixedLengths((name) => headers.has(name)),
    NO_HINTS,
    { idstr, vmsds: (name) => tables.vmsds(name) },
  );
  const result = search(machine, versionId, candidates, { states: MAX_STATES, margin: MARGIN });
  const context: ResolveContext = { section, path: [], report, resolveStruct };
  const build = (vmsd: VmsdProgram, shadow: Shadow): StructNode => {
    const builder = new NodeBuilder(context, vmsd, versionId);
    const run = machine.start(vmsd, versionId, shadow.branch());
    machine.run(run, builder);
    return builder.finish(run.offset, body.end);
  };
  const [best] = result.solutions;
  if (best) {
    reportChoice(result, record, report);
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

/** Says so when the bytes and the tables leave more than one reading. */
function reportChoice(
  result: SearchResult,
  { range }: SectionRecord,
  report: (diagnostic: Diagnostic) => void,
): void {
  const { solutions, exhausted } = result;
  const [best, second] = solutions;
  if (!best || (exhausted && !second)) return;
  const guesses = best.guesses.map(
    ({ unknown, value }) => `${unknown.question} of ${unknown.field} ${value}`,
  );
  const others = second
    ? `one of ${exhausted ? '' : 'at least '}${solutions.length} readings`
    : 'the first reading found';
  const next = second
    ? `; the next one has ${second.guesses.map(({ unknown, value }) => `${unknown.field} ${value}`).join(', ')}`
    : '';
  report({
    severity: 'note',
    code: 'chosen-reading',
    message: `this is ${others}, chosen for its ${guesses.join(', ')}${next}`,
    range,
  });
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
