import { alternativeInfoLengths } from '../layout/walk/info-lengths.ts';
import { type AlignedPair, align } from './align.ts';
import {
  conditionGroup,
  conditionTexts,
  notText,
  type TestDifference,
  testDifference,
} from './conditions.ts';
import type { CompatRank, CompatRule } from './rules.ts';
import {
  type CloseItem,
  type Condition,
  isUnused,
  itemLength,
  itemPath,
  type OpenItem,
  type SubsectionsItem,
  sameCount,
  sameWire,
  type ValueItem,
  type WireItem,
  wireItems,
} from './wire-items.ts';
import type { PointerForm, WireCount, WireVmsd } from './wire-vmsd.ts';

/** What is wrong with the bytes of one VMSD, before it is known which devices have it. */
export interface WireFinding {
  readonly rule: CompatRule;
  readonly rank: CompatRank;
  /** VMSD that the fields are of; that of the subsection for its version. */
  readonly vmsd: string;
  readonly fields: readonly string[];
  /** Where the first of them is: names of fields, outermost first. */
  readonly path: readonly string[];
  readonly message: string;
  /** All of them have to hold for the break to happen. */
  readonly conditions: readonly string[];
  /** Bytes that the destination reads more than the source sends; negative: less. */
  readonly bytes: number | undefined;
  /** What QEMU prints, where it is not that the section does not end where it should. */
  readonly qemuSays: string | undefined;
}

/** Names of fields in a message. */
const MAX_NAMES = 4;

/** Compares what a source puts on the wire for a VMSD with how a destination reads it. */
export function compareItems(saved: readonly WireItem[], loaded: readonly WireItem[]): WireFinding[] {
  const comparison = new Comparison();
  comparison.compare(align(saved, loaded));
  return comparison.findings;
}

/** Versions of a section or subsection; undefined where the destination takes it. */
export function compareVersions(
  name: string,
  versionId: number,
  destination: Pick<WireVmsd, 'versionId' | 'minimumVersionId' | 'loadsOld'>,
  isSubsection: boolean,
): Pick<WireFinding, 'rule' | 'rank' | 'message' | 'conditions' | 'qemuSays'> | undefined {
  const { versionId: newest, minimumVersionId: oldest, loadsOld } = destination;
  if (versionId > newest) {
    return {
      rule: 'compat-version-too-new',
      rank: 'certain',
      message: `version ${versionId} is sent, the destination knows up to ${newest}`,
      conditions: [],
      qemuSays: isSubsection
        ? `${name}: incoming version_id ${versionId} is too new for local version_id ${newest}`
        : `savevm: unsupported version ${versionId} for '${name}' v${newest}`,
    };
  }
  if (versionId < oldest) {
    return {
      rule: 'compat-version-too-old',
      rank: loadsOld ? 'conditional' : 'certain',
      message: `version ${versionId} is sent, the destination reads from ${oldest} on`,
      conditions: loadsOld ? ['load_state_old of the destination does not read it'] : [],
      qemuSays: `${name}: incoming version_id ${versionId} is too old for local minimum version_id ${oldest}`,
    };
  }
  return undefined;
}

/** Items between two places where both sides agree. */
interface Hunk {
  readonly pairs: AlignedPair[];
  saved: WireItem[];
  loaded: WireItem[];
}

class Comparison {
  readonly findings: WireFinding[] = [];
  /** Findings that many fields share, by what makes them the same. */
  readonly #shared = new Map<string, { readonly names: Set<string>; readonly fields: string[] }>();
  /** Findings of arrays of another length that the items are in, as indexes into `findings`. */
  readonly #lengths: number[] = [];

  compare(pairs: readonly AlignedPair[]): void {
    const hunks: Hunk[] = [];
    let hunk: Hunk | undefined;
    for (const pair of pairs) {
      const { saved, loaded } = pair;
      if (saved && loaded && agrees(saved, loaded)) {
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
    this.#takeMoved(hunks);
    for (const each of hunks) this.#hunk(each);
  }

  #add(
    finding: Omit<WireFinding, 'conditions' | 'qemuSays' | 'bytes' | 'rank'> & Partial<WireFinding>,
  ): void {
    const { conditions = [] } = finding;
    this.findings.push({
      rank: conditions.length > 0 ? 'conditional' : 'certain',
      bytes: undefined,
      qemuSays: undefined,
      ...finding,
      conditions,
    });
  }

  /** A finding about one item; those of one key are one finding with several fields. */
  #addShared(
    key: string,
    item: WireItem,
    finding: Pick<WireFinding, 'rule' | 'rank' | 'message' | 'conditions'>,
  ): void {
    const { name, vmsd } = item;
    const whole = JSON.stringify([finding.rule, vmsd, key, finding.conditions]);
    const known = this.#shared.get(whole);
    if (known) {
      if (!known.names.has(name)) known.fields.push(name);
      known.names.add(name);
      return;
    }
    const fields = [name];
    this.#shared.set(whole, { names: new Set(fields), fields });
    this.#add({ ...finding, vmsd, fields, path: itemPath(item) });
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
      if (!sameCount(saved.count, (loaded as CloseItem).count)) this.#lengths.pop();
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
    const at = this.#lengths.at(-1);
    const finding = at === undefined ? undefined : this.findings[at];
    if (at === undefined || !finding) return;
    const bytes = byteDistance(itemLength(saved), itemLength(loaded));
    this.findings[at] = { ...finding, bytes: sumOf(finding.bytes, bytes) };
  }

  #test(difference: TestDifference, item: WireItem, around: readonly Condition[]): void {
    const conditions = conditionTexts(around.filter(({ kind }) => kind !== 'test'));
    this.#addShared(difference.message, item, {
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
      this.#addShared(says, used, {
        rule: 'compat-bytes-regrouped',
        rank: 'cosmetic',
        message: `the same bytes ${says}`,
        conditions: [],
      });
      return;
    }
    const [from, to] = [saved.name, loaded.name];
    if (from !== to) {
      this.#add({
        rule: 'compat-field-renamed',
        rank: 'cosmetic',
        vmsd: loaded.vmsd,
        fields: [from],
        path: itemPath(loaded),
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
    this.#addShared(message, loaded, {
      rule: 'compat-struct-changed',
      rank: 'cosmetic',
      message,
      conditions: [],
    });
  }

  #open(saved: OpenItem, loaded: OpenItem): void {
    this.#pointers(saved, loaded);
    if (sameCount(saved.count, loaded.count)) return;
    this.#lengths.push(this.findings.length);
    this.#count(saved, loaded, 0);
  }

  #count(saved: OpenItem | ValueItem, loaded: OpenItem | ValueItem, length: number | undefined): void {
    if (sameCount(saved.count, loaded.count)) return;
    const place = { vmsd: loaded.vmsd, fields: [loaded.name], path: itemPath(loaded) };
    const around = conditionTexts(loaded.conditions);
    const text = `${countText(saved.count)} sent, ${countText(loaded.count)} read`;
    if (saved.count.kind === 'fixed' && loaded.count.kind === 'fixed') {
      const more = loaded.count.count - saved.count.count;
      this.#add({
        ...place,
        rule: 'compat-count-changed',
        message: text,
        conditions: around,
        bytes: length === undefined ? undefined : more * length * loaded.times,
      });
      return;
    }
    this.#add({
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
    this.#add({
      rule: 'compat-pointer-markers',
      vmsd: loaded.vmsd,
      fields: [loaded.name],
      path: itemPath(loaded),
      message: `${markerText(from)} sent, ${markerText(to)} expected`,
      conditions: [...conditionTexts(loaded.conditions), 'an element is not NULL'],
    });
  }

  #value(saved: ValueItem, loaded: ValueItem): void {
    this.#pointers(saved, loaded);
    const [from, to] = [saved.value.info, loaded.value.info];
    if (from === undefined || to === undefined) return;
    if (from !== to && /(equal|le)$/.test(to) && !/(equal|le)$/.test(from)) {
      this.#addShared('equal', loaded, {
        rule: 'compat-value-must-match',
        rank: 'conditional',
        message: `${to}: the destination has to have the value that is sent`,
        conditions: [...conditionTexts(loaded.conditions), 'the values differ'],
      });
      return;
    }
    const bytes = loaded.value.memory;
    if (from === to && alternativeInfoLengths(to) && saved.value.memory !== bytes) {
      this.#addShared('alternatives', loaded, {
        rule: 'compat-info-length',
        rank: 'conditional',
        message: `${to} has ${saved.value.memory} bytes in the source's memory, ${bytes} in the destination's`,
        conditions: [...conditionTexts(loaded.conditions), 'its bytes on the wire changed with it'],
      });
      return;
    }
    if (isUnused(saved) || isUnused(loaded)) return;
    if (from !== to || !sameCount(saved.count, loaded.count)) {
      this.#addShared(`${valueText(saved)} ${valueText(loaded)}`, loaded, {
        rule: 'compat-type-differs',
        rank: 'cosmetic',
        message: `${valueText(saved)} of the source is ${valueText(loaded)} of the destination`,
        conditions: [],
      });
    }
  }

  /** Fields that are sent in one hunk and read in another. */
  #takeMoved(hunks: readonly Hunk[]): void {
    for (const hunk of hunks) {
      for (const item of [...hunk.saved]) {
        if (item.kind !== 'value' || isUnused(item)) continue;
        for (const other of hunks) {
          if (other === hunk) continue;
          const match = other.loaded.find(
            (candidate) =>
              candidate.kind === 'value' &&
              candidate.name === item.name &&
              candidate.vmsd === item.vmsd &&
              sameWire(item, candidate),
          );
          if (!match) continue;
          hunk.saved = hunk.saved.filter((each) => each !== item);
          other.loaded = other.loaded.filter((each) => each !== match);
          this.#add({
            rule: 'compat-field-moved',
            vmsd: match.vmsd,
            fields: [match.name],
            path: itemPath(match),
            message:
              'it is sent in another place than it is read: this field and those between get wrong values',
            conditions: conditionTexts([...item.conditions, ...match.conditions]),
            bytes: byteDistance(itemLength(item), itemLength(match)),
          });
          break;
        }
      }
    }
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
      this.#addShared('validate', item, {
        rule: 'compat-validation-added',
        rank: 'conditional',
        message: 'the destination refuses values that fail a check which the source does not have',
        conditions: [
          ...conditionTexts(item.conditions),
          notText(item.test?.text(item.versionId) ?? 'what it checks'),
        ],
      });
    }
    const [single] = pairs;
    if (pairs.length === 1 && single?.saved?.kind === 'value' && single.loaded?.kind === 'value') {
      if (saved.length + loaded.length === 2) this.#changed(single.saved, single.loaded);
      return;
    }
    const groups = new Map<string, { readonly saved: WireItem[]; readonly loaded: WireItem[] }>();
    const group = (item: WireItem) => {
      const key = conditionGroup(item.conditions);
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
    const place = { vmsd: first.vmsd, path: itemPath(first) };
    const bytes = byteDistance(sent, read);
    if (bytes === 0) {
      this.#add({
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
      this.#add({
        ...place,
        rule: 'compat-field-not-read',
        fields: fieldNames(saved),
        message: `${itemsText(saved)} of the source ${isAre(saved)} not read`,
        conditions,
        bytes,
      });
    } else if (saved.length === 0) {
      this.#add({
        ...place,
        rule: 'compat-field-not-sent',
        fields: fieldNames(loaded),
        message: `${itemsText(loaded)} of the destination ${isAre(loaded)} not sent`,
        conditions,
        bytes,
      });
    } else {
      this.#add({
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
    const place = { vmsd: loaded.vmsd, fields: [loaded.name], path: itemPath(loaded) };
    const varying = bytes === undefined ? varyingCondition([saved, loaded]) : undefined;
    this.#add({
      ...place,
      rule: bytes === undefined ? 'compat-type-changed' : 'compat-size-changed',
      message: `${valueText(saved)} sent, ${valueText(loaded)} read`,
      conditions: [...conditionTexts(loaded.conditions), ...(varying === undefined ? [] : [varying])],
      bytes,
    });
  }

  /** A source sends those of its subsections that are needed; a destination looks for each by its name. */
  #subsections(saved: SubsectionsItem, loaded: SubsectionsItem): void {
    const seen = new Map<string, number>();
    const around = saved.conditions;
    for (const subsection of saved.subsections) {
      const name = subsection.name ?? '';
      const nth = seen.get(name) ?? 0;
      seen.set(name, nth + 1);
      if (subsection.needed?.answer(subsection.versionId) === false) continue;
      const always =
        subsection.needed === undefined || subsection.needed.answer(subsection.versionId) === true;
      const condition: Condition = { kind: 'subsection', name, test: subsection.needed };
      const inside = always ? around : [...around, condition];
      const same = loaded.subsections.filter((candidate) => candidate.name === subsection.name);
      const counterpart = same[nth] ?? same[0];
      const place = { vmsd: name, fields: [], path: [] };
      if (!counterpart) {
        this.#add({
          ...place,
          rule: 'compat-subsection-unknown',
          message: `the destination does not know subsection ${name}`,
          conditions: conditionTexts(inside),
          qemuSays: 'load of migration failed: No such file or directory',
        });
        continue;
      }
      const versions = compareVersions(name, subsection.versionId, counterpart, true);
      if (versions) {
        const conditions = [...conditionTexts(inside), ...versions.conditions];
        this.#add({
          ...place,
          ...versions,
          conditions,
          rank: conditions.length > 0 ? 'conditional' : 'certain',
        });
        continue;
      }
      const from = wireItems(subsection, subsection.versionId, 'save', inside);
      const to = wireItems(counterpart, subsection.versionId, 'load', inside);
      if (from && to) this.findings.push(...compareItems(from, to));
      else this.#add({ ...place, rule: 'compat-not-compared', rank: 'cosmetic', message: 'too many fields' });
    }
    for (const { name = '', needed, versionId } of loaded.subsections) {
      if (seen.has(name) || needed?.answer(versionId) === false) continue;
      this.#add({
        rule: 'compat-subsection-added',
        rank: 'cosmetic',
        vmsd: name,
        fields: [],
        path: [],
        message: `the source never sends subsection ${name}: what it holds stays as the destination has it`,
      });
    }
  }
}

/** What is read more than sent. */
function byteDistance(sent: number | undefined, read: number | undefined): number | undefined {
  return sent === undefined || read === undefined ? undefined : read - sent;
}

function sumOf(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

/** Do two items say the same bytes, or is it another thing than bytes that they may differ in? */
function agrees(saved: WireItem, loaded: WireItem): boolean {
  return saved.kind !== 'value' || (loaded.kind === 'value' && sameWire(saved, loaded));
}

function totalLength(items: readonly WireItem[]): number | undefined {
  let total = 0;
  for (const item of items) {
    const length = itemLength(item);
    // A list has an end, at the least.
    if (
      length === undefined ||
      (item.kind === 'open' && (item.info !== undefined || item.count.kind === 'member'))
    )
      return undefined;
    total += length;
  }
  return total;
}

/** Where no length is known for certain, there may be nothing on the wire. */
function varyingCondition(items: readonly WireItem[]): string | undefined {
  const certain = items.some(
    (item) => (itemLength(item) ?? 0) > 0 || (item.kind === 'open' && item.info !== undefined),
  );
  for (const item of items) {
    if (item.kind !== 'value' && item.kind !== 'open') continue;
    if (item.count.kind === 'member' && !certain) return `${item.count.member} is not 0`;
    if (item.kind === 'value' && item.value.sizeMember !== undefined && !certain)
      return `${item.name} is not empty`;
  }
  return undefined;
}

function fieldNames(items: readonly WireItem[]): string[] {
  return [
    ...new Set(items.filter(({ kind }) => kind === 'value' || kind === 'open').map(({ name }) => name)),
  ];
}

/** `irr (4 bytes), isr (8 × uint32) and 3 more`. */
function itemsText(items: readonly WireItem[]): string {
  const shown = items.filter(
    (item) => item.kind === 'value' || (item.kind === 'open' && item.info !== undefined),
  );
  const texts = shown.slice(0, MAX_NAMES).map((item) => {
    const name = item.name;
    return item.kind === 'value'
      ? `${name} (${valueText(item)})`
      : `${name} (${item.kind === 'open' ? item.info : ''})`;
  });
  if (shown.length === 0) return fieldNames(items).join(', ');
  const more = shown.length - texts.length;
  return `${texts.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function isAre(items: readonly WireItem[]): string {
  return fieldNames(items).length === 1 ? 'is' : 'are';
}

function bytesText(bytes: number): string {
  return `${bytes} byte${bytes === 1 ? '' : 's'}`;
}

/** Infos whose name says nothing but that they are bytes. */
const plainBytes: ReadonlySet<string> = new Set(['buffer', 'unused_buffer']);

function valueText({ value, count }: ValueItem): string {
  const { info, length, memory } = value;
  const isPlain = info === undefined || plainBytes.has(info);
  const bytes = length ?? memory;
  const one = isPlain ? (bytes === undefined ? 'bytes' : bytesText(bytes)) : info;
  if (count.kind === 'fixed') return count.isArray ? `${count.count} × ${one}` : one;
  return count.kind === 'member' ? `${countText(count)} × ${one}` : one;
}

function countText(count: WireCount): string {
  if (count.kind === 'unknown') return 'some number of elements';
  if (count.kind === 'fixed') return `${count.count} element${count.count === 1 ? '' : 's'}`;
  return count.factor === 1 ? `[${count.member}]` : `[${count.member} × ${count.factor}]`;
}

function markerText(form: PointerForm): string {
  return form === 'marked' ? 'a marker for each element' : 'a marker for NULL only';
}
