import { printable } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import { GLOBAL_STATE } from '../ops/run-state.ts';
import { deviceKey } from '../schema/schema.ts';
import type { Section } from '../stream/stream.ts';
import { checkCommands } from './commands.ts';
import { checkConfiguration, isDeviceState } from './configuration.ts';
import { checkDamage, endOfLoad } from './damage.ts';
import type { Destination } from './destination.ts';
import { checkDirtyBitmaps } from './dirty-bitmaps.ts';
import { type CheckReport, type Finding, report } from './finding.ts';
import { checkFooters } from './footers.ts';
import { checkRam } from './ram.ts';
import { withoutRedacted } from './redacted.ts';
import { checkSection, checkSectionByTables, placeOf, unknownSectionWords } from './section.ts';
import { isOlder } from './version.ts';
import { checkVirtqueues } from './virtqueues.ts';

/** Would a destination accept the stream? Loads nothing: walks the bytes as the destination's QEMU would. */
export async function checkStream(opened: OpenedStream, destination: Destination): Promise<CheckReport> {
  const { stream } = opened;
  const end = endOfLoad(opened);
  const findings: Finding[] = [
    ...checkDamage(opened, end),
    ...checkConfiguration(opened, destination),
    ...checkCommands(opened, destination, end),
    ...checkFooters(opened, destination),
    ...checkRam(opened, destination),
    ...checkDirtyBitmaps(opened, destination),
  ];
  const sections = stream.sections.filter(({ records }) => (records[0]?.range.start ?? 0) <= end);
  for (const section of sections) findings.push(...(await checkOneSection(opened, section, destination)));
  findings.push(...(await checkVirtqueues(opened, sections, destination)));
  if (destination.own) findings.push(...missingSections(opened, destination));
  const known = withoutRedacted(opened, sections, findings);
  return report(opened.source.name, known, doubt(destination, known));
}

async function checkOneSection(
  opened: OpenedStream,
  section: Section,
  destination: Destination,
): Promise<Finding[]> {
  if (!destination.own) return checkSectionByTables(opened, section, destination);
  const { idstr, instanceId } = section;
  const own = destination.find(idstr, instanceId);
  if (own) return checkSection(opened, section, own, destination);
  if (section.scanner && isDeviceState(destination.own.stream)) {
    // The RAMBlocks are compared, and pages of RAM need no device.
    if (destination.own.sender && idstr === RAM) return [];
    const message =
      'what is known of the destination is the state of devices alone, in which there is none of these';
    return [{ ...placeOf(section), rule: 'not-checked', severity: 'note', message }];
  }
  const others = destination.own.stream.sections.filter((other) => other.idstr === idstr);
  if (isSentAtTimes(section, others.length > 0, destination)) {
    const message =
      'the destination did not send such a section itself; it is one that is only sent at times';
    return [
      { ...placeOf(section), rule: 'unknown-section', severity: 'note', message },
      ...(await checkSectionByTables(opened, section, destination, true)),
    ];
  }
  return [
    {
      ...placeOf(section),
      rule: 'unknown-section',
      severity: 'blocks',
      message: `the destination has no device ${printable(idstr)}, instance ${instanceId}${whatIsThere(section, others, destination)}`,
      says: unknownSectionWords(section, destination),
      fix: unknownSectionFix(section),
    },
  ];
}

/** What the destination has instead: other instances, or another device in the same slot. */
function whatIsThere({ idstr }: Section, others: readonly Section[], { own, facts }: Destination): string {
  if (others.length > 0)
    return `; it has instances ${others.map(({ instanceId }) => instanceId).join(', ')} of it`;
  const slash = idstr.lastIndexOf('/');
  if (slash < 0) return '';
  const place = idstr.slice(0, slash);
  const names = own?.stream.sections.flatMap((other) =>
    other.idstr.slice(0, other.idstr.lastIndexOf('/')) === place ? other.idstr.slice(slash + 1) : [],
  );
  // A front of virtio is a device of its own at the same place.
  const types =
    facts?.devices(idstr).flatMap(({ type }) => (/^virtio-.*-device$/.test(type) ? [] : type)) ?? [];
  const there = [...new Set(types.length > 0 ? types : names)];
  if (there.length > 0)
    return `; the destination has ${there.map(printable).join(', ')} at ${printable(place)}`;
  const name = idstr.slice(slash + 1);
  const elsewhere = own?.stream.sections.find((other) => other.idstr.endsWith(`/${name}`));
  return elsewhere ? `; it has one at ${printable(elsewhere.idstr.slice(0, -name.length - 1))}` : '';
}

/** idstr of the section of RAM. */
const RAM = 'ram';
/** Sections that there is one of for each CPU. */
export const OF_CPUS = /^(cpu|cpu_common|apic|apic_common|kvm-apic|icp\/server)$/;

function unknownSectionFix({ idstr }: Section): string {
  if (idstr === BLOCK)
    return 'a migration without blk (migrate -b): with drive-mirror, or blockdev-mirror, over NBD';
  if (idstr === CONNECTOR)
    return 'the same -smp …,maxcpus= and -m …,maxmem=, and the same devices in the same slots at both sides';
  if (OF_CPUS.test(idstr)) return 'as many CPUs at both sides (-smp), hotplugged ones included';
  return 'the same devices in the same slots at both sides, hotplugged ones included, and as many CPUs';
}

/** Iterative sections that are registered, and sent only when there is something in them. */
const BLOCK = 'block';
const SENT_AT_TIMES: ReadonlySet<string> = new Set([BLOCK, 'dirty-bitmap', 's390-storage_attributes']);
/** First QEMU without block migration (`migrate -b`). */
const BLOCK_GONE = [9, 1] as const;

/** Registered once, and for each connector of a device (migration/global_state.c; hw/ppc/spapr_drc.c). */
const CONNECTOR = 'spapr_drc';

/** Devices that a machine has only with another one, which it always sends. */
const PARTS: ReadonlyMap<string, string> = new Map([
  ['pcspk', 'i8254'],
  ['icp/server', 'ics'],
]);

/** Sections that a QEMU can load and does not always send. `hasOthers`: it sends some that differ in the instance only. */
function isSentAtTimes(
  { idstr, instanceId }: Section,
  hasOthers: boolean,
  { tables, facts, qemuVersion, own }: Destination,
): boolean {
  if (idstr === BLOCK && qemuVersion !== undefined && !isOlder(qemuVersion, BLOCK_GONE)) return false;
  if (idstr === CONNECTOR && facts?.connectors) return facts.connectors.has(instanceId);
  const whole = PARTS.get(idstr);
  if (whole !== undefined && own?.stream.sections.every((section) => section.idstr !== whole)) return false;
  if (SENT_AT_TIMES.has(idstr)) return true;
  if ((idstr === GLOBAL_STATE && instanceId !== 0) || (hasOthers && idstr !== CONNECTOR)) return false;
  const vmsds = tables?.schema.vmsds ?? [];
  return vmsds.some(({ name, callbacks }) => name === idstr && callbacks.needed !== undefined);
}

function missingSections({ stream, sender }: OpenedStream, { own }: Destination): Finding[] {
  const sent = new Set(stream.sections.map(deviceKey));
  const names = new Set(stream.sections.map(({ idstr }) => idstr));
  const missing = (own?.stream.sections ?? []).filter(
    (section) =>
      !sent.has(deviceKey(section)) &&
      !names.has(section.idstr.slice(section.idstr.lastIndexOf('/') + 1)) &&
      // Its blocks are compared.
      !(sender && section.idstr === RAM),
  );
  // The state of devices alone has none of those that are sent in several parts.
  const isElsewhere = ({ scanner }: Section) => scanner !== undefined && isDeviceState(stream);
  const elsewhere = missing.filter(isElsewhere);
  const findings = missing.flatMap((section): Finding[] => {
    if (isElsewhere(section)) return [];
    const { idstr, instanceId } = section;
    const message = `the stream has nothing for ${printable(idstr)}, instance ${instanceId}, of the destination; it stays as it is after a reset`;
    return [{ rule: 'missing-section', severity: 'note', section: idstr, instanceId, message }];
  });
  if (elsewhere.length === 0) return findings;
  const list = elsewhere.map(({ idstr }) => printable(idstr)).join(', ');
  const message = `the stream is the state of devices alone; what the destination has beside it is not compared: ${list}`;
  return [...findings, { rule: 'not-checked', severity: 'note', message }];
}

/** Why no verdict can be given when nothing blocks. */
function doubt({ own, tables }: Destination, findings: readonly Finding[]): string | undefined {
  if (!own && !tables) return 'nothing is known of the destination';
  const unchecked = findings.filter(
    ({ rule, severity }) => rule === 'not-checked' && severity === 'suspicious',
  );
  const [first] = unchecked;
  if (!first) return undefined;
  const section = first.section === undefined ? '' : `${first.section}: `;
  const more = unchecked.length > 1 ? ` (and ${unchecked.length - 1} more)` : '';
  return `${section}${first.message}${more}`;
}
