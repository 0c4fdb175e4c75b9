import { type CompiledField, type CompiledVmsd, tableName } from '../vmsd/compiled.ts';
import { alike } from './compat.ts';
import { countText, valueText } from './item-text.ts';
import type { Side } from './side.ts';
import type { SideView } from './side-view.ts';

/** What a VMSD sends, in two builds. */
export interface OutlinePair {
  readonly old: readonly OutlineLine[];
  readonly new: readonly OutlineLine[];
}

/** A field or a subsection; the first line of a VMSD is its version. */
export interface OutlineLine {
  readonly name: string;
  /** Type, number, and what has to hold for it to be sent. */
  readonly text: string;
}

/** Outlines of the VMSDs of some names, as far as both sides know. Several of one name are one behind the other. */
export function vmsdOutlines(
  oldSide: Side,
  newSide: Side,
  names: ReadonlySet<string>,
): ReadonlyMap<string, OutlinePair> {
  const [old, fresh] = alike(oldSide, newSide).map((view) => outlinesOf(view, names));
  return new Map(
    [...names].map((name) => [name, { old: old?.get(name) ?? [], new: fresh?.get(name) ?? [] }]),
  );
}

function outlinesOf(view: SideView, names: ReadonlySet<string>): Map<string, OutlineLine[]> {
  const outlines = new Map<string, OutlineLine[]>();
  const seen = new Set<CompiledVmsd>();
  const open = view.roots.map(({ vmsd }) => vmsd);
  for (let vmsd = open.pop(); vmsd; vmsd = open.pop()) {
    if (seen.has(vmsd)) continue;
    seen.add(vmsd);
    for (const { element } of vmsd.fields) if (element.vmsd) open.push(element.vmsd);
    open.push(...vmsd.subsections);
    if (!names.has(vmsd.name)) continue;
    const lines = [...outline(view, vmsd)];
    const known = outlines.get(vmsd.name);
    // Devices of one family have the same VMSD each for itself.
    if (!known) outlines.set(vmsd.name, lines);
    else if (JSON.stringify(known) !== JSON.stringify(lines)) known.push(...lines);
  }
  return outlines;
}

function* outline(view: SideView, vmsd: CompiledVmsd): Generator<OutlineLine> {
  const { versionId, minimumVersionId, fields, subsections } = vmsd;
  const from = minimumVersionId === versionId ? '' : `, loads from ${minimumVersionId}`;
  yield { name: `version ${versionId}${from}`, text: '' };
  for (const field of fields) {
    const words = fieldWords(view, vmsd, field).filter((word) => word !== '');
    yield { name: tableName(field), text: words.join('  ') };
  }
  for (const subsection of subsections) {
    const { name, needed, versionId: version } = subsection;
    const text = needed && (view.ask(needed, subsection, version).text() ?? 'it is needed');
    const condition = text === undefined ? '' : `  if ${text}`;
    yield { name: `subsection ${name}`, text: `version ${version}${condition}` };
  }
}

/** Type, number and condition of a field. */
function fieldWords(view: SideView, vmsd: CompiledVmsd, field: CompiledField): string[] {
  const { exists } = field;
  const { element, count } = view.form(field, vmsd);
  const type = () => {
    if (element.kind === 'value') return valueText({ value: element, count });
    const of = element.info === undefined ? 'struct' : `${element.info} of`;
    const isOne = count.kind === 'fixed' ? !count.isArray : count.kind === 'unknown';
    return `${isOne ? '' : `${countText(count)} of `}${of} ${element.vmsd.name}`;
  };
  if (exists.kind === 'version') return [type(), exists.from > 0 ? `from version ${exists.from}` : ''];
  const text = view.ask(exists.test, vmsd, vmsd.versionId).text();
  return [type(), `if ${text ?? 'a test says so'}`];
}
