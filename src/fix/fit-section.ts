import type { PathComponent } from '../bytes/diagnostic.ts';
import { readExactly } from '../bytes/source.ts';
import type { Destination, OwnSection } from '../check/destination.ts';
import { type EditedNode, nameOf, nodeLength, opened as partsOf, shapeOf } from '../edit/edited-node.ts';
import { recordAlone } from '../edit/record-alone.ts';
import { formDifference } from '../edit/same-form.ts';
import { walk } from '../layout/children.ts';
import { type DryLoad, dryLoad } from '../layout/dry-load.ts';
import type { LayoutNode, StructNode } from '../layout/node.ts';
import { layoutOf, type OpenedStream, sectionInput } from '../layout/open.ts';
import type { SectionRecord } from '../stream/records.ts';
import type { Section } from '../stream/stream.ts';
import { hasOtherRegisters } from './merge-registers.ts';
import { type MergedSection, mergeSection, pathKey, withoutSubsections } from './merge-section.ts';

/** Forms of one section that are tried. */
const MAX_ATTEMPTS = 64;
/** Bytes of a section that is written anew. */
const MAX_LENGTH = 16 << 20;

/** Loads that are tried for all sections of a stream. */
export interface FitBudget {
  left: number;
}

/** A section as its destination loads it. */
export interface FittedSection extends MergedSection {
  readonly versionId: number;
  /** Only subsections went; or all was written in the destination's form. */
  readonly how: 'subsections' | 're-encoded';
}

/**
 * The section in a form that the destination's own tables load to its end: without the subsections that it does not know,
 * or else field by field in the form that it would save it in itself. Undefined where neither is loaded, or what would be
 * loaded is not what was meant.
 */
export async function fitSection(
  opened: OpenedStream,
  section: Section,
  own: OwnSection,
  destination: Destination,
  budget: FitBudget,
): Promise<FittedSection | undefined> {
  const [record] = section.records;
  const [ownRecord] = own.section.records;
  const { tables, own: ownStream } = destination;
  const target = await own.target();
  const isFit = record && ownRecord && section.records.length === 1 && own.section.records.length === 1;
  if (!isFit || !tables || !ownStream || !target || section.scanner || own.section.scanner) return undefined;
  if (Math.max(lengthOf(record), lengthOf(ownRecord)) > MAX_LENGTH) return undefined;
  const { root } = await layoutOf(opened, section);
  if (!isCertain(root)) return undefined;
  const ownRoot = (await own.layout()).root;
  const body = await readExactly(ownStream.source, ownRoot.start, ownRoot.end - ownRoot.start);
  const load = async (written: EditedNode, versionId: number): Promise<DryLoad> => {
    if (--budget.left < 0) return { kind: 'unknown', why: 'too many forms were tried' };
    const { source, record: moved } = await recordAlone(opened.source, { ...record, versionId }, written);
    return dryLoad(target, { ...sectionInput(opened, moved), source });
  };
  const fits = async (
    { how, versionId }: Pick<FittedSection, 'how' | 'versionId'>,
    make: () => MergedSection | undefined,
    adapt: (load: DryLoad & { kind: 'fails' }, merged: MergedSection) => boolean,
  ): Promise<FittedSection | undefined> => {
    for (let i = 0; i < MAX_ATTEMPTS; i++) {
      const merged = make();
      const result = merged && (await load(merged.root, versionId));
      if (!merged || result?.kind === 'unknown') return undefined;
      if (result?.kind === 'loads')
        return isAsMeant(merged.root, result.root) ? { ...merged, versionId, how } : undefined;
      if (!result || !adapt(result, merged)) return undefined;
    }
    return undefined;
  };
  const { versionId } = own.section;
  // Which registers a CPU has, the form of its section does not tell.
  if (section.versionId <= versionId && !hasOtherRegisters(root, ownRoot)) {
    const without = new Set<string>();
    const found = await fits(
      { how: 'subsections', versionId: section.versionId },
      () => withoutSubsections(root, without),
      ({ refusal, offset }, merged) => {
        const at = refusal === 'unknown-subsection' ? subsectionAt(merged.root, offset) : undefined;
        return at !== undefined && addNew(without, pathKey(at));
      },
    );
    if (found && without.size > 0) return found;
  }
  for (const infos of ['source', 'destination'] as const) {
    const without = new Set<string>();
    const versions = new Map<string, number>();
    const found = await fits(
      { how: 're-encoded', versionId },
      () => mergeSection(root, { root: ownRoot, body }, { tables, without, versions, infos }),
      ({ refusal, offset }, merged) => {
        const at = subsectionAt(merged.root, offset);
        // One may be read to a wrong end.
        if (!at) return merged.added.filter((path) => addNew(without, pathKey(path))).length > 0;
        const key = pathKey(at);
        // Its fields may be the same ones in the version that the destination has.
        const known = tables.vmsds(String(at.at(-1)))[0]?.versionId;
        const isOther = refusal === 'too-new' || refusal === 'too-old';
        if (isOther && known !== undefined && !versions.has(key)) {
          versions.set(key, known);
          return true;
        }
        return addNew(without, key);
      },
    );
    if (found) return found;
  }
  return undefined;
}

function addNew(set: Set<string>, key: string): boolean {
  if (set.has(key)) return false;
  set.add(key);
  return true;
}

/** Is it known of all fields what they are? Custom infos are written as they are. */
function isCertain(root: StructNode): boolean {
  const isOpen = (node: LayoutNode) => node.kind !== 'struct' || node.value === undefined;
  for (const { node } of walk(root, isOpen)) if (node.kind === 'gap' || node.chosen) return false;
  return true;
}

/** Path of the innermost subsection that an offset of what is written is in; undefined where it is in none. */
function subsectionAt(
  node: EditedNode,
  offset: number,
  path: readonly PathComponent[] = [],
): readonly PathComponent[] | undefined {
  let at = 0;
  for (const child of partsOf(node)?.children ?? []) {
    const length = nodeLength(child);
    const below = [...path, nameOf(child)];
    if (offset >= at && offset < at + length) {
      const found = subsectionAt(child, offset - at, below);
      if (found) return found;
      const { type } = child.kind === 'kept' ? child.node : child;
      return type === 'subsection' ? below : undefined;
    }
    at += length;
  }
  return undefined;
}

/** Does the destination take each byte for what it was written as? */
function isAsMeant(written: EditedNode, read: StructNode): boolean {
  return formDifference(shapeOf(written), read) === undefined;
}

function lengthOf({ body }: SectionRecord): number {
  return body.end - body.start;
}
