import { spawnSync } from 'node:child_process';

/** Programs that tests run, and Debian's packages that they are in; those of every Debian are not listed. */
const required: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  bzip2: 'bzip2',
  lzop: 'lzop',
  xz: 'xz-utils',
  zstd: 'zstd',
};

/** Fails before the first test where one is missing: tests that are skipped in silence prove nothing. */
export default function requirePrograms(): void {
  const missing = Object.keys(required).filter((name) => spawnSync(name, ['--version']).error);
  if (missing.length === 0) return;
  const packages = missing.map((name) => required[name]);
  throw new Error(
    `the tests need ${missing.join(', ')}: apt-get install --no-install-recommends ${packages.join(' ')}`,
  );
}
