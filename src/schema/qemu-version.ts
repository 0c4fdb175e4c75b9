/** Thousand times major and minor of a QEMU version such as `10.0.13 (Debian …)`; undefined where it has no number. */
export function versionNumber(qemuVersion: string | undefined): number | undefined {
  const [major, minor = 0] = (qemuVersion?.match(/\d+/g) ?? []).map(Number);
  return major === undefined ? undefined : 1000 * major + minor;
}
