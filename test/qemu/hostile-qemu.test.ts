import { randomUUID } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder, vmwalk } from '../cli/run.ts';

const QEMU = (process.env['VMWALK_QEMU'] ?? 'qemu-system-x86_64').split(' ');
const MACHINE = ['-M', 'microvm', '-m', '8', '-nodefaults', '-no-user-config', '-accel', 'tcg'];
const BETWEEN = fileURLToPath(new URL('between.mjs', import.meta.url));

/** Makes a profile of a QEMU whose answers go through `between.mjs`. */
async function profileThrough(fault: string, step: string, timeout = '120') {
  const folder = temporaryFolder();
  const program = join(folder, 'program');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${BETWEEN}' "$@"\n`);
  chmodSync(program, 0o755);
  const mark = randomUUID();
  const args = ['profile', '--timeout', timeout, '-o', 'vm.profile', '--', program, ...QEMU, ...MACHINE];
  const env = { BETWEEN_FAULT: fault, BETWEEN_STEP: step, BETWEEN_MARK: mark };
  const run = await vmwalk(args, { cwd: folder, env });
  const files = readdirSync(folder).filter((name) => name !== 'program');
  return { ...run, files, processes: processesWith(mark) };
}

function processesWith(mark: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        // A process that has ended, and is not yet waited for, has none.
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`BETWEEN_MARK=${mark}`);
      } catch {
        return false;
      }
    });
}

/** There is no profile, QEMU's or our last line says why, and nothing stays. */
async function expectFailure(fault: string, step: string, words: RegExp, timeout?: string) {
  const { status, stdout, stderr, files, processes } = await profileThrough(fault, step, timeout);
  expect({ status, stdout, files, processes }).toEqual({ status: 2, stdout: '', files: [], processes: [] });
  const said = stderr.trimEnd().split('\n');
  expect(said.at(-1)).toMatch(words);
  expect(said.at(-1)).not.toMatch(/SIGKILL|SIGTERM/);
  expect(said.filter((line) => line.startsWith('vmwalk: error:'))).toHaveLength(1);
  // What QEMU itself has printed is shown where it died.
  expect(stderr.includes("Assertion `!error' failed.")).toBe(/ended (by|with)/.test(said.at(-1) ?? ''));
  expect(stderr).not.toMatch(/^ +at /m);
}

test.each([
  ['numbers of all kinds in them'],
  ['pieces that cut characters'],
  ['events of 64 KiB in between'],
])('answers with %s', async (what) => {
  const run = await profileThrough(what.split(' ')[0]!, 'all');
  expect(run).toMatchObject({ status: 0, files: ['vm.profile'], processes: [] });
});

test.each([
  ['greeting', /waiting for its greeting/],
  ['qmp_capabilities', /answering qmp_capabilities/],
  ['query-version', /answering query-version/],
  ['qom-list', /answering qom-list \/machine/],
  ['migrate', /(answering migrate|sending its state)/],
  ['query-migrate', /(answering query-migrate|sending its state)/],
])('a failed assertion at %s', (step, doing) =>
  expectFailure('abort', step, new RegExp(`QEMU was ended by SIGABRT while ${doing.source}$`)),
);

test.each([
  ['qmp_capabilities', /QEMU refuses qmp_capabilities: not today/],
  ['query-version', /QEMU refuses query-version: not today/],
  ['qom-list', /QEMU refuses qom-list: not today/],
  ['migrate', /QEMU cannot migrate this machine: not today/],
  ['query-migrate', /QEMU refuses query-migrate: not today/],
])('%s is refused', (step, words) => expectFailure('error', step, words));

test.each([
  ['exit', /QEMU ended with status 1 while answering query-version$/],
  ['close', /(QEMU closed the connection|the connection to QEMU broke .*) while answering query-version$/],
  ['garbage', /what came from QEMU is not QMP \("HTTP\/1.1 200 OK"\) while answering query-version$/],
  ['no-object', /what came from QEMU is not QMP \("\[1\]"\) while answering query-version$/],
  ['endless-line', /not QMP \(a line of more than 16777216 bytes\) while answering query-version$/],
])('%s in place of an answer', (fault, words) => expectFailure(fault, 'query-version', words));

test.each(['stall', 'flood'])('%s: given up', (fault) =>
  // A machine that is slow enough does not come that far.
  expectFailure(
    fault,
    'query-version',
    /QEMU took longer than 10 s (starting|waiting for its greeting|answering (qmp_capabilities|query-version))$/,
    '10',
  ),
);

test('a state without an end is not taken', () =>
  expectFailure(
    'endless-state',
    'migrate',
    /cannot read the stream that QEMU sent: it has more than \d+ bytes, which are twice the RAM of the machine/,
  ));

test('a state that QEMU 7.2 dies of', () =>
  expectFailure(
    'divide',
    'query-migrate',
    /ended by SIGFPE while .*: known of QEMU before 8\.0 where the target's pages/,
  ));
