import { versionNumber } from '../schema/qemu-version.ts';

/** From this version on, QEMU passes what went wrong up to where the load ends, in other words. */
const PASSES_ERRORS = [10, 2] as const;

/** The words of the destination's QEMU, which are others from 10.2 on. */
export function wordsOf(qemuVersion: string | undefined, older: string, newer: string): string {
  return qemuVersion === undefined || isOlder(qemuVersion, PASSES_ERRORS) ? older : newer;
}

/**
 * Of a field of a section whose info refuses what it reads, without words of its own. `idstr` is that of the section,
 * whose VMSD has the same name behind its path.
 */
export function failedFieldWords(
  idstr: string,
  field: string,
  type: string,
  qemuVersion: string | undefined,
): string {
  const vmsd = idstr.slice(idstr.lastIndexOf('/') + 1);
  return wordsOf(
    qemuVersion,
    `Failed to load ${vmsd}:${field}`,
    `Failed to load element of type ${type} for ${field}`,
  );
}

/** Of a byte that begins no record. */
export function unknownTypeWords(type: number, qemuVersion: string | undefined): string {
  return wordsOf(qemuVersion, `Unknown savevm section type ${type}`, `Unknown section type ${type}`);
}

/** Of a section whose version is newer than the destination's own. */
export function tooNewWords(
  idstr: string,
  versionId: number,
  own: number,
  qemuVersion: string | undefined,
): string {
  const words = `unsupported version ${versionId} for '${idstr}' v${own}`;
  return wordsOf(qemuVersion, `savevm: ${words}`, words);
}

/** Is a version such as `10.0.13` older than major and minor? */
export function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  return (versionNumber(version) ?? Number.POSITIVE_INFINITY) < 1000 * major + minor;
}
