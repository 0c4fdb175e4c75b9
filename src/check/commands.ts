import type { OpenedStream } from '../layout/open.ts';
import { ramSummaries } from '../ram/iterative.ts';
import type { CommandRecord, StreamRecord } from '../stream/records.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { isOlder } from './version.ts';

/** First QEMU that knows a command, major and minor; those that are not listed are older than any that is in use. */
const COMMAND_SINCE: Readonly<Record<string, readonly [number, number]>> = {
  ENABLE_COLO: [3, 0],
  POSTCOPY_RESUME: [2, 13],
  RECV_BITMAP: [2, 13],
  SWITCHOVER_START: [10, 0],
};

const POSTCOPY_RAM = 'postcopy-ram';
/** First QEMU that looks at the capability x-colo when it loads. */
const COLO_CHECKED = [8, 1] as const;

/** How far a postcopy migration is at the destination (migration/postcopy-ram.h, PostcopyState). */
type PostcopyState = 'none' | 'advise' | 'discard' | 'listening' | 'running';

/** States in which a command may come, the one that it leads to, and the number that QEMU calls each state by. */
const POSTCOPY_COMMANDS: Readonly<
  Record<string, { readonly in: readonly PostcopyState[]; readonly to: PostcopyState; readonly says: string }>
> = {
  POSTCOPY_ADVISE: { in: ['none'], to: 'advise', says: 'CMD_POSTCOPY_ADVISE' },
  POSTCOPY_RAM_DISCARD: { in: ['advise', 'discard'], to: 'discard', says: 'CMD_POSTCOPY_RAM_DISCARD' },
  POSTCOPY_LISTEN: { in: ['advise', 'discard'], to: 'listening', says: 'CMD_POSTCOPY_LISTEN' },
  POSTCOPY_RUN: { in: ['listening'], to: 'running', says: 'CMD_POSTCOPY_RUN' },
};
const STATE_NUMBERS: readonly PostcopyState[] = ['none', 'advise', 'discard', 'listening', 'running'];

/** Commands that the destination does not know, or that cannot come where they do. */
export function checkCommands({ stream }: OpenedStream, destination: Destination, end: number): Finding[] {
  const findings: Finding[] = [];
  let state: PostcopyState = 'none';
  let hasReturnPath = false;
  for (const record of commandsOf(stream.records)) {
    const { name, range } = record;
    if (range.start >= end) break;
    const unknown = unknownCommand(record, destination);
    if (unknown) findings.push(unknown);
    const step = name === undefined ? undefined : POSTCOPY_COMMANDS[name];
    if (step && !step.in.includes(state)) {
      const says = `${step.says} in wrong postcopy state (${STATE_NUMBERS.indexOf(state)})`;
      findings.push({
        rule: 'command-order',
        severity: 'blocks',
        range,
        message: `${name} in state ${state}`,
        says,
      });
    }
    if (step) state = step.to;
    if (name === 'POSTCOPY_ADVISE') findings.push(...checkAdvise(record, destination));
    if (name === 'ENABLE_COLO') findings.push(...checkColo(record, destination));
    if (name === 'OPEN_RETURN_PATH') hasReturnPath = true;
    if (record.detail?.command === 'PING' && !hasReturnPath) {
      const says = `CMD_PING (0x${record.detail.value.toString(16)}) received with no return path`;
      const message = 'a PING before the return path was opened';
      findings.push({ rule: 'command-order', severity: 'blocks', range, message, says });
    }
  }
  return findings;
}

/**
 * migration/savevm.c, loadvm_postcopy_handle_advise: an ADVISE without content is of a source that had dirty-bitmaps on
 * and not postcopy-ram; else it has the page sizes of both.
 */
function checkAdvise({ detail, range, payload }: CommandRecord, destination: Destination): Finding[] {
  const length = payload.end - payload.start;
  const known = destination.capability(POSTCOPY_RAM);
  if (length === 0) {
    if (!known?.isOn) return [];
    return [
      {
        rule: 'capabilities',
        severity: known.isSet ? 'blocks' : 'suspicious',
        range,
        message: `the source had ${POSTCOPY_RAM} off (it announces postcopy of dirty bitmaps alone), and the destination has it on`,
        says: 'RAM postcopy is enabled but have 0 byte advise',
        fix: `capability ${POSTCOPY_RAM} off at the destination`,
      },
    ];
  }
  if (detail?.command !== 'POSTCOPY_ADVISE') return [];
  if (!known?.isOn) {
    const seen = known ? 'the destination has it off' : 'the destination must have it, too';
    return [
      {
        rule: 'capabilities',
        severity: !known ? 'note' : known.isSet ? 'blocks' : 'suspicious',
        range,
        message: `the source had the capability ${POSTCOPY_RAM} on; ${seen}`,
        says: 'RAM postcopy is disabled but have 16 byte advise',
        fix: `capability ${POSTCOPY_RAM} on at the destination, before the migration comes in`,
      },
    ];
  }
  const local = pageSizes(destination);
  if (local === undefined || local === detail.pageSizeSummary) return [];
  const [theirs, ours] = [detail.pageSizeSummary.toString(16), local.toString(16)];
  return [
    {
      rule: 'ram-page-size',
      severity: 'blocks',
      range,
      message: `the pages behind the source's RAM have the sizes 0x${theirs} (ORed), and those of the destination 0x${ours}: for postcopy they must be the same`,
      says: `Postcopy needs matching RAM page sizes (s=${theirs} d=${ours})`,
      fix: `memory backends of the same page size at both sides, or ${POSTCOPY_RAM} off at both`,
    },
  ];
}

/** migration/postcopy-ram.c, ram_pagesize_summary; undefined where not all blocks that are migrated are known. */
function pageSizes({ own, facts }: Destination): bigint | undefined {
  const [ram] = ramSummaries(own?.stream.sections ?? []);
  const sizes = ram?.blocks.map(({ idstr }) => facts?.hostPageSizes?.get(idstr)) ?? [];
  if (sizes.length === 0) return undefined;
  return sizes.reduce<bigint | undefined>(
    (all, size) => (all === undefined || size === undefined ? undefined : all | BigInt(size)),
    0n,
  );
}

/** migration/migration.c, migration_incoming_enable_colo. */
function checkColo({ range }: CommandRecord, destination: Destination): Finding[] {
  const { qemuVersion } = destination;
  const known = destination.capability('x-colo');
  if (known?.isOn || qemuVersion === undefined || isOlder(qemuVersion, COLO_CHECKED)) return [];
  return [
    {
      rule: 'capabilities',
      severity: !known ? 'note' : known.isSet ? 'blocks' : 'suspicious',
      range,
      message: `the stream is of COLO, and the destination ${known ? 'has the capability x-colo off' : 'must have the capability x-colo'}`,
      says: 'ENABLE_COLO command come in migration stream, but x-colo capability is not set',
      fix: 'capability x-colo on at the destination',
    },
  ];
}

/** In the order in which they are carried out: those in a package where the package is. */
function* commandsOf(records: readonly StreamRecord[]): Generator<CommandRecord> {
  for (const record of records) {
    if (record.kind !== 'command') continue;
    yield record;
    if (record.detail?.command === 'PACKAGED') yield* commandsOf(record.detail.records);
  }
}

function unknownCommand(
  { command, name, range, payload }: CommandRecord,
  { qemuVersion }: Destination,
): Finding | undefined {
  const since = name === undefined ? undefined : COMMAND_SINCE[name];
  const isKnown = name !== undefined && name !== 'INVALID';
  if (isKnown && (!since || qemuVersion === undefined || !isOlder(qemuVersion, since))) return undefined;
  const length = payload.end - payload.start;
  return {
    rule: 'unknown-command',
    severity: 'blocks',
    range,
    message: since
      ? `${name} is known from QEMU ${since.join('.')} on, and the destination is ${qemuVersion}`
      : `command ${command}, which no QEMU up to 11.1 knows`,
    says: `MIG_CMD 0x${command.toString(16)} unknown (len 0x${length.toString(16)})`,
    fix: 'a newer QEMU at the destination, or -global migration.send-switchover-start=off at the source for SWITCHOVER_START',
  };
}
