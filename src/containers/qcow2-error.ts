import { DecodeError, type DiagnosticCode } from '../bytes/diagnostic.ts';
import { hexOffset, type Range } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';

/** Why an image, or what is asked of it, cannot be opened; `range` is in the image file. */
export function imageError(
  file: FinishedSource,
  code: DiagnosticCode,
  message: string,
  range?: Range,
): DecodeError {
  const place = range ? ` (at ${hexOffset(range.start)} of the file)` : '';
  return new DecodeError({ severity: 'error', code, message: `${message}${place}` }, { source: file.name });
}
