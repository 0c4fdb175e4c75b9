import { DecodeError, type Diagnostic } from '../bytes/diagnostic.ts';

/** In strict mode, throws the first problem among these. */
export function enforceStrict(strict: boolean | undefined, diagnostics: readonly Diagnostic[]): void {
  const first = strict ? diagnostics.find(({ severity }) => severity === 'error') : undefined;
  if (first) throw new DecodeError(first);
}
