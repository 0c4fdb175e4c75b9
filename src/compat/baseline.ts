import { DecodeError, printable } from '../bytes/diagnostic.ts';
import { asArray, asObject, asText, JsonProblem, parseCheckedJson } from '../schema/checked-json.ts';
import type { CompatFinding, CompatReport } from './compat.ts';
import { type CompatRank, compatRanks } from './rules.ts';

const FORMAT = 'vmwalk-compat-baseline';
/** The only version of the format. */
const VERSION = 1;
const MAX_DEPTH = 4;
const MAX_FINDINGS = 100_000;

/** Findings that are known, each by its id, with the worst rank that is known of it. */
export type Baseline = ReadonlyMap<string, CompatRank>;

/**
 * What a finding is called in every build that has it: its rule, direction, VMSD and fields. Where things are in memory,
 * and which devices share it, is not in it.
 */
export function findingId({ rule, direction, vmsd, fields }: CompatFinding): string {
  return [rule, direction, vmsd, ...fields].join(' ');
}

/** A report in which findings of a baseline are known, unless they got worse, and which of the baseline are gone. */
export function compareToBaseline(
  report: CompatReport,
  baseline: Baseline,
): { readonly report: CompatReport; readonly gone: readonly string[] } {
  const ids = new Set(report.findings.map(findingId));
  const isKnown = (finding: CompatFinding) => {
    const rank = baseline.get(findingId(finding));
    return rank !== undefined && compatRanks.indexOf(rank) <= compatRanks.indexOf(finding.rank);
  };
  return {
    report: {
      ...report,
      findings: report.findings.map((finding) => (isKnown(finding) ? { ...finding, known: true } : finding)),
    },
    gone: [...baseline.keys()].filter((id) => !ids.has(id)),
  };
}

/** The baseline of a report: all of its findings that break, or may; one line for each, sorted. */
export function serializeBaseline({ findings }: CompatReport): string {
  const ranks = new Map<string, CompatRank>();
  // The worst come first.
  for (const rank of compatRanks)
    for (const finding of findings)
      if (finding.rank === rank && rank !== 'cosmetic' && !ranks.has(findingId(finding)))
        ranks.set(findingId(finding), rank);
  const rows = [...ranks]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, rank]) => JSON.stringify({ id, rank }));
  return `{"format":"${FORMAT}","formatVersion":${VERSION},"findings":[\n${rows.join(',\n')}\n]}\n`;
}

/** Reads what `serializeBaseline` wrote, or somebody edited. `name` is for messages. Throws DecodeError `bad-argument`. */
export function parseBaseline(text: string, name = '<baseline>'): Baseline {
  try {
    const json = asObject(parseCheckedJson(text, MAX_DEPTH), 'the file');
    if (json['format'] !== FORMAT) throw new JsonProblem(`"format" is not "${FORMAT}"`);
    if (json['formatVersion'] !== VERSION) throw new JsonProblem(`"formatVersion" is not ${VERSION}`);
    const rows = asArray(json['findings'], 'findings');
    if (rows.length > MAX_FINDINGS) throw new JsonProblem(`"findings" has ${rows.length} rows`);
    return new Map(
      rows.map((row, i) => {
        const { id, rank } = asObject(row, `findings[${i}]`);
        const known = compatRanks.find((each) => each === rank);
        if (!known) throw new JsonProblem(`"findings[${i}].rank" is none of ${compatRanks.join(', ')}`);
        return [asText(id, `findings[${i}].id`), known] as const;
      }),
    );
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    const message = `${printable(name)} is no usable baseline: ${error.message}`;
    throw new DecodeError({ severity: 'error', code: 'bad-argument', message });
  }
}
