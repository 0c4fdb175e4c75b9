import { formatPath, type PathComponent, printable } from '../bytes/diagnostic.ts';
import { readExactly } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import { armRegisterName } from '../check/arm-registers.ts';
import { OF_CPUS } from '../check/check.ts';
import { otherConstants, VALUES } from '../check/cpu-registers.ts';
import type { Destination, OwnSection } from '../check/destination.ts';
import type { Finding } from '../check/finding.ts';
import { hasWindows, withComparedBits } from '../check/pci-config.ts';
import type { RuleCode } from '../check/rules.ts';
import { isOlder } from '../check/version.ts';
import { LIMITS_QUEUES } from '../check/virtio.ts';
import { noShape, walkPairs } from '../check/walk-pairs.ts';
import { type EditPlan, planEdits } from '../edit/edit.ts';
import type { EditedNode } from '../edit/edited-node.ts';
import { type Patch, withPatches } from '../edit/edited-stream.ts';
import { nodeAt } from '../edit/edited-tree.ts';
import { leafBytes } from '../edit/leaf-value.ts';
import { childNamed, childrenOf, integerOf, numberOf, walk } from '../layout/children.ts';
import type { Layout, LayoutNode } from '../layout/node.ts';
import { configurationOf, layoutOf, type OpenedStream, ramBlocksOf } from '../layout/open.ts';
import { isSameShape } from '../layout/same-shape.ts';
import { writeBlockList } from '../ram/write-ram.ts';
import { deviceKey } from '../schema/schema.ts';
import type { CommandRecord, ConfigurationRecord, SectionRecord, StreamRecord } from '../stream/records.ts';
import type { SectionIdentity } from '../stream/section-header.ts';
import type { Section } from '../stream/stream.ts';
import { type FixChange, MAX_LISTED } from './change.ts';
import { type FittedSection, fitSection } from './fit-section.ts';
import { givenUpFields } from './given-up-fields.ts';
import { hasOtherRegisters } from './merge-registers.ts';
import { valuesOf } from './merge-section.ts';

/** Refusals of a section that it does not have in another form. */
const RULES_OF_FORM: ReadonlySet<RuleCode> = new Set([
  'section-too-new',
  'section-too-old',
  'section-layout',
  'array-length',
  'unknown-subsection',
  'null-pointer',
  'cpu-registers',
  'cpu-register-value',
  'field-too-large',
]);
/** Loads that are tried, of all sections together; most need two. */
const MAX_LOADS = 4096;
/** Fields that are named in a message. */
const MAX_NAMED = 4;
/** A machine type of a version. */
const VERSIONED = /^(.+)-\d+\.\d+$/;
/** First QEMU that has romsize=. */
const ROM_SIZE = [6, 0] as const;
/** hw/pci/pci.c, pci_add_option_rom: a block of the ROM of a device, which begins at its offset 0. */
const OPTION_ROM = /\/[^/]+\.rom$/;
/** Base address of the ROM in a PCI configuration space, and its bits that are none of the address (PCI Local Bus 3.0). */
const ROM_ADDRESS = 0x30;
const ROM_FLAGS = 0x7ff;
/** Of field-too-large, the one that is the length of a list of registers. */
const REGISTER_COUNT = 'cpreg_vmstate_array_len';

/** Changes that help against some findings, and what is to be written for them. */
class Draft {
  readonly opened: OpenedStream;
  readonly changes: FixChange[] = [];
  readonly patches: Patch[] = [];
  readonly bodies = new Map<SectionRecord | ConfigurationRecord, EditedNode>();
  readonly layouts = new Map<SectionRecord | ConfigurationRecord, Layout>();
  readonly identities = new Map<number, SectionIdentity>();
  readonly droppedSections = new Set<number>();
  readonly droppedCommands = new Set<StreamRecord>();

  constructor(opened: OpenedStream) {
    this.opened = opened;
  }

  plan(): EditPlan {
    const { opened, patches, bodies, layouts, identities, droppedSections, droppedCommands } = this;
    const edits = { patches, bodies, identities, droppedSections, droppedCommands, inserted: [] };
    const patched = { ...opened, source: withPatches(opened.source, patches), resolved: undefined };
    return { edits, layouts, patched, followed: [] };
  }
}

/** What is to be done against some findings. */
export interface RemedyPlan {
  readonly changes: readonly FixChange[];
  readonly edits: EditPlan;
}

/** Makes out, from round to round, what helps against what a destination refuses. */
export class RemedyPlanner {
  readonly #destination: Destination;
  /** Sections that were brought into the destination's form, and configuration spaces that have its registers. */
  readonly #done = new Set<string>();
  readonly #budget = { left: MAX_LOADS };

  constructor(destination: Destination) {
    this.#destination = destination;
  }

  async plan(opened: OpenedStream, blockers: readonly Finding[]): Promise<RemedyPlan> {
    const draft = new Draft(opened);
    for (const finding of blockers) await this.#add(draft, finding);
    return { changes: draft.changes, edits: draft.plan() };
  }

  /** What nobody refuses, and what would nevertheless go wrong: fields that get no value from the source. */
  async planFields(opened: OpenedStream): Promise<RemedyPlan> {
    const draft = new Draft(opened);
    for (const section of opened.stream.sections) {
      const own = section.scanner ? undefined : this.#destination.find(section.idstr, section.instanceId);
      if (own) await this.#fillFields(draft, section, own);
    }
    return { changes: draft.changes, edits: draft.plan() };
  }

  async #fillFields({ opened, patches, changes }: Draft, section: Section, own: OwnSection): Promise<void> {
    const { source } = this.#destination.own ?? {};
    if (!source || own.section.scanner) return;
    const { root } = await layoutOf(opened, section);
    for (const { path, node, own: there } of givenUpFields(root, (await own.layout()).root)) {
      const [now, bytes] = await Promise.all([
        readExactly(opened.source, node.start, node.end - node.start),
        readExactly(source, there.start, there.end - there.start),
      ]);
      if (now.some((byte) => byte !== 0) || bytes.every((byte) => byte === 0)) continue;
      patches.push({ start: node.start, bytes });
      const { idstr, instanceId } = section;
      const message = `${formatPath(path)}, in whose place the stream has zeros, stays as the destination has it`;
      const place = { rule: 'section-layout', section: idstr, instanceId, path } as const;
      changes.push(change(place, 'harmless', message, { taken: [path] }));
    }
  }

  async #add(draft: Draft, finding: Finding): Promise<void> {
    const { rule } = finding;
    if (rule === 'unknown-command') return dropCommand(draft, finding);
    if (rule === 'machine-type' || rule === 'unknown-machine-type')
      return this.#setMachineType(draft, finding);
    const section = sectionOf(draft.opened, finding);
    if (!section) return;
    if (rule === 'unknown-section' || rule === 'unknown-device')
      return this.#dropSection(draft, finding, section);
    if (rule === 'ram-block-size') return this.#growRoms(draft, finding, section);
    const own = this.#destination.find(section.idstr, section.instanceId);
    if (!own) return;
    if (rule === 'pci-config') return this.#setPciConfig(draft, finding, section, own);
    if (rule === 'virtio-queues')
      return this.#limitsQueues() ? setQueueSizes(draft, finding, section, own) : undefined;
    // Which registers there are comes before their values.
    const isValue = rule === 'cpu-register-value' && !(await hasOtherList(draft, section, own));
    if (isValue) await setConstants(draft, finding, section, own);
    else if (isOfForm(finding)) await this.#fit(draft, finding, section, own);
  }

  async #setMachineType(draft: Draft, finding: Finding): Promise<void> {
    const { opened } = draft;
    const own = this.#destination.own && configurationOf(this.#destination.own)?.machineType;
    const type = configurationOf(opened)?.machineType;
    if (own === undefined || type === undefined) return;
    const plan = await planEdits(opened, [{ edit: 'machine-type', name: own }]);
    for (const [record, body] of plan.edits.bodies) draft.bodies.set(record, body);
    for (const [record, layout] of plan.layouts) draft.layouts.set(record, layout);
    const known = this.#destination.tables?.schema.machineTypes ?? [];
    const message = `machine type ${printable(type)} becomes ${printable(own)}`;
    // In another version an alias is another type.
    const isAlias =
      VERSIONED.exec(own)?.[1] === type &&
      known.includes(own) &&
      !known.includes(type) &&
      opened.tables !== undefined &&
      opened.tables.schema.qemuVersion === this.#destination.qemuVersion;
    draft.changes.push(
      isAlias
        ? change(finding, 'harmless', `${message}, of which it is an alias`)
        : change(finding, 'loses', `${message}, with what that gives devices`, {
            instead: known.includes(type) ? finding.fix : undefined,
          }),
    );
  }

  async #dropSection(draft: Draft, finding: Finding, section: Section): Promise<void> {
    if (section.unscanned || draft.droppedSections.has(section.id)) return;
    draft.droppedSections.add(section.id);
    const { idstr } = section;
    const { tables } = this.#destination;
    // What can be given to it: a device in a slot that its QEMU has, or a CPU. Others are of the board.
    const name = idstr.slice(idstr.lastIndexOf('/') + 1);
    const isPlugged = idstr.includes('/') || OF_CPUS.test(idstr);
    const isKnown = isPlugged && (tables === undefined || tables.vmsds(name).length > 0);
    const message = 'the section is dropped, with all state of the device';
    const { root } = await layoutOf(draft.opened, section);
    draft.changes.push(
      change(finding, 'loses', message, {
        instead: isKnown ? finding.fix : undefined,
        lost: section.scanner ? [] : valuesOf(root, []),
      }),
    );
  }

  /** Of an option ROM that is smaller in the stream, what is behind it stays as the destination has it. */
  async #growRoms(draft: Draft, finding: Finding, { idstr, instanceId, records }: Section): Promise<void> {
    const [first] = records;
    const blocks = ramBlocksOf(draft.opened);
    const own = new Map(
      (this.#destination.own && ramBlocksOf(this.#destination.own))?.map((block) => [block.idstr, block]),
    );
    if (!blocks || first?.type !== 'SECTION_START' || blocks.some(({ mapped }) => mapped)) return;
    const grown = blocks.filter(
      (block) => OPTION_ROM.test(block.idstr) && block.length < (own.get(block.idstr)?.length ?? 0),
    );
    if (grown.length === 0 || !this.#isNew(deviceKey({ idstr, instanceId }))) return;
    for (const block of grown)
      if (!(await isRomAligned(draft.opened, block.idstr, own.get(block.idstr)!.length))) return;
    const bytes = writeBlockList(
      blocks.map((block) =>
        grown.includes(block) ? { ...block, length: own.get(block.idstr)!.length } : block,
      ),
    );
    // The same list in the same bytes, but for lengths and their sum.
    if (bytes.byteLength !== first.body.end - first.body.start) return;
    draft.patches.push({ start: first.body.start, bytes });
    for (const block of grown) {
      const { length } = own.get(block.idstr)!;
      const message = `RAM block ${printable(block.idstr)} of an option ROM has ${length} bytes in place of ${block.length}: what is behind it is as at the destination`;
      // What is behind the ROM in the file of the destination nobody knows.
      const instead = this.#hasRomSize() ? finding.fix : undefined;
      draft.changes.push(change(finding, 'loses', message, { instead }));
    }
  }

  #limitsQueues(): boolean {
    const { qemuVersion } = this.#destination;
    return qemuVersion !== undefined && !isOlder(qemuVersion, LIMITS_QUEUES);
  }

  #hasRomSize(): boolean {
    const { qemuVersion } = this.#destination;
    return qemuVersion === undefined || !isOlder(qemuVersion, ROM_SIZE);
  }

  async #setPciConfig(draft: Draft, finding: Finding, section: Section, own: OwnSection): Promise<void> {
    const { path, isSetting, fix } = finding;
    if (!path || !this.#isNew(`${deviceKey(section)} ${JSON.stringify(path)}`)) return;
    const { root } = await layoutOf(draft.opened, section);
    const node = nodeAt(root, path);
    const ownNode = nodeAt((await own.layout()).root, path);
    const bytes = node && withComparedBits({ node, ownNode, section, destination: this.#destination });
    if (!bytes) return;
    const patch = { start: node.start, bytes };
    // How much state of MSI-X there is hangs on these registers.
    const { opened } = draft;
    const patched = { ...opened, source: withPatches(opened.source, [patch]), resolved: undefined };
    if (!isSameBeside(root, (await layoutOf(patched, section)).root)) return;
    draft.patches.push(patch);
    const message =
      'read-only registers of the configuration space become those of the destination, which the guest has seen otherwise';
    // Without its windows, a virtio device has only the interface of before 1.0: the guest may drive the other one.
    const isUndriven = hasWindows(node) && !hasWindows(ownNode) && /\/virtio-/.test(section.idstr);
    draft.changes.push(
      change(finding, isUndriven ? 'refuse' : 'loses', message, {
        instead: isSetting ? fix : undefined,
        lost: [{ path, node }],
      }),
    );
  }

  async #fit(draft: Draft, finding: Finding, section: Section, own: OwnSection): Promise<void> {
    if (!this.#isNew(deviceKey(section))) return;
    const fitted = await fitSection(draft.opened, section, own, this.#destination, this.#budget);
    const [record] = section.records;
    if (!fitted || !record) return;
    const { id, idstr, instanceId } = section;
    const { versionId } = fitted;
    draft.bodies.set(record, fitted.root);
    draft.layouts.set(record, await layoutOf(draft.opened, section));
    if (versionId !== section.versionId) draft.identities.set(id, { id, idstr, instanceId, versionId });
    draft.changes.push(fittedChange(finding, section, fitted));
  }

  #isNew(key: string): boolean {
    if (this.#done.has(key)) return false;
    this.#done.add(key);
    return true;
  }
}

/** Of an info that is opened up, too. */
function bytesOf(node: LayoutNode): Uint8Array | undefined {
  return 'value' in node && node.value instanceof Uint8Array ? node.value : undefined;
}

/** Is the address that the guest gave to an option ROM one of a larger ROM, too? A load compares its low bits. */
async function isRomAligned(opened: OpenedStream, block: string, size: number): Promise<boolean> {
  const device = block.slice(0, block.lastIndexOf('/') + 1);
  for (const section of opened.stream.sections) {
    if (section.scanner || !section.idstr.startsWith(device)) continue;
    for (const { node } of walk((await layoutOf(opened, section)).root)) {
      const config = node.type === 'pci config' ? bytesOf(node) : undefined;
      if (!config || config.byteLength < ROM_ADDRESS + 4) continue;
      const address = viewOf(config).getUint32(ROM_ADDRESS, true);
      if ((address & ~ROM_FLAGS & (size - 1)) !== 0) return false;
    }
  }
  return true;
}

function dropCommand({ opened, droppedCommands, changes }: Draft, finding: Finding): void {
  const command = commandAt(opened.stream.records, finding.range?.start);
  if (!command) return;
  droppedCommands.add(command);
  // It only says that the source has stopped; without others the load would be another one.
  const of = command.name === 'SWITCHOVER_START' ? 'harmless' : 'refuse';
  changes.push(change(finding, of, `${command.name ?? `command ${command.command}`} is taken out`));
}

/** Of queues that the guest does not use the size is what the device had when it was made. */
async function setQueueSizes(
  { opened, patches, changes }: Draft,
  finding: Finding,
  section: Section,
  own: OwnSection,
): Promise<void> {
  let count = 0;
  const pairs = walkPairs((await layoutOf(opened, section)).root, (await own.layout()).root, noShape);
  for (const { node, own: ownNode } of pairs) {
    if (node.type !== 'virtio' || node.kind !== 'struct') continue;
    const ownQueues = [...childrenOf(childNamed(ownNode, 'vq'))];
    for (const [i, queue] of [...childrenOf(childNamed(node, 'vq'))].entries()) {
      const size = childNamed(queue, 'num');
      const room = numberOf(childNamed(ownQueues[i], 'num'));
      const isUsed = integerOf(childNamed(queue, 'desc')) !== 0n;
      if (!size || isUsed || room === undefined || (numberOf(size) ?? 0) <= room) continue;
      patches.push({ start: size.start, bytes: leafBytes(size.type, room) });
      count++;
    }
  }
  if (count === 0) return;
  const which = count === 1 ? 'the size of 1 virtqueue' : `the sizes of ${count} virtqueues`;
  const message = `the destination's in the place of ${which} that the guest does not use`;
  changes.push(change(finding, 'harmless', message));
}

async function hasOtherList({ opened }: Draft, section: Section, own: OwnSection): Promise<boolean> {
  return hasOtherRegisters((await layoutOf(opened, section)).root, (await own.layout()).root);
}

/** Constant registers with other values get those of the destination. */
async function setConstants(
  { opened, patches, changes }: Draft,
  finding: Finding,
  section: Section,
  own: OwnSection,
): Promise<void> {
  const others = otherConstants((await layoutOf(opened, section)).root, (await own.layout()).root);
  if (others.length === 0) return;
  for (const { node, ownValue } of others)
    patches.push({ start: node.start, bytes: leafBytes(node.type, String(ownValue)) });
  const message = `${others.length} constant registers get the values of the destination's CPU, which the guest has seen otherwise`;
  const lost = others.map(({ index, node }) => ({
    path: [VALUES, node.name],
    node,
    name: armRegisterName(index),
  }));
  changes.push(change(finding, 'refuse', message, { lost }));
}

function change(
  { rule, section, instanceId, path }: Pick<Finding, 'rule' | 'section' | 'instanceId' | 'path'>,
  of: FixChange['class'],
  message: string,
  {
    instead,
    lost = [],
    taken = [],
    renamed = [],
  }: Partial<Pick<FixChange, 'instead' | 'lost' | 'taken' | 'renamed'>> = {},
): FixChange {
  return {
    ...{ class: of, rule, section, instanceId, path, message, instead },
    lost: lost.slice(0, MAX_LISTED),
    lostCount: lost.length,
    taken: taken.slice(0, MAX_LISTED),
    takenCount: taken.length,
    renamed: renamed.slice(0, MAX_LISTED),
  };
}

function fittedChange(
  finding: Finding,
  { versionId: before }: Section,
  { how, versionId, lost, taken, renamed }: FittedSection,
): FixChange {
  // In another version a field of one name may mean something else, and one of another name perhaps not the same.
  const isHarmless = lost.length + taken.length + renamed.length === 0 && versionId === before;
  const parts = [
    how === 'subsections'
      ? 'subsections that the destination does not know are dropped'
      : `written as the destination does${versionId === before ? '' : `, version ${before} as ${versionId}`}`,
    ...(renamed.length > 0 ? [`called otherwise there: ${namesText(renamed.map(({ from }) => from))}`] : []),
    ...(lost.length > 0 ? [`${lost.length} values have no place there`] : []),
    ...(taken.length > 0 ? [`${taken.length} fields are as they are there before a load`] : []),
  ];
  // A register or a field that can be set at the destination is better set there.
  const instead = finding.isSetting ? finding.fix : undefined;
  return change(finding, isHarmless ? 'harmless' : 'loses', parts.join('; '), {
    instead,
    lost,
    taken,
    renamed,
  });
}

function namesText(paths: readonly (readonly PathComponent[])[]): string {
  const names = paths.slice(0, MAX_NAMED).map(formatPath);
  return `${names.join(', ')}${paths.length > MAX_NAMED ? ` and ${paths.length - MAX_NAMED} more` : ''}`;
}

function isOfForm({ rule, path }: Finding): boolean {
  if (rule === 'field-too-large') return path?.at(-1) === REGISTER_COUNT;
  return RULES_OF_FORM.has(rule);
}

function sectionOf({ stream }: OpenedStream, { section, instanceId, range }: Finding): Section | undefined {
  const named = stream.sections.filter(
    (each) => each.idstr === section && each.instanceId === (instanceId ?? each.instanceId),
  );
  const isIn = ({ records }: Section) =>
    range !== undefined &&
    records.some((record) => record.range.start <= range.start && range.start < record.range.end);
  return named.find(isIn) ?? named[0];
}

function commandAt(records: readonly StreamRecord[], start: number | undefined): CommandRecord | undefined {
  for (const record of records) {
    if (record.kind !== 'command') continue;
    if (record.range.start === start) return record;
    const inside =
      record.detail?.command === 'PACKAGED' ? commandAt(record.detail.records, start) : undefined;
    if (inside) return inside;
  }
  return undefined;
}

/** Are two trees of the same nodes, but for registers of configuration spaces? */
function isSameBeside(a: LayoutNode, b: LayoutNode): boolean {
  if (a.type !== b.type || a.name !== b.name || a.end - a.start !== b.end - b.start) return false;
  if (a.type === 'pci config') return true;
  if (a.kind !== 'struct') return isSameShape(a, b);
  const others = [...childrenOf(b)];
  return (
    a.children.length === others.length && a.children.every((child, i) => isSameBeside(child, others[i]!))
  );
}
