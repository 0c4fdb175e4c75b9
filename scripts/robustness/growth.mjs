#!/usr/bin/env node
/**
 * Measures how time and memory grow with inputs that are made to be slow or large: each at a size, twice that, and four
 * times. Prints a table for docs/robustness.md.
 */

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure } from '../../bench/measure.mjs';
import '../../test/fuzz/typescript.mjs';

const HELP = `Usage: node scripts/robustness/growth.mjs [--size BYTES] [--all] [--list] [NAME…]

Runs the commands on inputs whose names have NAME in them (on all without one), at a quarter of BYTES (1048576), a half,
and BYTES. A row has seconds of processor time and MB of memory at each size; "!" marks what breaks the rule: more than
10 s or 300 MB for 1 MiB, or more than ${2.6} times as much for twice the size, of what is beyond an empty input's.

  --all   print all rows; without it the five of each input that took most
  --list  print names and commands only

Run "npm run build" first.
`;

/** For 1 MiB. */
const MAX_SECONDS = 10;
const MAX_MEGABYTES = 300;
/** Of time or memory for twice the size, where these are more than a start of Node takes. */
const MAX_RATIO = 2.6;
const SIGNIFICANT_SECONDS = 1;
const SIGNIFICANT_MEGABYTES = 150;
/** Seconds of processor time after which a command is ended. */
const LONGEST = 100;

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: String(2 ** 20) },
    all: { type: 'boolean' },
    list: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});
const size = Number(values.size);
if (values.help || !(size >= 4096)) {
  process.stdout.write(HELP);
  process.exit(values.help ? 0 : 2);
}

const { growingInputs } = await import('../../test/robustness/growing-inputs.ts');
const wanted = growingInputs.filter(
  ({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
);
const sizes = [size / 4, size / 2, size].map(Math.floor);

if (values.list) {
  for (const { name, commands } of wanted)
    process.stdout.write(`${name}\n${commands.map((command) => `    ${command}\n`).join('')}`);
  process.exit(0);
}

process.stdout.write(`| input | command | s | MB | growth of s, MB |\n|---|---|---|---|---|\n`);
let broken = 0;
for (const input of wanted) {
  const rows = await measureInput(input);
  rows.sort((a, b) => b.runs.at(-1).cpu - a.runs.at(-1).cpu);
  for (const row of values.all ? rows : rows.slice(0, 5))
    process.stdout.write(`${rowText(input.name, row)}\n`);
  broken += rows.filter(isBroken).length;
}
if (broken > 0) process.exitCode = 1;

/** @param {import('../../test/robustness/growing-inputs.ts').GrowingInput} input */
async function measureInput(input) {
  const rows = input.commands.map((command) => ({ command, runs: [] }));
  for (const each of sizes) {
    const folder = mkdtempSync(join(tmpdir(), 'vmwalk-growth-'));
    try {
      const files = Object.entries(input.make(each));
      for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);
      const total = files.reduce((sum, [name]) => sum + statSync(join(folder, name)).size, 0);
      for (const { command, runs } of rows) {
        const out = join(
          folder,
          `out${runs.length}-${rows.indexOf(rows.find((row) => row.command === command))}`,
        );
        const args = command
          .split(' ')
          .map((arg) => arg.replace(/^@([a-z]+)/, (_, name) => join(folder, name)).replace(/^%/, out));
        if (command.startsWith('extract') || command.startsWith('ram extract')) mkdirSync(out);
        const run = await measure(['prlimit', `--cpu=${LONGEST}`, process.execPath, main, ...args]);
        runs.push({ ...run, total });
        rmSync(out, { recursive: true, force: true });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  return rows;
}

/** @param {{ runs: readonly import('../../bench/measure.mjs').Run[] }} row */
function isBroken({ runs }) {
  const [, before, last] = runs;
  const scale = Math.max(1, last.total / 2 ** 20);
  return (
    last.cpu > MAX_SECONDS * scale ||
    last.peak > MAX_MEGABYTES * scale ||
    (last.cpu > SIGNIFICANT_SECONDS && last.cpu > MAX_RATIO * before.cpu) ||
    (last.peak > SIGNIFICANT_MEGABYTES && last.peak > MAX_RATIO * before.peak)
  );
}

function rowText(name, row) {
  const { command, runs } = row;
  const [, before, last] = runs;
  const seconds = runs.map(({ cpu }) => cpu.toFixed(1)).join(', ');
  const megabytes = runs.map(({ peak }) => Math.round(peak)).join(', ');
  const growth = `${(last.cpu / before.cpu).toFixed(1)}, ${(last.peak / before.peak).toFixed(1)}`;
  return `| ${name} | ${command.length > 60 ? `${command.slice(0, 60)}…` : command} | ${seconds} | ${megabytes} | ${growth}${isBroken(row) ? ' !' : ''} |`;
}
