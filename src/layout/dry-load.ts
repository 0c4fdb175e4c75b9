import type { PathComponent } from '../bytes/diagnostic.ts';
import { rangeLength } from '../bytes/range.ts';
import type { Expression } from '../expressions/expression.ts';
import type { ObjectPlace } from '../infos/reader.ts';
import type { CompiledVmsd } from '../vmsd/compiled.ts';
import type { StructNode } from './node.ts';
import { isSameShape } from './same-shape.ts';
import { openSectionMachine, type SectionInput } from './section-machine.ts';
import type { SchemaTables } from './tables.ts';
import { buildNodes } from './walk/build.ts';
import { refusedVersion } from './walk/loading.ts';
import type { Refusal } from './walk/outcome.ts';
import {
  type Candidate,
  type Failure,
  type Guess,
  type Solution,
  search,
  withGuesses,
} from './walk/search.ts';
import { Objects, Shadow } from './walk/shadow.ts';

const MAX_SECTION_LENGTH = 16 << 20;
const READING = { states: 4000, steps: 20_000_000, margin: 24 };
const LOADING = { states: 1000, steps: 4_000_000, margin: 24 };
/** Readings of the destination's own section that a load is tried over. */
const MAX_MEMORIES = 8;

/** Members that nothing but a save or a load sets (hw/scsi/esp.c). */
const SET_BY_SAVE: ReadonlySet<string | number> = new Set(['esp.mig_version_id']);

/** What becomes of a section's bytes when a destination loads them. */
export type DryLoad =
  /** The destination reads it to its end. `root` is what it takes the bytes for. */
  | { readonly kind: 'loads'; readonly root: StructNode }
  /** It does not; `root` goes as far as it gets, and the rest is a gap. */
  | {
      readonly kind: 'fails';
      readonly root: StructNode;
      /** Where, absolute in the stream. */
      readonly offset: number;
      readonly path: readonly PathComponent[];
      readonly why: string;
      /** QEMU has words for it: they are `why`. */
      readonly refusal: Refusal | undefined;
      /** No other reading of what is known of the destination would load it. */
      readonly certain: boolean;
    }
  | { readonly kind: 'unknown'; readonly why: string };

/** The memory of a device before a stream is loaded into it. */
interface Memory {
  readonly candidate: Candidate;
  readonly shadow: Shadow;
}

/** A device of a destination, ready to be loaded into. */
export interface LoadTarget {
  readonly tables: SchemaTables;
  readonly objects: Objects;
  readonly memories: readonly Memory[];
  /** The destination's memory is one of these, for certain. */
  readonly certain: boolean;
}

/**
 * What a device is before a load, from a section that it wrote itself and the tables of its QEMU: a device's
 * configuration shows in the values and lengths that it saves. `described` is the section's own description resolved:
 * readings that differ from it are no readings. Undefined where the tables do not explain the section.
 */
export async function targetOfSection(
  tables: SchemaTables,
  input: SectionInput,
  described: StructNode | undefined,
): Promise<LoadTarget | undefined> {
  const { idstr, versionId } = input.record;
  const candidates = tables.candidates(idstr, versionId, input.sections);
  if (candidates.length === 0 || rangeLength(input.record.body) > MAX_SECTION_LENGTH) return undefined;
  const objects = new Objects();
  const loader = await openLoader(tables, input, objects, false);
  const result = search(loader.machine, versionId, candidates, READING);
  const fitting = described
    ? result.solutions.filter((solution) =>
        isSameShape(loader.build(solution, Shadow.empty()).root, described),
      )
    : result.solutions;
  if (fitting.length === 0) return undefined;
  const memories = fitting
    .slice(0, MAX_MEMORIES)
    .map((solution) => ({ candidate: solution.candidate, shadow: loader.beforeSave(solution) }));
  const allTried = result.exhausted && fitting.length <= MAX_MEMORIES;
  return { tables, objects, memories, certain: described !== undefined || allTried };
}

/**
 * A device of which only its QEMU is known: it may be configured in any way; or, where `sendsNothing`, in any that makes
 * its VMSD not `needed`.
 */
export function targetOfTables(
  tables: SchemaTables,
  input: SectionInput,
  sendsNothing = false,
): LoadTarget | undefined {
  const { idstr, versionId } = input.record;
  const candidates = tables.candidates(idstr, versionId, input.sections);
  if (candidates.length === 0) return undefined;
  const objects = new Objects();
  const memories = candidates.map((candidate) => {
    const shadow = Shadow.empty();
    const test = candidate.vmsd.needed?.expression;
    if (sendsNothing && test !== undefined)
      for (const [offset, size] of zeroMembers(test)) shadow.store(objects.root, offset, size, 0);
    return { candidate, shadow };
  });
  return { tables, objects, memories, certain: tables.schema.origin === 'binary' };
}

/** Members that must be 0 for a test to say no: of one that asks whether any of them is not. */
function zeroMembers(test: Expression): (readonly [offset: number, size: number])[] {
  if (typeof test !== 'object') return [];
  switch (test[0]) {
    case 'or':
      return [...zeroMembers(test[1]), ...zeroMembers(test[2])];
    case 'ne':
      return test[2] === 0 ? zeroMembers(test[1]) : [];
    case 'load':
      return test[1] === 'opaque' ? [[test[2], test[3]]] : [];
    default:
      return [];
  }
}

/** Loads a section as the destination would, without doing anything: which bytes go where, and where it stops. */
export async function dryLoad(target: LoadTarget, input: SectionInput): Promise<DryLoad> {
  const { record } = input;
  if (rangeLength(record.body) > MAX_SECTION_LENGTH)
    return { kind: 'unknown', why: 'the section is too long' };
  const loader = await openLoader(target.tables, input, target.objects, true);
  let closest: (Failure & { readonly memory: Shadow }) | undefined;
  let certain = target.certain;
  for (const { candidate, shadow } of target.memories) {
    const refused = refusedVersion(candidate.vmsd, record.versionId, record.range.start);
    if (refused) {
      closest ??= {
        ...refused,
        candidate,
        shadow,
        guesses: [],
        cost: Number.POSITIVE_INFINITY,
        memory: shadow,
      };
      continue;
    }
    const result = search(loader.machine, record.versionId, [candidate], LOADING, shadow);
    const [best] = result.solutions;
    if (best) return { kind: 'loads', root: loader.build(best, shadow).root };
    certain &&= result.exhausted && !result.doubtful;
    if (result.closest && (!closest || result.closest.cost < closest.cost))
      closest = { ...result.closest, memory: shadow };
  }
  if (!closest) return { kind: 'unknown', why: 'the search for a reading was given up' };
  const { offset, why, refusal } = closest;
  const { root, path } = loader.build(closest, closest.memory);
  return { kind: 'fails', root, path, offset, why, refusal, certain };
}

async function openLoader(tables: SchemaTables, input: SectionInput, objects: Objects, isLoad: boolean) {
  /** Those of the run that is recorded. */
  let structs: { readonly vmsd: CompiledVmsd; readonly place: ObjectPlace }[] | undefined;
  const { machine, context } = await openSectionMachine(
    input,
    tables,
    objects,
    { isLoad, onStruct: (vmsd, place) => structs?.push({ vmsd, place }) },
    () => {},
  );
  const { versionId } = input.record;
  const build = (
    { candidate, guesses }: { candidate: Candidate; guesses: readonly Guess[] },
    memory: Shadow,
  ) => buildNodes(machine, context, candidate.vmsd, versionId, withGuesses(memory, guesses));
  /** Memory as it was before it was prepared for the save: numbers that this may have changed are unknown. */
  const beforeSave = ({ candidate, shadow }: Solution): Shadow => {
    structs = [];
    machine.run(machine.start(candidate.vmsd, versionId, shadow.branch()), undefined);
    const memory = shadow.branch();
    const recorded = structs;
    structs = undefined;
    for (const { vmsd, place } of recorded) {
      if (!vmsd.preparesSave) continue;
      for (const { name, plain, offset, size } of vmsd.fields) {
        if (!plain) continue;
        memory.forget(place.object, place.offset + offset, size);
        if (SET_BY_SAVE.has(name)) memory.store(place.object, place.offset + offset, size, 0);
      }
    }
    return memory;
  };
  return { machine, build, beforeSave };
}
