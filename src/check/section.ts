import { formatPath, printable } from '../bytes/diagnostic.ts';
import { rangeLength } from '../bytes/range.ts';
import { walk } from '../layout/children.ts';
import { type DryLoad, dryLoad, targetOfTables } from '../layout/dry-load.ts';
import type { StructNode } from '../layout/node.ts';
import { configurationOf, layoutOf, type OpenedStream, sectionInput } from '../layout/open.ts';
import { isSameShape } from '../layout/same-shape.ts';
import type { SchemaTables } from '../layout/tables.ts';
import type { Section } from '../stream/stream.ts';
import type { Destination, OwnSection } from './destination.ts';
import type { Finding } from './finding.ts';
import { machineRemedy } from './machine-remedies.ts';
import { type Difference, firstDifference } from './shape.ts';
import { checkValues } from './values.ts';
import { tooNewWords, wordsOf } from './version.ts';

/** A section of device state, against the device that the destination would load it into. */
export async function checkSection(
  opened: OpenedStream,
  section: Section,
  own: OwnSection,
  destination: Destination,
): Promise<Finding[]> {
  const place = placeOf(section);
  const sharesMachine = sharesMachineType(opened, destination);
  const refused = checkVersion(section, own.section.versionId, destination, sharesMachine);
  if (refused) return [{ ...place, ...refused }];
  const [record] = section.records;
  if (!record || section.scanner || own.section.scanner) return [];
  const [layout, ownLayout] = [await layoutOf(opened, section), await own.layout()];
  const isSame = section.versionId === own.section.versionId && isSameShape(layout.root, ownLayout.root);
  const target = await own.target();
  const load = target && (await dryLoad(target, sectionInput(opened, record)));
  const findings: Finding[] = [];
  let { root } = layout;
  if (load?.kind === 'loads') root = load.root;
  else if (load?.kind === 'fails' && (!isSame || load.certain)) {
    const difference = firstDifference(load.root, layout.root, ownLayout.root);
    findings.push(loadFailure(load, section, difference, destination, sharesMachine));
  } else if (!isSame && load?.kind !== 'fails') {
    const difference = firstDifference(undefined, layout.root, ownLayout.root);
    if (difference) findings.push(untestedDifference(difference, destination));
  }
  findings.push(...checkValues({ section, root, own: ownLayout.root, destination }));
  for (const name of missingSubsections(root, ownLayout.root)) {
    findings.push({
      rule: 'missing-subsection',
      severity: 'note',
      message: `the destination sends a subsection ${printable(name)} itself; without it, what it holds keeps its value`,
    });
  }
  return findings.map((finding) => ({ ...place, ...finding }));
}

/**
 * A section, where only the QEMU of the destination is known and not what devices it has; or, where `sendsNothing`, that
 * it has the device, and does not send it.
 */
export async function checkSectionByTables(
  opened: OpenedStream,
  section: Section,
  destination: Destination,
  sendsNothing = false,
): Promise<Finding[]> {
  const { tables } = destination;
  const [record] = section.records;
  if (!tables || !record || section.scanner) return [];
  const place = placeOf(section);
  const input = sectionInput(opened, record);
  const target = targetOfTables(tables, input, sendsNothing);
  const load = target && (await dryLoad(target, input));
  if (load && load.kind !== 'fails') return [];
  // Some devices name their VMSD when they are made: it stands for any name that no other has, where it fits.
  if (!load || target.memories.every(({ candidate }) => candidate.vmsd.name === '')) {
    const says = unknownSectionWords(section, destination);
    const message = 'the QEMU of the destination has no device with a VMSD of that name';
    if (tables.schema.origin !== 'binary') {
      const unseen = `${message}; the schema was learned from streams, and may lack it`;
      return [{ ...place, rule: 'not-checked', severity: 'suspicious', message: unseen }];
    }
    const fix = 'a QEMU that has the device; in some builds it is in a module of its own';
    return [{ ...place, rule: 'unknown-device', severity: 'blocks', message, says, fix }];
  }
  const { root } = await layoutOf(opened, section);
  const sharesMachine = sharesMachineType(opened, destination);
  const difference = firstDifference(load.root, root, undefined);
  const failure = loadFailure(load, section, difference, destination, sharesMachine);
  const newest = Math.max(...target.memories.map(({ candidate }) => candidate.vmsd.versionId));
  // QEMU compares the version of a section before it looks into the section.
  return [
    {
      ...place,
      ...failure,
      ...checkVersion(section, newest, destination, sharesMachine),
      severity: failure.severity,
    },
  ];
}

export function unknownSectionWords({ idstr, instanceId }: Section, { qemuVersion }: Destination): string {
  const what = `section or instance '${idstr}' ${instanceId}. Make sure that your current VM setup matches your saved VM setup, including any hotplugged devices`;
  return wordsOf(qemuVersion, `Unknown savevm ${what}`, `Unknown ${what}`);
}

export function placeOf({
  idstr,
  instanceId,
  records,
}: Section): Pick<Finding, 'section' | 'instanceId' | 'range'> {
  return { section: idstr, instanceId, range: records[0]?.range };
}

/** Is the destination of the machine type of the stream already? Then no machine type helps against what differs. */
function sharesMachineType(opened: OpenedStream, { own }: Destination): boolean {
  const machineType = configurationOf(opened)?.machineType;
  return machineType !== undefined && own !== undefined && machineType === configurationOf(own)?.machineType;
}

const NEWER_QEMU = 'a QEMU at the destination that is as new as that of the source';

function newerFix(sharesMachine: boolean): string {
  return sharesMachine
    ? `${NEWER_QEMU}; the machine type is the same already, and does not keep the older version`
    : `a machine type that both QEMUs have, at both sides; or ${NEWER_QEMU}`;
}

/** migration/savevm.c, qemu_loadvm_section_start_full. */
function checkVersion(
  { idstr, versionId }: Section,
  own: number,
  { qemuVersion }: Destination,
  sharesMachine: boolean,
): Finding | undefined {
  if (versionId <= own) return undefined;
  return {
    rule: 'section-too-new',
    severity: 'blocks',
    message: `version ${versionId}, and the destination loads no newer one than ${own}`,
    says: tooNewWords(idstr, versionId, own, qemuVersion),
    fix: newerFix(sharesMachine),
  };
}

const refusalRules = {
  'null-pointer': 'null-pointer',
  'failed-validation': 'failed-validation',
  'too-new': 'section-too-new',
  'too-old': 'section-too-old',
  'unknown-subsection': 'unknown-subsection',
} as const;

const refusalMessages = {
  'null-pointer': 'the destination has nothing there that this could be loaded into, and aborts',
  'failed-validation': 'a condition of the VMSD at the destination does not hold',
  'too-new': 'the stream has it in a newer version than the destination loads',
  'too-old': 'the stream has it in an older version than the destination loads',
  'unknown-subsection': 'the VMSD at the destination has no such subsection',
} as const;

/** What helps, by why it is refused and whether both are of one machine type. */
const refusalFixes: Readonly<Record<keyof typeof refusalRules, (sharesMachine: boolean) => string>> = {
  'null-pointer': (sharesMachine) =>
    `the same configuration of the device at both sides${sharesMachine ? '; where it is the same already, a QEMU of the version of the source' : ''}`,
  'failed-validation': () => 'the same configuration of the device at both sides',
  'too-new': newerFix,
  'too-old': () => 'an older QEMU in between, which loads the one and writes the other',
  'unknown-subsection': (sharesMachine) =>
    `the property off that makes the source send it; or ${newerFix(sharesMachine)}`,
};

function loadFailure(
  { root, refusal, why, offset, path, certain }: DryLoad & { kind: 'fails' },
  section: Section,
  difference: Difference | undefined,
  { tables }: Destination,
  sharesMachine: boolean,
): Finding {
  const end = section.records[0]?.body.end ?? offset;
  const severity = certain ? 'blocks' : 'suspicious';
  const range = { start: offset, end: Math.max(offset, end) };
  if (refusal) {
    return {
      rule: refusalRules[refusal],
      severity,
      message: refusalMessages[refusal],
      says: why,
      path,
      range,
      fix: refusalFixes[refusal](sharesMachine),
    };
  }
  const stop = stopText(why, path);
  const says = `Missing section footer for ${section.idstr}`;
  const twin = twinIn(root, tables);
  if (twin !== undefined) {
    const message = `${printable(twin)} is the name of two subsections, and a load takes the first for each; ${stop}`;
    const fix = 'a source without what sends it, or a QEMU at both sides that has two names for them';
    return { rule: 'section-layout', severity, message, says, path: [twin], range, fix };
  }
  const setting = machineRemedy(section.idstr, difference?.path ?? path);
  const fix =
    setting ??
    (sharesMachine
      ? 'the same configuration of the device at both sides; where it is the same already, a QEMU of the version of the source'
      : 'the same configuration of the device at both sides, and a machine type that both QEMUs have');
  const remedy = { fix, ...(setting === undefined ? {} : { isSetting: true as const }) };
  if (!difference) return { rule: 'section-layout', severity, message: stop, says, path, range, ...remedy };
  return {
    rule: difference.kind === 'count' ? 'array-length' : 'section-layout',
    severity,
    message: `${difference.text}; ${stop}`,
    says,
    path: difference.path,
    range: difference.range ?? range,
    ...remedy,
  };
}

/** A subsection of which the VMSD has two of that name (migration/vmstate.c, vmstate_get_subsection). */
function twinIn(root: StructNode, tables: SchemaTables | undefined): string | undefined {
  const vmsds = tables?.schema.vmsds ?? [];
  const twins = new Set<string | number>();
  for (const { subsections } of vmsds) {
    const names = subsections.flatMap((index) => vmsds[index]?.name ?? []);
    for (const [i, name] of names.entries()) if (names.indexOf(name) < i) twins.add(name);
  }
  if (twins.size === 0) return undefined;
  for (const { node } of walk(root))
    if (node.type === 'subsection' && twins.has(node.name)) return String(node.name);
  return undefined;
}

function stopText(why: string, path: readonly (string | number)[]): string {
  const at = path.length === 0 ? '' : ` in ${printable(formatPath(path))}`;
  return `the load of the section goes wrong${at}: ${printable(why)}`;
}

/** Where there are no tables of the destination's QEMU to load with, or they do not explain its own section. */
function untestedDifference({ text, path, range }: Difference, { tables }: Destination): Finding {
  return {
    rule: tables ? 'section-layout' : 'not-checked',
    severity: 'suspicious',
    message: `${text}; without the tables of the destination's QEMU it cannot be said whether it loads that`,
    path,
    ...(range ? { range } : {}),
  };
}

function missingSubsections(root: StructNode, own: StructNode): string[] {
  const sent = new Set(subsections(root).map(({ name }) => name));
  return subsections(own)
    .map(({ name }) => String(name))
    .filter((name) => !sent.has(name));
}

function subsections(root: StructNode): StructNode[] {
  return root.children.filter(
    (child): child is StructNode =>
      child.kind === 'struct' && child.type === 'subsection' && rangeLength(child) > 0,
  );
}
