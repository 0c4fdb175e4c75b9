import { packageText } from './package-files.ts';

/** The version of this package. */
export function packageVersion(): string {
  const manifest: { version: string } = JSON.parse(packageText('package.json'));
  return manifest.version;
}
