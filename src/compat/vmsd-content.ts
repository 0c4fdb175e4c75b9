import { type CompiledField, type CompiledVmsd, tableName } from '../vmsd/compiled.ts';
import type { AskedPlace, AskedTest, SideView } from './side-view.ts';

/** All that is compared of a VMSD at a version, with what is in it. */
interface VmsdContent {
  /** The same number for the same, whatever the side. */
  readonly id: number;
  /** Names of subsections of it, and of structs in it. */
  readonly subsections: readonly string[];
  /** Places that its tests hang on, and that machine types set. */
  readonly asked: readonly AskedPlace[];
  /** It is read as it is written, and no two of its subsections have one name. */
  readonly isPlain: boolean;
}

/** Contents that are told apart at the same time; real QEMUs have some 500 each. */
const MAX_CONTENTS = 200_000;
const ids = new Map<string, number>();
let nextId = 0;
const ofViews = new WeakMap<SideView, Map<CompiledVmsd, Map<number, VmsdContent>>>();

/**
 * Is what one side writes for a VMSD at a version, in all that is compared, what the other side reads? Most VMSDs of two
 * builds are the same, and each is looked at once here, however many devices have it inside.
 */
export function isSameContent(
  saved: { readonly view: SideView; readonly vmsd: CompiledVmsd; readonly versionId: number },
  loaded: { readonly view: SideView; readonly vmsd: CompiledVmsd; readonly versionId: number },
): boolean {
  const [sent, read] = [saved, loaded].map(({ view, vmsd, versionId }) => contentOf(view, vmsd, versionId));
  return sent!.id === read!.id && sent!.isPlain;
}

function contentOf(view: SideView, vmsd: CompiledVmsd, versionId: number): VmsdContent {
  const ofView = ofViews.get(view) ?? new Map<CompiledVmsd, Map<number, VmsdContent>>();
  ofViews.set(view, ofView);
  const versions = ofView.get(vmsd) ?? new Map<number, VmsdContent>();
  ofView.set(vmsd, versions);
  const known = versions.get(versionId);
  if (known) {
    view.note(known.asked);
    return known;
  }
  const ofAny = view.ofAny && contentOf(view.ofAny, vmsd, versionId);
  const content = ofAny?.asked.length === 0 ? ofAny : readContent(view, vmsd, versionId);
  versions.set(versionId, content);
  return content;
}

function readContent(view: SideView, vmsd: CompiledVmsd, versionId: number): VmsdContent {
  const { result, asked } = view.noting(() => new ContentReader(view).content(vmsd, versionId));
  return { ...result, asked: [...new Set(asked)] };
}

class ContentReader {
  readonly #view: SideView;
  readonly #subsections: string[] = [];
  #isPlain = true;

  constructor(view: SideView) {
    this.#view = view;
  }

  content(vmsd: CompiledVmsd, versionId: number): Omit<VmsdContent, 'asked'> {
    const { name, needed, subsections } = vmsd;
    const parts: unknown[] = [name, needed && this.#test(this.#view.ask(needed, vmsd, vmsd.versionId))];
    for (const validation of this.#view.validations(vmsd)) {
      const test = this.#test(this.#view.ask(validation.test, vmsd, versionId));
      parts.push([validation.name, validation.before, test]);
    }
    for (const field of vmsd.fields) parts.push(this.#field(field, vmsd, versionId));
    for (const subsection of subsections) {
      this.#subsections.push(subsection.name);
      if (subsection.minimumVersionId > subsection.versionId) this.#isPlain = false;
      const { id, isPlain } = contentOf(this.#view, subsection, subsection.versionId);
      if (!isPlain) this.#isPlain = false;
      parts.push([id, subsection.versionId, subsection.minimumVersionId, subsection.loadsOld === true]);
    }
    const isPlain = this.#isPlain && new Set(this.#subsections).size === this.#subsections.length;
    return { id: idOf(JSON.stringify(parts)), subsections: this.#subsections, isPlain };
  }

  #field(field: CompiledField, vmsd: CompiledVmsd, versionId: number): unknown {
    const { exists } = field;
    let existence: unknown;
    if (exists.kind === 'version') {
      if (exists.from > versionId) return null;
    } else {
      const test = this.#view.ask(exists.test, vmsd, versionId);
      if (test.answer === false) return null;
      existence = this.#test(test);
    }
    const { count, pointers, element } = this.#view.form(field, vmsd);
    const parts = [tableName(field), existence, count, pointers];
    if (element.kind === 'value') return [...parts, element];
    const { info, savedVersion, loadedVersion } = element;
    if (savedVersion !== loadedVersion) this.#isPlain = false;
    const { id, subsections, isPlain } = contentOf(this.#view, element.vmsd, savedVersion);
    if (!isPlain) this.#isPlain = false;
    for (const name of subsections) this.#subsections.push(name);
    return [...parts, info, id];
  }

  #test({ shape, answer }: AskedTest): unknown {
    return answer ?? [shape];
  }
}

function idOf(content: string): number {
  let id = ids.get(content);
  if (id === undefined) {
    // Numbers that were given stay what they were: what is the same is only not seen to be.
    if (ids.size >= MAX_CONTENTS) ids.clear();
    id = nextId++;
    ids.set(content, id);
  }
  return id;
}
