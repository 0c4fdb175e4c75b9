import { DecodeError, formatPath, printable } from '../bytes/diagnostic.ts';
import { asArray, asObject, asText, JsonProblem, parseCheckedJson } from '../schema/checked-json.ts';
import type { CheckReport, Finding } from './finding.ts';

const FORMAT = 'vmwalk-preflight-baseline';
/** The only version of the format. */
const VERSION = 1;
const MAX_DEPTH = 4;
const MAX_ROWS = 1_000_000;

/** What keeps VMs from destinations and is known, each by its id. */
export type KnownBlockers = ReadonlySet<string>;

/** What a blocking finding is called each time that it is found: VM, destination, rule, and place without offsets. */
export function blockerId({ name, destination = '' }: CheckReport, finding: Finding): string {
  const { rule, section = '', instanceId = 0, path = [] } = finding;
  return [name, destination, rule, `${section}@${instanceId}`, formatPath(path)].map(printable).join(' ');
}

/** A report in which nothing blocks but what is known is marked so: it counts as no failure. */
export function markKnown(report: CheckReport, known: KnownBlockers): CheckReport {
  const isNew = report.findings.some(
    (finding) => finding.severity === 'blocks' && !known.has(blockerId(report, finding)),
  );
  return report.verdict === 'will be rejected' && !isNew ? { ...report, known: true } : report;
}

/** All that blocks, one line for each, sorted. */
export function serializeKnown(reports: readonly CheckReport[]): string {
  const ids = reports.flatMap((report) =>
    report.findings.flatMap((finding) => (finding.severity === 'blocks' ? blockerId(report, finding) : [])),
  );
  const rows = [...new Set(ids)].sort().map((id) => JSON.stringify(id));
  return `{"format":"${FORMAT}","formatVersion":${VERSION},"blockers":[\n${rows.join(',\n')}\n]}\n`;
}

/** Reads what `serializeKnown` wrote, or somebody edited. `name` is for messages. Throws DecodeError `bad-argument`. */
export function parseKnown(text: string, name = '<baseline>'): KnownBlockers {
  try {
    const json = asObject(parseCheckedJson(text, MAX_DEPTH), 'the file');
    if (json['format'] !== FORMAT) throw new JsonProblem(`"format" is not "${FORMAT}"`);
    if (json['formatVersion'] !== VERSION) throw new JsonProblem(`"formatVersion" is not ${VERSION}`);
    const rows = asArray(json['blockers'], 'blockers');
    if (rows.length > MAX_ROWS) throw new JsonProblem(`"blockers" has ${rows.length} rows`);
    return new Set(rows.map((row, i) => asText(row, `blockers[${i}]`)));
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    const message = `${printable(name)} is no usable baseline: ${error.message}`;
    throw new DecodeError({ severity: 'error', code: 'bad-argument', message });
  }
}
