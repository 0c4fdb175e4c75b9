import { appendTo } from '../bytes/append-to.ts';
import { badArgument, printable } from '../bytes/diagnostic.ts';
import { type GlobPattern, globPattern } from '../bytes/glob.ts';
import type { SourceSymbol } from '../schema/symbols.ts';
import type { CompiledVmsd } from '../vmsd/compiled.ts';
import { compareVmsds } from './compare-items.ts';
import { compareVersions } from './compare-versions.ts';
import { conditionTexts, neededDifference, sendConditions } from './conditions.ts';
import { type Direction, directions } from './direction.ts';
import { ItemBudget } from './item-budget.ts';
import { type MachineSummary, sharedMachines, summaryOf, versionedMachines } from './machines.ts';
import { type PairedRoots, pairRoots, type RootPair } from './pair-roots.ts';
import { compatRanks } from './rules.ts';
import type { RootVmsd, Side, SideFacts } from './side.ts';
import { type AskedPlace, SideView } from './side-view.ts';
import { vmsdVariables } from './vmsd-variables.ts';
import type { WireFinding } from './wire-finding.ts';

/** Fields and structs of all devices of both sides together, in one direction; real ones have some 11,000. */
const MAX_ITEMS = 1_000_000;

export interface CompatOptions {
  /** Both without it. */
  readonly direction?: Direction | undefined;
  /** Globs over names of VMSDs and QOM types: `*` matches within one name, `**` anything, `?` one character. */
  readonly only?: readonly string[] | undefined;
  readonly ignore?: readonly string[] | undefined;
  /**
   * Machine types, or globs over those that both sides have: findings are those that their VMs have, if nobody sets what
   * the machine type sets.
   */
  readonly machines?: readonly string[] | undefined;
}

/** How two builds of QEMU get on with each other's device state. */
export interface CompatReport {
  readonly old: SideFacts;
  readonly new: SideFacts;
  readonly directions: readonly Direction[];
  /** VMSDs with sections of their own that were compared. */
  readonly compared: number;
  /** Ranked, the worst first; of one rank by device. */
  readonly findings: readonly CompatFinding[];
  /**
   * Of the machine types that were asked for; without those, of all with a version that both sides have and know what
   * they set.
   */
  readonly machines: readonly MachineSummary[];
}

/** A difference that matters, or could, in one direction. What several devices share is one finding. */
export interface CompatFinding extends Omit<WireFinding, 'path' | 'description'> {
  readonly direction: Direction;
  readonly devices: readonly CompatDevice[];
  /** What comes with a version that is refused: never read, so no findings of their own. */
  readonly differences: readonly string[];
  /** Machine types whose VMs have it; undefined where none was asked for. */
  readonly machineTypes?: readonly string[];
  /** The variables of the source that the VMSD is on both sides, where the schemas have names of it. */
  readonly symbols?: { readonly old?: SourceSymbol | undefined; readonly new?: SourceSymbol | undefined };
  /** A baseline has it. */
  readonly known?: true;
}

/** A device that a finding is about. */
export interface CompatDevice {
  /** Name of its VMSD, which is that of its section. */
  readonly name: string;
  readonly types: readonly string[];
  /** Where in it: names of fields, outermost first. */
  readonly path: readonly string[];
}

/**
 * Compares what two builds of QEMU write and read for each device. Throws DecodeError `bad-argument` for options that
 * mean nothing, and machine types that a side does not have.
 */
export function compareSides(oldSide: Side, newSide: Side, options: CompatOptions = {}): CompatReport {
  const { direction: way, machines } = options;
  if (way !== undefined && !directions.includes(way))
    throw badArgument(`no direction: ${printable(String(way))}; ${directions.join(' and ')} are`);
  const asked = way === undefined ? directions : [way];
  const selects = compileSelection(options);
  const comparison = new SidesComparison(oldSide, newSide);
  const find = (machineType?: string) => {
    const findings = new Findings(oldSide, newSide);
    for (const direction of asked) comparison.findInto(findings, direction, machineType);
    return findings.sorted(selects);
  };
  const all = find();
  const wanted = machines ? sharedMachines(oldSide, newSide, machines) : versionedMachines(oldSide, newSide);
  // Most machine types set all that findings hang on to the same.
  const ofSettings = new Map<string, readonly CompatFinding[]>();
  const found = wanted.map((machineType) => {
    const settings = comparison.settings(machineType);
    const findings = ofSettings.get(settings) ?? find(machineType);
    ofSettings.set(settings, findings);
    return { machineType, findings };
  });
  return {
    old: oldSide.facts,
    new: newSide.facts,
    directions: asked,
    compared: comparison.pairs.filter((pair) => selects.device([pair.old, pair.new])).length,
    findings: machines ? inMachines(found) : all,
    machines: found.map(({ machineType, findings }) =>
      summaryOf(machineType, [oldSide, newSide], asked, all, findings),
    ),
  };
}

/** Findings of several machine types, each once. */
function inMachines(
  found: readonly { readonly machineType: string; readonly findings: readonly CompatFinding[] }[],
): CompatFinding[] {
  const merged = new Map<string, { readonly finding: CompatFinding; readonly machineTypes: string[] }>();
  for (const { machineType, findings } of found) {
    for (const finding of findings) {
      const key = JSON.stringify(finding);
      const known = merged.get(key) ?? { finding, machineTypes: [] };
      known.machineTypes.push(machineType);
      merged.set(key, known);
    }
  }
  return sortFindings(
    [...merged.values()].map((each) => ({ ...each.finding, machineTypes: each.machineTypes })),
  );
}

/** What a pair of roots gave in one direction. */
interface PairResult {
  /** Places of both that the findings hang on, if a machine type sets them. */
  readonly asked: readonly [saved: readonly AskedPlace[], loaded: readonly AskedPlace[]];
  readonly findings: readonly RootFinding[];
  /** The same for machine types, by what they set those places to. */
  readonly ofSettings: Map<string, readonly RootFinding[]>;
}

/** What is compared in a direction, whatever the machine type is. */
interface WayBetween {
  readonly source: Side;
  readonly destination: Side;
  /** QOM types that have a VMSD of another name. */
  readonly renamed: readonly (WireFinding & { readonly roots: readonly RootVmsd[] })[];
  /** Of the source, without another one to compare it with. */
  readonly unpaired: ReadonlySet<RootVmsd>;
  /** Of all VMSDs of the destination. */
  readonly names: ReadonlySet<string>;
}

/** Two sides, of which no pair is compared twice under the same conditions. */
class SidesComparison {
  readonly #paired: PairedRoots;
  readonly #views: readonly [SideView, SideView];
  readonly #ways = new Map<Direction, WayBetween>();
  readonly #results = new Map<string, PairResult>();
  /** Places of both that findings hang on, if a machine type sets them. */
  readonly #asked: readonly [Set<AskedPlace>, Set<AskedPlace>] = [new Set(), new Set()];

  constructor(old: Side, fresh: Side) {
    this.#views = alike(old, fresh);
    this.#paired = pairRoots(...this.#views);
  }

  get pairs(): readonly RootPair[] {
    return this.#paired.pairs;
  }

  /** All findings in a direction, for VMs of a machine type or for any. */
  findInto(findings: Findings, direction: Direction, machineType: string | undefined): void {
    if (machineType !== undefined) this.#findInto(findings, direction, machineType);
    else
      this.#noting(
        () => this.#findInto(findings, direction, undefined),
        (asked) => {
          for (const [i, places] of asked.entries()) for (const place of places) this.#asked[i]!.add(place);
        },
      );
  }

  /** What a machine type sets that the findings hang on which were found for any: the same text for the same. */
  settings(machineType: string): string {
    return this.#settings(
      machineType,
      this.#asked.map((places) => [...places]),
    );
  }

  #settings(machineType: string, asked: readonly (readonly AskedPlace[])[]): string {
    return this.#views.map((view, i) => view.settings(machineType, asked[i]!)).join(', ');
  }

  #noting<T>(run: () => T, onAsked: (asked: PairResult['asked']) => void): T {
    const [old, fresh] = this.#views;
    const noted = fresh.noting(() => old.noting(run));
    onAsked([noted.result.asked, noted.asked]);
    return noted.result.result;
  }

  #findInto(findings: Findings, direction: Direction, machineType: string | undefined): void {
    const forward = direction === 'old-to-new';
    const budget = new ItemBudget(MAX_ITEMS);
    for (const [i, pair] of this.pairs.entries()) {
      const [saved, loaded] = forward ? [pair.old, pair.new] : [pair.new, pair.old];
      const found = this.#compare(`${direction} ${i}`, pair, forward, machineType, budget);
      findings.add(direction, [saved, loaded], found);
    }
    const { source, destination, renamed, unpaired, names } = this.#way(direction);
    for (const finding of renamed) findings.add(direction, finding.roots, [finding]);
    const [oldOf, newOf] = this.#viewsOf(machineType);
    for (const root of source.roots) {
      const isNamed = names.has(root.vmsd.name);
      const finding = missing(root, unpaired.has(root), isNamed, forward ? oldOf : newOf, destination);
      if (finding) findings.add(direction, [root, root], [finding]);
    }
  }

  #way(direction: Direction): WayBetween {
    let way = this.#ways.get(direction);
    if (!way) {
      const forward = direction === 'old-to-new';
      const { pairs, onlyOld, onlyNew } = this.#paired;
      const [old, fresh] = this.#views.map(({ side }) => side);
      const [source, destination] = forward ? [old!, fresh!] : [fresh!, old!];
      way = {
        source,
        destination,
        renamed: renamedTypes(pairs, forward),
        unpaired: new Set(forward ? onlyOld : onlyNew),
        names: new Set(destination.roots.map(({ vmsd }) => vmsd.name)),
      };
      this.#ways.set(direction, way);
    }
    return way;
  }

  #compare(
    key: string,
    pair: RootPair,
    forward: boolean,
    machineType: string | undefined,
    budget: ItemBudget,
  ): readonly RootFinding[] {
    const roots = forward ? ([pair.old, pair.new] as const) : ([pair.new, pair.old] as const);
    const run = ([old, fresh]: readonly [SideView, SideView]) => {
      const [saved, loaded] = forward ? [old, fresh] : [fresh, old];
      return compareRoots({ view: saved, root: roots[0] }, { view: loaded, root: roots[1] }, budget);
    };
    let known = this.#results.get(key);
    if (!known) {
      let asked: PairResult['asked'] = [[], []];
      const findings = this.#noting(
        () => run(this.#views),
        (places) => {
          asked = places;
        },
      );
      known = { asked, findings, ofSettings: new Map() };
      this.#results.set(key, known);
    }
    const { asked, findings, ofSettings } = known;
    if (machineType === undefined || asked[0].length + asked[1].length === 0) return findings;
    const settings = this.#settings(machineType, asked);
    const seen = ofSettings.get(settings) ?? run(this.#viewsOf(machineType));
    ofSettings.set(settings, seen);
    return seen;
  }

  #viewsOf(machineType: string | undefined): readonly [SideView, SideView] {
    const [old, fresh] = this.#views;
    return machineType === undefined
      ? this.#views
      : [old.ofMachine(machineType), fresh.ofMachine(machineType)];
  }
}

/** Both sides with what both know. */
export function alike(old: Side, fresh: Side): readonly [SideView, SideView] {
  const types = old.facts.kind !== 'dump' && fresh.facts.kind !== 'dump';
  const detail = { types, counts: old.hasCounts && fresh.hasCounts };
  return [SideView.of(old, detail), SideView.of(fresh, detail)];
}

/** A finding, with what only devices as a whole have. */
type RootFinding = WireFinding & { readonly differences?: readonly string[] };

interface ViewedRoot {
  readonly view: SideView;
  readonly root: RootVmsd;
}

function compareRoots(saved: ViewedRoot, loaded: ViewedRoot, budget: ItemBudget): RootFinding[] {
  const { vmsd: from } = saved.root;
  const { vmsd: to } = loaded.root;
  const { name } = from;
  const whole = {
    vmsd: name,
    description: from,
    fields: [],
    path: [],
    conditions: [],
    bytes: undefined,
    qemuSays: undefined,
  };
  if (saved.view.isUnmigratable(from)) {
    if (loaded.view.isUnmigratable(to)) return [];
    return [
      {
        ...whole,
        rule: 'compat-unmigratable',
        rank: 'conditional',
        message: 'the source cannot migrate a VM with this device, the destination could',
        conditions: ['the VM has this device'],
        qemuSays: `State blocked by non-migratable device '${name}'`,
      },
    ];
  }
  const around = sendConditions(saved.view, from);
  if (!around) return [];
  // Nobody reads what is in a section that nobody knows.
  if (from.name !== to.name && from.name !== '' && to.name !== '') return [nameChanged(from, to.name)];
  const findings: RootFinding[] = [];
  const isEarly = saved.view.isEarlySetup(from);
  if (isEarly !== loaded.view.isEarlySetup(to)) {
    const [here, there] = isEarly ? ['before', 'behind'] : ['behind', 'before'];
    const message = `the section is sent ${here} RAM, the destination sends it ${there} it`;
    findings.push({ ...whole, rule: 'compat-early-setup', rank: 'cosmetic', message });
  }
  const sent = neededDifference(saved.view.needed(from), loaded.view.needed(to));
  if (sent !== undefined)
    findings.push({ ...whole, rule: 'compat-needed-changed', rank: 'cosmetic', message: sent });
  // A dump says the version twice.
  const versions =
    compareVersions(name, saved.root.versionId, { ...to, ...versionsOf(loaded.root) }, false) ??
    compareVersions(name, from.versionId, to, false);
  // A version that is refused is read as far as the destination knows it, to say what comes with it.
  const read = Math.max(Math.min(from.versionId, to.versionId), to.minimumVersionId);
  const inside = compareVmsds(
    { view: saved.view, vmsd: from, versionId: from.versionId },
    { view: loaded.view, vmsd: to, versionId: read },
    budget,
    around,
  );
  if (!versions) return [...findings, ...inside];
  const differences = inside
    .filter(({ rank }) => rank !== 'cosmetic')
    .map(({ vmsd, fields, message }) => `${[vmsd, ...fields.slice(0, 1)].join('/')}: ${message}`);
  const conditions = [...conditionTexts(around), ...versions.conditions];
  const rank = conditions.length > 0 ? 'conditional' : versions.rank;
  return [...findings, { ...whole, ...versions, rank, conditions, differences }];
}

function versionsOf({ versionId, minimumVersionId }: RootVmsd) {
  return { versionId, minimumVersionId };
}

function nameChanged(description: CompiledVmsd, to: string): WireFinding {
  const { name: from } = description;
  return {
    rule: 'compat-name-changed',
    rank: 'certain',
    vmsd: from,
    description,
    fields: [],
    path: [],
    message: `section ${from} is sent, the destination expects ${to}`,
    conditions: [],
    bytes: undefined,
    qemuSays: `Unknown savevm section or instance '${from}' 0. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices`,
  };
}

/** QOM types that have a VMSD of another name on the other side, although both sides have both names. */
function renamedTypes(
  pairs: readonly RootPair[],
  forward: boolean,
): (WireFinding & { readonly roots: readonly RootVmsd[] })[] {
  const [sources, destinations] = [
    typeRoots(pairs.map((pair) => (forward ? pair.old : pair.new))),
    typeRoots(pairs.map((pair) => (forward ? pair.new : pair.old))),
  ];
  const found: (WireFinding & { readonly roots: readonly RootVmsd[] })[] = [];
  const together = new Set(pairs.map((pair) => `${pair.old.vmsd.name} ${pair.new.vmsd.name}`));
  for (const [type, roots] of sources) {
    const others = destinations.get(type);
    if (!others) continue;
    const names = new Set(others.map(({ vmsd }) => vmsd.name));
    const [root] = roots;
    const [other] = others;
    if (!root || !other || roots.some(({ vmsd }) => names.has(vmsd.name))) continue;
    const [from, to] = [root.vmsd.name, other.vmsd.name];
    if (from === '' || to === '') continue;
    // Paired by type: said there.
    if (together.has(forward ? `${from} ${to}` : `${to} ${from}`)) continue;
    found.push({ ...nameChanged(root.vmsd, to), roots: [{ ...root, types: [type] }] });
  }
  return found;
}

function typeRoots(roots: readonly RootVmsd[]): Map<string, RootVmsd[]> {
  const types = new Map<string, RootVmsd[]>();
  for (const root of roots) for (const type of root.types) appendTo(types, type, root);
  return types;
}

/** What is to be said of a device of the source that the destination does not have. */
function missing(
  root: RootVmsd,
  isUnpaired: boolean,
  hasName: boolean,
  view: SideView,
  destination: Side,
): WireFinding | undefined {
  const { side: source } = view;
  const name = root.vmsd.name;
  const whole = { vmsd: name, description: root.vmsd, fields: [], path: [], bytes: undefined };
  const absent = destination.types ? root.types.filter((type) => !destination.types?.has(type)) : [];
  // A dump has nothing of VMSDs that no type has.
  const isKnown =
    destination.hasAll === 'vmsds' ||
    (source.hasAll === 'types' && destination.hasAll === 'types' && absent.length === root.types.length);
  const isMissing = isUnpaired && !hasName && isKnown && source.hasAll !== 'nothing';
  const isOther = absent.length > 0 && hasName && source.hasAll === destination.hasAll;
  const around = isMissing || isOther ? sendConditions(view, root.vmsd) : undefined;
  if (!around) return undefined;
  if (isMissing) {
    return {
      ...whole,
      rule: 'compat-device-missing',
      rank: 'conditional',
      message: 'the destination has no such device, or no state for it',
      conditions: ['the VM has this device', ...conditionTexts(around)],
      qemuSays: `Unknown savevm section or instance '${name}' 0. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices`,
    };
  }
  return {
    ...whole,
    rule: 'compat-type-missing',
    rank: 'cosmetic',
    message: `the destination has no ${absent.join(', ')}`,
    conditions: [],
    qemuSays: undefined,
  };
}

interface CompiledSelection {
  device(roots: readonly RootVmsd[]): boolean;
  finding(vmsd: string, roots: readonly RootVmsd[]): boolean;
}

function compileSelection({ only = [], ignore = [] }: CompatOptions): CompiledSelection {
  const [wanted, unwanted] = [only.map(globPattern), ignore.map(globPattern)];
  const namesOf = (roots: readonly RootVmsd[]) =>
    roots.flatMap(({ vmsd, types, inside }) => [
      vmsd.name,
      ...types,
      ...(inside ? [inside.name, ...inside.types] : []),
    ]);
  const picks = (names: readonly string[]) => {
    const matches = (patterns: readonly GlobPattern[]) =>
      names.some((name) => patterns.some((pattern) => pattern.test(name)));
    return (wanted.length === 0 || matches(wanted)) && !matches(unwanted);
  };
  return {
    device: (roots) => picks(namesOf(roots)),
    finding: (vmsd, roots) => picks([vmsd, ...namesOf(roots)]),
  };
}

interface Collected {
  readonly finding: Omit<CompatFinding, 'devices'>;
  readonly devices: { readonly roots: readonly RootVmsd[]; readonly device: CompatDevice }[];
}

/** Findings, each once, with all devices that have it. */
class Findings {
  readonly #collected = new Map<string, Collected>();
  readonly #old: Side;
  readonly #new: Side;

  constructor(old: Side, fresh: Side) {
    this.#old = old;
    this.#new = fresh;
  }

  add(direction: Direction, roots: readonly RootVmsd[], found: readonly RootFinding[]): void {
    if (found.length === 0) return;
    const host = roots.find(({ inside }) => inside)?.inside;
    const types = [...new Set(host?.types ?? roots.flatMap((root) => root.types))].sort();
    const own = roots.find(({ vmsd }) => vmsd.name !== '')?.vmsd.name ?? types[0] ?? '';
    const name = host?.name ?? own;
    // One device may have a finding in several places.
    const times = new Map<string, number>();
    for (const one of found) {
      const { rule, rank, vmsd, fields, path, message, conditions, bytes, qemuSays, differences = [] } = one;
      const symbols = this.#symbols(direction, roots, one.description);
      const what = JSON.stringify([rule, rank, direction, vmsd, fields, message, conditions, bytes, symbols]);
      const nth = times.get(what) ?? 0;
      times.set(what, nth + 1);
      const key = `${what} ${nth}`;
      const collected = this.#collected.get(key) ?? {
        finding: {
          rule,
          rank,
          direction,
          vmsd,
          fields,
          message,
          conditions,
          bytes,
          qemuSays,
          differences,
          ...symbols,
        },
        devices: [],
      };
      this.#collected.set(key, collected);
      const place = host ? [own, ...path] : path;
      collected.devices.push({ roots, device: { name, types, path: place } });
    }
  }

  sorted(selects: CompiledSelection): CompatFinding[] {
    const found = [...this.#collected.values()].flatMap(({ finding, devices }): CompatFinding[] => {
      const kept = devices.filter(({ roots }) => selects.finding(finding.vmsd, roots));
      if (kept.length === 0) return [];
      return [{ ...finding, devices: kept.map(({ device }) => device) }];
    });
    return sortFindings(found);
  }

  #symbols(
    direction: Direction,
    [saved, loaded = saved]: readonly RootVmsd[],
    vmsd: CompiledVmsd,
  ): Pick<CompatFinding, 'symbols'> {
    const [first, second] = direction === 'old-to-new' ? [saved, loaded] : [loaded, saved];
    const [old, fresh] =
      first && second ? vmsdVariables([this.#old, this.#new], [first.vmsd, second.vmsd], vmsd) : [];
    return old || fresh ? { symbols: { old, new: fresh } } : {};
  }
}

function sortFindings(findings: readonly CompatFinding[]): CompatFinding[] {
  return [...findings].sort(
    (a, b) =>
      directions.indexOf(a.direction) - directions.indexOf(b.direction) ||
      compatRanks.indexOf(a.rank) - compatRanks.indexOf(b.rank) ||
      compareText(a.vmsd, b.vmsd),
  );
}

/** By code units: the same everywhere. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
