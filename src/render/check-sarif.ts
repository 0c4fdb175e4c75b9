import { moreLikeIt } from '../bytes/bounded-list.ts';
import { formatPath } from '../bytes/diagnostic.ts';
import type { CheckReport, Finding } from '../check/finding.ts';
import { type RuleCode, rules } from '../check/rules.ts';
import { relativeUri, sarifLog } from './sarif.ts';

const levels = { blocks: 'error', suspicious: 'warning', note: 'note' } as const;

/** Reports as SARIF 2.1.0 (OASIS), for code scanning. Places are byte offsets in the stream. */
export function checkSarif(reports: readonly CheckReport[], version: string): object {
  const codes = Object.keys(rules) as RuleCode[];
  return sarifLog(
    version,
    codes.map((id) => ({ id, text: rules[id] })),
    reports.flatMap((report) =>
      report.findings.map((finding) => result(report, finding, codes.indexOf(finding.rule))),
    ),
  );
}

function result({ name, destination }: CheckReport, finding: Finding, ruleIndex: number): object {
  const { rule, severity, message, says, fix, range, section, instanceId, path, more } = finding;
  const text = [message + moreLikeIt(more), says && `QEMU says: ${says}`, fix && `What helps: ${fix}`]
    .filter(Boolean)
    .join('. ');
  const field = path && path.length > 0 ? `/${formatPath(path)}` : '';
  const logical =
    section === undefined ? undefined : `${section}${instanceId ? `@${instanceId}` : ''}${field}`;
  return {
    ruleId: rule,
    ruleIndex,
    level: levels[severity],
    message: { text: destination === undefined ? text : `for ${destination}: ${text}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: relativeUri(name) },
          ...(range ? { region: { byteOffset: range.start, byteLength: range.end - range.start } } : {}),
        },
        ...(logical === undefined ? {} : { logicalLocations: [{ fullyQualifiedName: logical }] }),
      },
    ],
  };
}
