import type { FinishedSource } from '../bytes/source.ts';
import { checkStream } from '../check/check.ts';
import type { Destination } from '../check/destination.ts';
import type { CheckReport, Finding } from '../check/finding.ts';
import type { RuleCode } from '../check/rules.ts';
import { applyEdits } from '../edit/apply-edits.ts';
import { NO_EDITS, type VmdescMode } from '../edit/edited-stream.ts';
import type { OpenedStream } from '../layout/open.ts';
import { openVm, type VmOptions } from '../vm/vm.ts';
import type { FixChange, FixClass } from './change.ts';
import { type RemedyPlan, RemedyPlanner } from './remedies.ts';

export interface FixOptions {
  /** Classes and rules of changes that may be made; harmless ones may always. */
  readonly allow?: readonly (FixClass | RuleCode)[] | undefined;
  /** What comes of the vmdesc in the end; without it the entries of what was changed are made anew. */
  readonly vmdesc?: Exclude<VmdescMode, 'keep'> | undefined;
  /** How what was written is opened again. */
  readonly open?: VmOptions | undefined;
}

export interface FixResult {
  /** All that is needed, in the order in which it was found to be. */
  readonly changes: readonly FixChange[];
  /** Those of the changes that are not allowed. */
  readonly refused: readonly FixChange[];
  /** What `check` says of the stream with all of the changes: what blocks it then, nothing here mends. */
  readonly report: CheckReport;
  /** The stream with the changes: undefined where one is not allowed, or where the destination would not take it. */
  readonly source: FinishedSource | undefined;
}

/** Times that a stream is checked and changed: a change can bring to light what was behind it. */
const MAX_ROUNDS = 12;

/**
 * Makes a stream that a destination accepts, by the smallest changes that `check` has nothing to say of any more; all are
 * made out before it is looked which are allowed. Throws what the source throws.
 */
export async function fixStream(
  opened: OpenedStream,
  destination: Destination,
  { allow = [], vmdesc, open = {} }: FixOptions = {},
): Promise<FixResult> {
  const changes: FixChange[] = [];
  const planner = new RemedyPlanner(destination);
  let current = opened;
  let report = await checkStream(current, destination);
  const take = async (plan: RemedyPlan, mode?: FixOptions['vmdesc']) => {
    // What is read back is held to the destination's reading, in the next round.
    const { source } = await applyEdits(current, plan.edits, { readBack: false, vmdesc: mode });
    changes.push(...plan.changes);
    const { tables, infos } = opened;
    if (current !== opened) await current.memory?.close();
    current = await openVm(source, { ...(tables ? { tables } : {}), infos, ...open });
    report = await checkStream(current, destination);
  };
  for (let round = 0; round < MAX_ROUNDS && report.verdict === 'will be rejected'; round++) {
    const plan = await planner.plan(current, report.findings.filter(isBlocker));
    if (plan.changes.length === 0) break;
    await take(plan);
  }
  if (report.verdict === 'no blocker found') {
    const plan = await planner.planFields(current);
    if (plan.changes.length > 0) await take(plan);
  }
  if (vmdesc !== undefined) {
    const unchanged = { edits: NO_EDITS, layouts: new Map(), patched: current, followed: [] };
    await take({ changes: [], edits: unchanged }, vmdesc);
  }
  if (current !== opened) await current.memory?.close();
  const refused = changes.filter((change) => !isAllowed(change, allow));
  const isSolved = report.verdict === 'no blocker found' && refused.length === 0;
  return { changes, refused, report, source: isSolved ? current.source : undefined };
}

function isBlocker({ severity }: Finding): boolean {
  return severity === 'blocks';
}

function isAllowed(
  { class: of, rule, instead }: FixChange,
  allow: readonly (FixClass | RuleCode)[],
): boolean {
  if (allow.includes(rule)) return true;
  return instead === undefined && (of === 'harmless' || (of === 'loses' && allow.includes(of)));
}
