import { DecodeError, type Diagnostic } from '../bytes/diagnostic.ts';

/** In strict mode, throws the first problem among these. */
export function enforceStrict(strict: boolean | undefined, diagnostics: readonly Diagnostic[]): void {
  const first = strict ? diagnostics.find(({ severity }) => severity === 'error') : undefined;
  if (first) throw new DecodeError(first);
}

/** With --strict-schema, a reading that was chosen among several is a problem. */
export function judge(
  strictSchema: boolean | undefined,
  diagnostics: readonly Diagnostic[],
): readonly Diagnostic[] {
  if (!strictSchema) return diagnostics;
  return diagnostics.map((diagnostic) =>
    diagnostic.code === 'chosen-reading' ? { ...diagnostic, severity: 'error' } : diagnostic,
  );
}
