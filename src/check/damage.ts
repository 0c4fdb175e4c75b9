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

/** What the bytes themselves have against a load, whoever does it. */
export function checkDamage({ stream, diagnostics }: OpenedStream): Finding[] {
  const eof = stream.records.find(({ kind }) => kind === 'eof');
  const isLoaded = ({ range }: Diagnostic) => !eof || !range || range.start < eof.range.end;
  return diagnostics.flatMap((diagnostic): Finding[] => {
    const { severity, code, message, range, section, instanceId, path } = diagnostic;
    const place = { section, instanceId, path, range, message };
    if (code === 'trailing-bytes') return [{ ...place, rule: 'trailing-bytes', severity: 'note' }];
    if (severity !== 'error' || !isLoaded(diagnostic)) return [];
    if (code === 'truncated') {
      const says = 'load of migration failed: Input/output error';
      return [
        {
          ...place,
          rule: 'truncated-stream',
          severity: 'blocks',
          says,
          fix: 'a complete copy of the stream',
        },
      ];
    }
    if (code === 'unsupported') return [{ ...place, rule: 'not-checked', severity: 'suspicious' }];
    if (!DAMAGE.has(code)) return [];
    const says = damageWords(code, section);
    return [
      { ...place, rule: 'damaged-stream', severity: 'blocks', says, fix: 'an undamaged copy of the stream' },
    ];
  });
}

function damageWords(code: DiagnosticCode, section: string | undefined): string | undefined {
  switch (code) {
    case 'bad-footer':
      return section === undefined ? 'Missing section footer' : `Missing section footer for ${section}`;
    case 'bad-ram':
      return 'Unknown combination of migration flags';
    case 'bad-record':
      return 'Unknown savevm section type';
    default:
      return undefined;
  }
}
