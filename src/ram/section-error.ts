import { DecodeError, type DiagnosticCode, printable } from '../bytes/diagnostic.ts';

/** What of an IterativeContext an error message needs. */
export interface NamedSection {
  readonly idstr: string;
  readonly instanceId: number;
}

/** A DecodeError about the bytes `[start, end)` of a section; offsets are absolute in the stream. */
export function sectionError(
  section: NamedSection,
  code: DiagnosticCode,
  message: string,
  start: number,
  end: number = start,
): DecodeError {
  return new DecodeError({
    severity: 'error',
    code,
    message,
    range: { start, end: Math.max(start, end) },
    section: section.idstr,
    instanceId: section.instanceId,
  });
}

/** Throws DecodeError `unsupported` unless the section has this version. */
export function requireVersion(
  section: NamedSection & { readonly versionId: number },
  version: number,
  offset: number,
): void {
  if (section.versionId === version) return;
  const message = `version ${section.versionId} of section ${printable(section.idstr)}; only version ${version} is known`;
  throw sectionError(section, 'unsupported', message, offset);
}
