import type { Diagnostic } from '../bytes/diagnostic.ts';
import { rangeLength } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';
import type { Infos } from '../infos/info.ts';
import { builtInInfos } from '../infos/infos.ts';
import type { SectionRecord } from '../stream/records.ts';
import type { Section } from '../stream/stream.ts';
import type { CompiledVmsd } from '../vmsd/compiled.ts';
import type { ResolveContext } from './context.ts';
import { sectionBytes } from './section-bytes.ts';
import { FixedLengths } from './walk/fixed-length.ts';
import { Machine } from './walk/machine.ts';
import type { Objects } from './walk/shadow.ts';
import { subsectionNames } from './walk/subsection-names.ts';
import type { CountHints, MachineMode } from './walk/walk-context.ts';

/** A section's bytes and what is around them. */
export interface SectionInput {
  readonly source: FinishedSource;
  readonly record: SectionRecord;
  /** All sections of the stream. */
  readonly sections: readonly Section[];
  /** What is known of custom VMStateInfos; by default what vmwalk itself knows. */
  readonly infos?: Infos;
}

/** What a machine asks the tables. */
interface MachineTables {
  readonly hints: CountHints;
  vmsds(name: string): readonly CompiledVmsd[];
}

const cpuCounts = new WeakMap<readonly Section[], number>();

function countCpus(sections: readonly Section[]): number {
  let count = cpuCounts.get(sections);
  if (count === undefined) {
    count = sections.filter(({ idstr }) => idstr === 'cpu').length;
    cpuCounts.set(sections, count);
  }
  return count;
}

/** Reads a section whole, and makes the machine that walks it by VMSD tables and what its nodes are built with. */
export async function openSectionMachine(
  { source, record, sections, infos = builtInInfos }: SectionInput,
  tables: MachineTables,
  objects: Objects,
  mode: MachineMode,
  report: (diagnostic: Diagnostic) => void,
): Promise<{ readonly machine: Machine; readonly context: ResolveContext }> {
  const { body, idstr } = record;
  const length = rangeLength(body);
  const section = sectionBytes(await source.read(body.start, length, new Uint8Array(length)), body.start);
  const headers = subsectionNames(section.bytes);
  const lengths = new FixedLengths((name) => headers.has(name), infos);
  const surroundings = {
    idstr,
    vmsds: (name: string) => tables.vmsds(name),
    cpus: countCpus(sections),
    infos,
  };
  const machine = new Machine(section, body.end, objects, lengths, tables.hints, surroundings, mode);
  return {
    machine,
    context: { section, idstr, path: [], report, infos },
  };
}
