import type { Diagnostic, DiagnosticCode } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import type { Finding } from './finding.ts';

/** Errors of the framing that end a load. Others are about what is not loaded: descriptions, and what is behind the end. */
const DAMAGE: ReadonlySet<DiagnosticCode> = new Set([
  'bad-record',
  'bad-footer',
  'bad-command',
  'bad-configuration',
  'bad-ram',
  'bad-iterative',
]);

/**
 * Where a load ends: at the first end-of-file record, even if the stream goes on behind it.
 */
export function endOfLoad({ stream, diagnostics }: OpenedStream): number {
  const eof = stream.records.find(({ kind }) => kind === 'eof');
  const early = diagnostics.find(({ code }) => code === 'early-end');
  return Math.min(
    eof?.range.start ?? Number.POSITIVE_INFINITY,
    early?.range?.start ?? Number.POSITIVE_INFINITY,
  );
}

/** What the bytes themselves have against a load, whoever does it. `end` is where the load ends. */
export function checkDamage({ stream, diagnostics }: OpenedStream, end: number): Finding[] {
  const findings: Finding[] = [];
  const lost = stream.sections.filter(({ records }) => (records[0]?.range.start ?? 0) > end);
  if (lost.length > 0) {
    findings.push({
      rule: 'early-end',
      severity: 'suspicious',
      range: { start: end, end: end + 1 },
      message: `the stream ends here for QEMU, and ${lost.length} sections behind it are not loaded`,
      says: 'Expected vmdescription section, but got …',
      fix: 'an undamaged copy of the stream',
    });
  }
  for (const diagnostic of diagnostics) {
    const { range } = diagnostic;
    // What follows the end is not loaded; what has no place is about all of it.
    const isLoaded = !range || range.start < end;
    const finding = findingOf(diagnostic, isLoaded);
    if (finding) findings.push(finding);
  }
  return findings;
}

function findingOf(diagnostic: Diagnostic, isLoaded: boolean): Finding | undefined {
  const { severity, code, message, range, section, instanceId, path } = diagnostic;
  const place = { section, instanceId, path, range, message };
  if (code === 'trailing-bytes') return { ...place, rule: 'trailing-bytes', severity: 'note' };
  if (severity !== 'error' || !isLoaded) return undefined;
  if (code === 'truncated') {
    const says = 'load of migration failed: Input/output error';
    return {
      ...place,
      rule: 'truncated-stream',
      severity: 'blocks',
      says,
      fix: 'a complete copy of the stream',
    };
  }
  if (code === 'unsupported') return { ...place, rule: 'not-checked', severity: 'suspicious' };
  if (!DAMAGE.has(code)) return undefined;
  const says = damageWords(code, section);
  return {
    ...place,
    rule: 'damaged-stream',
    severity: 'blocks',
    says,
    fix: 'an undamaged copy of the stream',
  };
}

function damageWords(code: DiagnosticCode, section: string | undefined): string | undefined {
  switch (code) {
    case 'bad-footer':
      return `Missing section footer for ${section ?? '…'}`;
    case 'bad-ram':
      return 'Unknown combination of migration flags: …';
    case 'bad-record':
      return 'Unknown savevm section type …';
    default:
      return undefined;
  }
}
