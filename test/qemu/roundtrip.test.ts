import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { main, temporaryFolder, vmwalk } from '../cli/run.ts';

const QEMU = (process.env['VMWALK_QEMU'] ?? 'qemu-system-x86_64').split(' ');
const COMMON = ['-accel', 'tcg', '-nodefaults', '-no-user-config'];
const MICROVM = [...COMMON, '-M', 'microvm', '-m', '8'];
const BETWEEN = fileURLToPath(new URL('between.mjs', import.meta.url));

function roundtrip(before: readonly string[], command: readonly string[], cwd = temporaryFolder()) {
  return vmwalk(['roundtrip', ...before, '--', ...command], { cwd });
}

/** A program that starts QEMU with other options. */
function program(folder: string, name: string, words: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${words}\n`);
  chmodSync(path, 0o755);
  return path;
}

test('the state of a machine is the same behind loads', async () => {
  const folder = temporaryFolder();
  const run = await roundtrip(
    ['--keep', 'streams', '--ram', '--json'],
    [...QEMU, ...COMMON, '-M', 'q35', '-m', '16', '-device', 'virtio-net-pci,romfile='],
    folder,
  );
  expect([run.status, run.stderr]).toEqual([0, '']);
  const { verdict, states, diff } = JSON.parse(run.stdout);
  expect(verdict).toBe('same');
  expect(states.map(({ name }: { name: string }) => name)).toEqual(['first', 'second', 'third']);
  expect(diff).toMatchObject({ verdict: 'same', parts: [] });
  expect(diff.unchanged.sections).toBeGreaterThan(20);
  const names = readdirSync(join(folder, 'streams'));
  expect(names).toEqual(['first.qevm', 'second.qevm', 'third.qevm']);
  // What QEMU 7.2 and later do for a machine that has not run: its run state stays what it was.
  const state = await vmwalk(['dump', join(folder, 'streams', 'third.qevm'), 'globalstate']);
  expect(state.stdout).toContain('prelaunch');
});

test('a machine that has run comes back stopped, and clocks are not compared', async () => {
  const run = await roundtrip(['--run', '0.2'], [...QEMU, ...MICROVM]);
  expect([run.status, run.stderr]).toEqual([0, '']);
  expect(run.stdout).toMatch(/^no difference: \d+ sections unchanged/m);
});

test('another QEMU, which has the device in another form, refuses', async () => {
  const folder = temporaryFolder();
  const other = program(folder, 'other', `exec ${QEMU.join(' ')} "$@" -device virtio-rng-pci`);
  const command = [...QEMU, ...COMMON, '-M', 'q35', '-m', '16', '-device', 'e1000e,romfile=,addr=9'];
  // The device is gone in the other one.
  const without = program(
    folder,
    'without',
    `exec ${QEMU.join(' ')} $(echo "$@" | sed 's/-device e1000e[^ ]*//')`,
  );
  const refused = await roundtrip(['--through', without], command, folder);
  expect(refused.status).toBe(1);
  expect(refused.stdout).toMatch(/the first state was not loaded: QEMU ended with status 1 while loading/);
  expect(refused.stdout).toMatch(/QEMU: .*Unknown savevm section or instance '0000:00:09.0\/e1000e'/);
  expect(refused.stdout).toMatch(/vmwalk explain unknown-section says more/);
  expect(refused.stdout).toMatch(/blocks: unknown-section {2}0000:00:09.0\/e1000e/);
  const mail = await roundtrip(['--mail', '--through', without], command, folder);
  expect([mail.status, mail.stdout]).toEqual([
    1,
    expect.stringContaining('The first state was not loaded: '),
  ]);
  for (const line of mail.stdout.split('\n')) expect(line).toMatch(/^[ -~]{0,71}$/);
  // One that has more than the first loads, and what it saves has too much for that.
  const more = await roundtrip(['--json', '--bisect', '--through', other], command, folder);
  expect(more.status).toBe(1);
  const { verdict, refusal, states } = JSON.parse(more.stdout);
  expect([verdict, refusal.state, states.length]).toEqual(['refused', 'second', 2]);
  expect(refusal.check.findings[0]).toMatchObject({ rule: 'unknown-section', severity: 'blocks' });
});

test('a QEMU that dies while it loads has refused', async () => {
  const folder = temporaryFolder();
  const between = program(folder, 'between', `exec '${process.execPath}' '${BETWEEN}' "$@"`);
  const env = { BETWEEN_FAULT: 'abort', BETWEEN_STEP: 'migrate-incoming', BETWEEN_MARK: 'roundtrip' };
  const run = await vmwalk(['roundtrip', '--', between, ...QEMU, ...MICROVM], { cwd: folder, env });
  expect(run.status).toBe(1);
  expect(run.stdout).toMatch(/was not loaded: QEMU was ended by SIGABRT/);
});

test.each([
  ['no machine of that name', ['-M', 'nonsense'], [], /unsupported machine type/],
  ['no such program', [], ['--through', './no-qemu'], /cannot run \.\/no-qemu: there is no such program/],
  ['a folder that is not empty', [], ['--keep', 'full'], /full is not empty/],
  ['a folder that cannot be made', [], ['--keep', '/proc/kept'], /cannot write \/proc\/kept: /],
  ['a folder without a name', [], ['--keep', ''], /the name to write to is empty/],
  ['no time', [], ['--run', '0'], /a number of seconds above 0, up to 2147483, is expected/],
  [
    'more time than a timer counts',
    [],
    ['--run', '1e9'],
    /a number of seconds above 0, up to 2147483, is expected/,
  ],
  ['a quote without its end', [], ['--through', "qemu-system-x86_64 'x"], /a quote in .* is not closed/],
  ['no machine', ['-M', 'none'], [], /a machine of type none has no state/],
])('%s is trouble', async (_, args, before, words) => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'full'));
  writeFileSync(join(folder, 'full', 'file'), '');
  const run = await roundtrip(before, [...QEMU, ...MICROVM, ...args], folder);
  expect([run.status, run.stdout]).toEqual([2, '']);
  expect(run.stderr).toMatch(words);
  expect(run.stderr.match(/vmwalk: error:|^error:/gm)).toHaveLength(1);
});

test('a commit whose QEMU does not start is skipped', async () => {
  const run = await roundtrip(['--bisect'], [...QEMU, '-M', 'nonsense']);
  expect(run.status).toBe(125);
});

test('a signal ends QEMU, and nothing is left', async () => {
  const folder = temporaryFolder();
  const args = [main, 'roundtrip', '--run', '600', '--keep', 'streams', '--', ...QEMU, ...MICROVM];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
  const children = `/proc/${child.pid}/task/${child.pid}/children`;
  const ended = once(child, 'exit');
  let qemu = '';
  while (qemu === '') {
    await sleep(20);
    const pids = readFileSync(children, 'utf8').trim().split(' ');
    qemu =
      pids.find((pid) => pid !== '' && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu')) ?? '';
  }
  child.kill('SIGTERM');
  expect(await ended).toEqual([null, 'SIGTERM']);
  const isGone = () => {
    try {
      return /^State:\s*Z/m.test(readFileSync(`/proc/${qemu}/status`, 'utf8'));
    } catch {
      return true;
    }
  };
  while (!isGone()) await sleep(20);
  expect(readdirSync(folder)).toEqual([]);
});

describe('what two QEMUs send for one command line', () => {
  const run = 'q35 -accel tcg -nodefaults -no-user-config -m 16';
  const qemu = QEMU.join(' ');

  test('is the same for one QEMU', async () => {
    const { status, stdout, stderr } = await vmwalk([
      'diff',
      '--structure',
      '--run',
      run,
      qemu,
      qemu,
      '--mail',
    ]);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^No change on the wire: \d+ sections, \d+ fields\.\n$/);
  });

  test('differs by a device', async () => {
    const other = program(
      temporaryFolder(),
      'qemu-system-more',
      `exec ${qemu} "$@" -device virtio-rng-pci,addr=7`,
    );
    const { status, stdout } = await vmwalk(['diff', '--run', `-M ${run}`, qemu, other, '--mail']);
    expect(status).toBe(1);
    expect(stdout).toContain('\n0000:00:07.0/virtio-rng, version 1\n  + the section, version 1\n');
  });

  test('cannot be told where one does not start', async () => {
    const { status, stdout, stderr } = await vmwalk(['diff', '--run', 'nonsense', qemu, qemu, '--bisect']);
    expect([status, stdout]).toEqual([125, '']);
    expect(stderr).toMatch(/unsupported machine type[\s\S]*vmwalk: error: QEMU ended with status 1/);
  });
});
