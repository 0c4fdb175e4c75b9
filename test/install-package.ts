import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Installs the package into a folder as it is packed, without a network: what it depends on is that of this checkout.
 * Returns the folder that the package itself is in.
 */
export async function installPackage(folder: string): Promise<string> {
  await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], { cwd: root });
  const { version, dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  await run('tar', ['-xzf', `vmwalk-${version}.tgz`], { cwd: folder });
  const modules = join(folder, 'node_modules');
  for (const name of Object.keys(dependencies)) {
    const path = join(modules, name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), path);
  }
  const installed = join(modules, 'vmwalk');
  cpSync(join(folder, 'package'), installed, { recursive: true });
  return installed;
}
