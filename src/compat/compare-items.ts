import { alternativeInfoLengths } from '../infos/infos.ts';
import type { CompiledVmsd } from '../vmsd/compiled.ts';
import { type AlignedPair, align } from './align.ts';
import { compareVersions } from './compare-versions.ts';
import {
  conditionGroup,
  conditionTexts,
  neededDifference,
  oppositeText,
  sendConditions,
  type TestDifference,
  testDifference,
} from './conditions.ts';
import { type Hunk, type MovedField, takeMoved } from './hunks.ts';
import type { ItemBudget } from './item-budget.ts';
import { byteDistance, totalLength, varyingCondition } from './item-lengths.ts';
import { countText, fieldNames, isAre, itemsText, markerText, valueText } from './item-text.ts';
import type { SideView } from './side-view.ts';
import { isSameContent } from './vmsd-content.ts';
import { type WireFinding, WireFindings } from './wire-finding.ts';
import {
  type Condition,
  isUnused,
  itemLength,
  itemPlace,
  type OpenItem,
  type SubsectionsItem,
  sameCount,
  sameWire,
  type ValueItem,
  type WireItem,
  wireItems,
} from './wire-items.ts';

/** A VMSD of a side at the version that is written or read. */
interface VersionedVmsd {
  readonly view: SideView;
  readonly vmsd: CompiledVmsd;
  readonly versionId: number;
}

/** Compares what a source puts on the wire for a VMSD with how a destination reads it. */
export function compareVmsds(
  saved: VersionedVmsd,
  loaded: VersionedVmsd,
  budget: ItemBudget,
  conditions: readonly Condition[] = [],
): readonly WireFinding[] {
  const comparison = new Comparison(budget, saved.view, loaded.view);
  if (budget.take(saved.vmsd, loaded.vmsd)) {
    if (saved.versionId === loaded.versionId && isSameContent(saved, loaded)) return [];
    const sent = wireItems(saved.view, saved.vmsd, saved.versionId, 'save', conditions);
    const read = wireItems(loaded.view, loaded.vmsd, loaded.versionId, 'load', conditions);
    comparison.compare(align(sent, read));
  } else comparison.giveUp(saved.vmsd);
  return comparison.findings.list;
}

class Comparison {
  readonly findings = new WireFindings();
  readonly #budget: ItemBudget;
  readonly #source: SideView;
  readonly #destination: SideView;
  /** Of the arrays that the items are in: the finding that it has another length, as index into the list. */
  readonly #lengths: (number | undefined)[] = [];

  constructor(budget: ItemBudget, source: SideView, destination: SideView) {
    this.#budget = budget;
    this.#source = source;
    this.#destination = destination;
  }

  compare(pairs: readonly AlignedPair[]): void {
    const hunks: Hunk[] = [];
    let hunk: Hunk | undefined;
    for (const pair of pairs) {
      const { saved, loaded } = pair;
      if (saved && loaded && this.#agrees(saved, loaded)) {
        hunk = undefined;
        this.#pair(saved, loaded);
        continue;
      }
      if (!hunk) {
        hunk = { pairs: [], saved: [], loaded: [] };
        hunks.push(hunk);
      }
      hunk.pairs.push(pair);
      if (saved) hunk.saved.push(saved);
      if (loaded) hunk.loaded.push(loaded);
    }
    for (const moved of takeMoved(hunks)) this.#moved(moved);
    for (const each of hunks) this.#hunk(each);
  }

  /** Values of one form, which are there as often but for arrays that are said to have another length. */
  #agrees(saved: WireItem, loaded: WireItem): boolean {
    if (saved.kind !== 'value') return true;
    if (loaded.kind !== 'value' || !sameWire(saved, loaded)) return false;
    return saved.times === loaded.times || this.#otherLength() !== undefined;
  }

  #otherLength(): number | undefined {
    return this.#lengths.findLast((length) => length !== undefined);
  }

  giveUp(vmsd: CompiledVmsd): void {
    this.findings.add({
      rule: 'compat-not-compared',
      rank: 'conditional',
      ...wholeOf(vmsd),
      message: 'the tables have more fields than can be compared',
    });
  }

  #pair(saved: WireItem, loaded: WireItem): void {
    if (saved.kind === 'subsections') {
      this.#subsections(saved, loaded as SubsectionsItem);
      return;
    }
    if (saved.kind === 'validate') return;
    const difference = testDifference(saved.conditions, loaded.conditions);
    if (difference) this.#test(difference, loaded, saved.conditions);
    if (saved.kind === 'close') {
      this.#lengths.pop();
      return;
    }
    this.#names(saved, loaded);
    if (saved.kind === 'open') this.#open(saved, loaded as OpenItem);
    else {
      this.#value(saved, loaded as ValueItem);
      this.#lengthen(saved, loaded as ValueItem);
    }
  }

  /** An item in an array of another length, which is there more or less often. */
  #lengthen(saved: ValueItem, loaded: ValueItem): void {
    const at = this.#otherLength();
    if (at === undefined) return;
    this.findings.addBytes(at, byteDistance(itemLength(saved), itemLength(loaded)));
  }

  #test(difference: TestDifference, item: WireItem, around: readonly Condition[]): void {
    const conditions = conditionTexts(around.filter(({ kind }) => kind !== 'test'));
    this.findings.addShared(difference.message, item, {
      rule: 'compat-test-changed',
      rank: 'conditional',
      message: difference.message,
      conditions: [...conditions, difference.condition],
    });
  }

  #names(saved: WireItem, loaded: WireItem): void {
    if (isUnused(saved) !== isUnused(loaded)) {
      const [used, says] = isUnused(saved)
        ? [loaded, 'are not used by the source']
        : [saved, 'are not used by the destination'];
      this.findings.addShared(says, used, {
        rule: 'compat-bytes-regrouped',
        rank: 'cosmetic',
        message: `the same bytes ${says}`,
        conditions: [],
      });
      return;
    }
    const [from, to] = [saved.name, loaded.name];
    if (from !== to) {
      this.findings.add({
        rule: 'compat-field-renamed',
        rank: 'cosmetic',
        ...itemPlace(loaded),
        fields: [from],
        message: `${from} of the source is ${to} of the destination`,
      });
    }
    if (
      saved.outer.length === loaded.outer.length &&
      saved.outer.every((name, i) => name === loaded.outer[i])
    )
      return;
    const [old, fresh] = [saved, loaded].map(({ outer }) =>
      outer.length === 0 ? 'no struct' : outer.join('/'),
    );
    const message = `${old} of the source is ${fresh} of the destination`;
    this.findings.addShared(message, loaded, {
      rule: 'compat-struct-changed',
      rank: 'cosmetic',
      message,
      conditions: [],
    });
  }

  #open(saved: OpenItem, loaded: OpenItem): void {
    this.#pointers(saved, loaded);
    const isSame = sameCount(saved.count, loaded.count);
    this.#lengths.push(isSame ? undefined : this.findings.list.length);
    this.#count(saved, loaded, 0);
  }

  #count(saved: OpenItem | ValueItem, loaded: OpenItem | ValueItem, length: number | undefined): void {
    if (sameCount(saved.count, loaded.count)) return;
    const place = { ...itemPlace(loaded), fields: [loaded.name] };
    const around = conditionTexts(loaded.conditions);
    const text = `${countText(saved.count)} sent, ${countText(loaded.count)} read`;
    if (saved.count.kind === 'fixed' && loaded.count.kind === 'fixed') {
      const more = loaded.count.count - saved.count.count;
      this.findings.add({
        ...place,
        rule: 'compat-count-changed',
        message: text,
        conditions: around,
        bytes: length === undefined ? undefined : more * length * loaded.times,
      });
      return;
    }
    this.findings.add({
      ...place,
      rule: 'compat-count-source',
      message: text,
      conditions: [...around, 'the numbers differ'],
    });
  }

  #pointers(saved: OpenItem | ValueItem, loaded: OpenItem | ValueItem): void {
    const [from, to] = [saved.pointers, loaded.pointers];
    if (from === to || from === 'unknown' || to === 'unknown') return;
    if (from !== 'marked' && to !== 'marked') return;
    this.findings.add({
      rule: 'compat-pointer-markers',
      ...itemPlace(loaded),
      fields: [loaded.name],
      message: `${markerText(from)} sent, ${markerText(to)} expected`,
      conditions: [...conditionTexts(loaded.conditions), 'an element is not NULL'],
    });
  }

  #value(saved: ValueItem, loaded: ValueItem): void {
    this.#pointers(saved, loaded);
    const [from, to] = [saved.value.info, loaded.value.info];
    if (from === undefined || to === undefined) return;
    if (from !== to && /(equal|le)$/.test(to) && !/(equal|le)$/.test(from)) {
      this.findings.addShared('equal', loaded, {
        rule: 'compat-value-must-match',
        rank: 'conditional',
        message: `${to}: the destination has to have the value that is sent`,
        conditions: [...conditionTexts(loaded.conditions), 'the values differ'],
      });
      return;
    }
    const bytes = loaded.value.memory;
    if (from === to && alternativeInfoLengths(to) && saved.value.memory !== bytes) {
      this.findings.addShared('alternatives', loaded, {
        rule: 'compat-info-length',
        rank: 'conditional',
        message: `${to} has ${saved.value.memory} bytes in the source's memory, ${bytes} in the destination's`,
        conditions: [...conditionTexts(loaded.conditions), 'its bytes on the wire changed with it'],
      });
      return;
    }
    if (isUnused(saved) || isUnused(loaded)) return;
    if (from !== to || !sameCount(saved.count, loaded.count)) {
      this.findings.addShared(`${valueText(saved)} ${valueText(loaded)}`, loaded, {
        rule: 'compat-type-differs',
        rank: 'cosmetic',
        message: `${valueText(saved)} of the source is ${valueText(loaded)} of the destination`,
        conditions: [],
      });
    }
  }

  #moved({ saved, loaded }: MovedField): void {
    this.findings.add({
      rule: 'compat-field-moved',
      ...itemPlace(loaded),
      fields: [loaded.name],
      message: 'it is sent in another place than it is read: this field and those between get wrong values',
      conditions: conditionTexts([...saved.conditions, ...loaded.conditions]),
      bytes: byteDistance(itemLength(saved), itemLength(loaded)),
    });
  }

  #hunk({ pairs, saved, loaded }: Hunk): void {
    const subsections = (items: readonly WireItem[]) => items.filter((item) => item.kind === 'subsections');
    const [from, to] = [subsections(saved), subsections(loaded)];
    if (from.length + to.length > 0) {
      const place = (from[0] ?? to[0])!;
      const all = (items: readonly SubsectionsItem[]) => items.flatMap((item) => item.subsections);
      this.#subsections({ ...place, subsections: all(from) }, { ...place, subsections: all(to) });
    }
    for (const item of loaded) {
      if (item.kind !== 'validate') continue;
      this.findings.addShared('validate', item, {
        rule: 'compat-validation-added',
        rank: 'conditional',
        message: 'the destination refuses values that fail a check which the source does not have',
        conditions: [...conditionTexts(item.conditions), oppositeText(item.test, 'what it checks')],
      });
    }
    const [single] = pairs;
    const isWhole = saved.length + loaded.length === 2;
    if (pairs.length === 1 && isWhole && single?.saved?.kind === 'value' && single.loaded?.kind === 'value') {
      this.#changed(single.saved, single.loaded);
      return;
    }
    const groups = new Map<string, { readonly saved: WireItem[]; readonly loaded: WireItem[] }>();
    // All items of a struct have the same list.
    const keys = new Map<readonly Condition[], string>();
    const group = ({ conditions }: WireItem) => {
      const key = keys.get(conditions) ?? conditionGroup(conditions);
      keys.set(conditions, key);
      const known = groups.get(key) ?? { saved: [], loaded: [] };
      groups.set(key, known);
      return known;
    };
    const isBytes = (item: WireItem) => item.kind !== 'subsections' && item.kind !== 'validate';
    for (const item of saved) if (isBytes(item)) group(item).saved.push(item);
    for (const item of loaded) if (isBytes(item)) group(item).loaded.push(item);
    for (const each of groups.values()) this.#group(each.saved, each.loaded);
  }

  /** Items under the same conditions, in one place. */
  #group(saved: readonly WireItem[], loaded: readonly WireItem[]): void {
    const sent = totalLength(saved);
    const read = totalLength(loaded);
    if (sent === 0 && read === 0) return;
    const first = (loaded.find(({ kind }) => kind === 'value') ??
      saved.find(({ kind }) => kind === 'value') ??
      loaded[0] ??
      saved[0])!;
    const place = itemPlace(first);
    const bytes = byteDistance(sent, read);
    if (bytes === 0) {
      this.findings.add({
        ...place,
        rule: 'compat-bytes-regrouped',
        rank: 'cosmetic',
        fields: fieldNames([...saved, ...loaded]),
        message: `${itemsText(saved)} of the source, ${itemsText(loaded)} of the destination: the same ${sent} bytes`,
      });
      return;
    }
    const guess = [...saved, ...loaded].some(
      (item) => item.kind === 'value' && item.count.kind === 'unknown' && !item.count.isSingle,
    );
    const around = conditionTexts(first.conditions);
    const varying = bytes === undefined ? varyingCondition([...saved, ...loaded]) : undefined;
    const conditions = [
      ...around,
      ...(varying === undefined ? [] : [varying]),
      ...(guess && saved.length > 0 && loaded.length > 0
        ? ['they are not as long, which the dump does not tell']
        : []),
    ];
    if (loaded.length === 0) {
      this.findings.add({
        ...place,
        rule: 'compat-field-not-read',
        fields: fieldNames(saved),
        message: `${itemsText(saved)} of the source ${isAre(saved)} not read`,
        conditions,
        bytes,
      });
    } else if (saved.length === 0) {
      this.findings.add({
        ...place,
        rule: 'compat-field-not-sent',
        fields: fieldNames(loaded),
        message: `${itemsText(loaded)} of the destination ${isAre(loaded)} not sent`,
        conditions,
        bytes,
      });
    } else {
      this.findings.add({
        ...place,
        rule: 'compat-fields-differ',
        fields: fieldNames([...saved, ...loaded]),
        message: `${itemsText(saved)} sent, ${itemsText(loaded)} read`,
        conditions,
        bytes,
      });
    }
  }

  /** One field of another form. */
  #changed(saved: ValueItem, loaded: ValueItem): void {
    const [from, to] = [saved.value, loaded.value];
    const known = from.length !== undefined && to.length !== undefined;
    const sameElement = known
      ? from.length === to.length
      : from.info === to.info && (from.memory === to.memory || from.memory === undefined);
    this.#pointers(saved, loaded);
    if (sameElement && !sameCount(saved.count, loaded.count)) {
      this.#count(saved, loaded, to.length ?? (to.info === undefined ? to.memory : undefined));
      return;
    }
    const bytes = byteDistance(itemLength(saved), itemLength(loaded));
    if (bytes === 0 || (bytes === undefined && sameElement)) return;
    const place = { ...itemPlace(loaded), fields: [loaded.name] };
    const varying = bytes === undefined ? varyingCondition([saved, loaded]) : undefined;
    this.findings.add({
      ...place,
      rule: bytes === undefined ? 'compat-type-changed' : 'compat-size-changed',
      message: `${valueText(saved)} sent, ${valueText(loaded)} read`,
      conditions: [...conditionTexts(loaded.conditions), ...(varying === undefined ? [] : [varying])],
      bytes,
    });
  }

  /** A source sends those of its subsections that are needed; a destination looks for each by its name. */
  #subsections(saved: SubsectionsItem, loaded: SubsectionsItem): void {
    const seen = new Set<string>();
    // The first of a name, whichever it is (migration/vmstate.c, vmstate_get_subsection).
    const byName = new Map<string, CompiledVmsd>();
    for (const subsection of loaded.subsections)
      if (!byName.has(subsection.name)) byName.set(subsection.name, subsection);
    const around = saved.conditions;
    for (const subsection of saved.subsections) {
      const { name, versionId } = subsection;
      seen.add(name);
      const sent = sendConditions(this.#source, subsection);
      if (!sent) continue;
      const inside = sent.length === 0 ? around : [...around, ...sent];
      const counterpart = byName.get(name);
      const place = wholeOf(subsection);
      if (!counterpart) {
        this.findings.add({
          ...place,
          rule: 'compat-subsection-unknown',
          message: `the destination does not know subsection ${name}`,
          conditions: conditionTexts(inside),
          qemuSays: 'load of migration failed: No such file or directory',
        });
        continue;
      }
      const versions = compareVersions(name, versionId, counterpart, true);
      if (versions) {
        const conditions = [...conditionTexts(inside), ...versions.conditions];
        this.findings.add({
          ...place,
          ...versions,
          conditions,
          rank: conditions.length > 0 ? 'conditional' : 'certain',
        });
        continue;
      }
      const message = neededDifference(
        this.#source.needed(subsection),
        this.#destination.needed(counterpart),
      );
      if (message !== undefined)
        this.findings.add({ ...place, rule: 'compat-needed-changed', rank: 'cosmetic', message });
      const found = compareVmsds(
        { view: this.#source, vmsd: subsection, versionId },
        { view: this.#destination, vmsd: counterpart, versionId },
        this.#budget,
        inside,
      );
      for (const finding of found) this.findings.list.push(finding);
    }
    for (const subsection of loaded.subsections) {
      const { name } = subsection;
      if (seen.has(name) || this.#destination.isSent(subsection) === false) continue;
      this.findings.add({
        rule: 'compat-subsection-added',
        rank: 'cosmetic',
        ...wholeOf(subsection),
        message: `the source never sends subsection ${name}: what it holds stays as the destination has it`,
      });
    }
  }
}

/** What is about a VMSD as a whole. */
function wholeOf(vmsd: CompiledVmsd): Pick<WireFinding, 'vmsd' | 'description' | 'fields' | 'path'> {
  return { vmsd: vmsd.name, description: vmsd, fields: [], path: [] };
}
