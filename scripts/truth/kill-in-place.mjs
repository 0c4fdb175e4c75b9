#!/usr/bin/env node
/**
 * Ends "vmwalk edit --in-place" by SIGKILL at random times, and holds what is left to what is promised: without an undo
 * file nothing has changed; with one each byte is what it was or what it is to be, and --revert brings all of it back.
 */

import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { walk } from '../../dist/index.js';
import { openVm } from '../../dist/node/index.js';

const HELP = `Usage: node scripts/truth/kill-in-place.mjs [options] STREAM

  --runs N         processes that are ended (default: 100)
  --fields N       integers that each of them changes (default: 300)

Run "npm run build" first. Prints how many were ended where. Exit status 1 when something was lost.
`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: 'string', default: '100' },
    fields: { type: 'string', default: '300' },
    help: { type: 'boolean' },
  },
});
const [stream] = positionals;
if (options.help || stream === undefined) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'vmwalk-kill-'));
const file = join(folder, 'vm.qevm');
const undo = `${file}.undo`;
const INTEGER = /^u?int(8|16|32|64)$/;

/** Integers that lie far from each other, each with another value than it has. */
async function changes(wanted) {
  const vm = await openVm(stream);
  const found = [];
  for await (const { section, instanceId, root } of vm.layouts())
    for (const { node, path } of walk(root))
      if (
        node.kind === 'leaf' &&
        INTEGER.test(node.type) &&
        path.every((name) => typeof name === 'string') &&
        !/[*?[\]{}!@=]/.test([section, ...path].join(''))
      )
        found.push(
          `${section}@${instanceId}/${path.join('/')}=${node.value === 1 || node.value === 1n ? 0 : 1}`,
        );
  await vm.close();
  const step = Math.max(1, Math.floor(found.length / wanted));
  return found.filter((_, i) => i % step === 0).flatMap((each) => ['--set', each]);
}

const args = [main, 'edit', file, '--in-place', '--force', ...(await changes(Number(options.fields)))];
const before = readFileSync(stream);
copyFileSync(stream, file);
const started = performance.now();
const whole = spawnSync(process.execPath, args, { encoding: 'utf8' });
const duration = performance.now() - started;
if (whole.status !== 0) throw new Error(`the edit itself fails: ${whole.stderr}`);
const after = readFileSync(file);
rmSync(undo);

const count = { 'not begun': 0, 'in the middle': 0, 'all written': 0, lost: 0 };
for (let run = 0; run < Number(options.runs); run++) {
  copyFileSync(stream, file);
  const child = spawn(process.execPath, args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  // Where it writes is at its end.
  await sleep(duration * (0.4 + 0.6 * Math.random()));
  child.kill('SIGKILL');
  await ended;
  const now = readFileSync(file);
  const isPart =
    now.length === before.length && now.every((byte, i) => byte === before[i] || byte === after[i]);
  let what = now.equals(before) ? 'not begun' : now.equals(after) ? 'all written' : 'in the middle';
  if (existsSync(undo)) {
    const { status } = spawnSync(process.execPath, [main, 'edit', file, '--revert', undo]);
    if (status !== 0 || !isPart || !readFileSync(file).equals(before)) what = 'lost';
    rmSync(undo);
  } else if (!now.equals(before)) what = 'lost';
  count[what]++;
  for (const name of readdirSync(folder)) if (name.endsWith('.partial')) rmSync(join(folder, name));
}
rmSync(folder, { recursive: true });
for (const [what, times] of Object.entries(count)) console.log(`${what}: ${times}`);
process.exitCode = count.lost > 0 ? 1 : 0;
