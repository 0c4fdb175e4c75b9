import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Builds dist/ before the first test, when a source is newer: the command line is tested as it is shipped. */
export default function buildCommandLine(): void {
  const built = modified(`${root}/dist/cli/main.js`);
  const sources = readdirSync(`${root}/src`, { recursive: true, withFileTypes: true });
  if (!sources.some((entry) => modified(`${entry.parentPath}/${entry.name}`) > built)) return;
  for (const project of ['tsconfig.json', 'src/node/tsconfig.json']) {
    // Types are checked elsewhere.
    execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '--noCheck', '-p', project], {
      cwd: root,
      stdio: 'inherit',
    });
  }
  execFileSync('npm', ['run', '--silent', 'bundle'], { cwd: root, stdio: 'inherit' });
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
