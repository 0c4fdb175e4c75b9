import { printable } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import { GLOBAL_STATE } from '../ops/run-state.ts';
import type { Section } from '../stream/scan.ts';
import { checkCommands } from './commands.ts';
import { checkConfiguration } from './configuration.ts';
import { checkDamage, endOfLoad } from './damage.ts';
import type { Destination } from './destination.ts';
import { type CheckReport, type Finding, report } from './finding.ts';
import { checkFooters } from './footers.ts';
import { checkRam } from './ram.ts';
import { checkSection, checkSectionByTables, placeOf, unknownSectionWords } from './section.ts';
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
  ];
  const sections = stream.sections.filter(({ records }) => (records[0]?.range.start ?? 0) <= end);
  for (const section of sections) findings.push(...(await checkOneSection(opened, section, destination)));
  findings.push(...(await checkVirtqueues(opened, sections, destination)));
  if (destination.own) findings.push(...missingSections(opened, destination));
  return report(opened.source.name, findings, doubt(destination, findings));
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
  const others = destination.own.stream.sections.filter((other) => other.idstr === idstr);
  if (isSentAtTimes(section, others.length > 0, destination)) {
    const message =
      'the destination did not send such a section itself; it is one that is only sent at times';
    return [
      { ...placeOf(section), rule: 'unknown-section', severity: 'note', message },
      ...(await checkSectionByTables(opened, section, destination, true)),
    ];
  }
  const hint =
    others.length > 0 ? `; it has instances ${others.map((other) => other.instanceId).join(', ')} of it` : '';
  return [
    {
      ...placeOf(section),
      rule: 'unknown-section',
      severity: 'blocks',
      message: `the destination has no device ${printable(idstr)}, instance ${instanceId}${hint}`,
      says: unknownSectionWords(section, destination),
      fix: 'the same devices in the same slots at both sides, hotplugged ones included, and as many CPUs',
    },
  ];
}

/** Iterative sections that are registered, and sent only when there is something in them. */
const SENT_AT_TIMES: ReadonlySet<string> = new Set(['block', 'dirty-bitmap', 's390-storage_attributes']);

/** Registered once, and for each connector of a device (migration/global_state.c; hw/ppc/spapr_drc.c). */
const CONNECTOR = 'spapr_drc';

/** Sections that a QEMU can load and does not always send. `hasOthers`: it sends some that differ in the instance only. */
function isSentAtTimes({ idstr, instanceId }: Section, hasOthers: boolean, { tables }: Destination): boolean {
  if (SENT_AT_TIMES.has(idstr)) return true;
  if ((idstr === GLOBAL_STATE && instanceId !== 0) || (hasOthers && idstr !== CONNECTOR)) return false;
  const vmsds = tables?.schema.vmsds ?? [];
  return vmsds.some(({ name, callbacks }) => name === idstr && callbacks.needed !== undefined);
}

function missingSections({ stream }: OpenedStream, { own }: Destination): Finding[] {
  const sent = new Set(stream.sections.map(({ idstr, instanceId }) => `${instanceId} ${idstr}`));
  const names = new Set(stream.sections.map(({ idstr }) => idstr));
  return (own?.stream.sections ?? []).flatMap(({ idstr, instanceId }): Finding[] => {
    if (sent.has(`${instanceId} ${idstr}`) || names.has(idstr.slice(idstr.lastIndexOf('/') + 1))) return [];
    const message = `the stream has nothing for ${printable(idstr)}, instance ${instanceId}, of the destination; it stays as it is after a reset`;
    return [{ rule: 'missing-section', severity: 'note', section: idstr, instanceId, message }];
  });
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
