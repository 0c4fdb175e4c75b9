import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { main, temporaryFolder, vmwalk } from '../cli/run.ts';

const QEMU = (process.env['VMWALK_QEMU'] ?? 'qemu-system-x86_64').split(' ');
const COMMON = ['-M', 'microvm', '-m', '8', '-accel', 'tcg', '-nodefaults', '-no-user-config'];
/** QEMU waits for somebody to connect. */
const WAITING = ['-chardev', 'socket,id=c,host=127.0.0.1,port=0,server=on,wait=on'];

/** QEMUs with a name, by their command lines: one that has ended has none. */
function qemusNamed(name: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return program.includes('qemu-system') && args.includes(name);
    } catch {
      return false;
    }
  });
}

/** A script that runs a command as its child, as sudo does. */
function wrapper(folder: string): string {
  const path = join(folder, 'wrapper');
  writeFileSync(path, '#!/bin/sh\n"$@"\nexit $?\n');
  chmodSync(path, 0o755);
  return path;
}

describe.each(['SIGKILL', 'SIGHUP'] as const)('%s', (signal) => {
  test.each(['alone', 'behind a script'])('no QEMU stays: %s', async (how) => {
    const folder = temporaryFolder();
    const name = randomUUID();
    const command = [...(how === 'alone' ? [] : [wrapper(folder)]), ...QEMU, ...COMMON, '-name', name];
    const args = [main, 'profile', '-o', 'vm.profile', '--', ...command, ...WAITING];
    const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
    const ended = once(child, 'exit');
    while (qemusNamed(name).length === 0) await sleep(20);
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    while (qemusNamed(name).length > 0) await sleep(20);
    expect(readdirSync(folder).filter((file) => file !== 'wrapper')).toEqual([]);
  });
});

test.each(['alone', 'behind a script'])(
  'a profile is made, and the process ends by itself: %s',
  async (how) => {
    const folder = temporaryFolder();
    const name = randomUUID();
    const command = [...(how === 'alone' ? [] : [wrapper(folder)]), ...QEMU, ...COMMON, '-name', name];
    const { status, stderr } = await vmwalk(['profile', '-o', 'vm.profile', '--', ...command], {
      cwd: folder,
      node: ['--trace-warnings', '--trace-deprecation'],
    });
    expect(status).toBe(0);
    expect(stderr).toMatch(/^vmwalk: vm\.profile: QEMU [^\n]*\n$/);
    expect(qemusNamed(name)).toEqual([]);
  },
);

test('without setpriv', async () => {
  const folder = temporaryFolder();
  for (const program of ['sh', 'grep', 'cut', 'rm', ...QEMU.filter((word) => word.startsWith('qemu-'))])
    symlinkSync(findOnPath(program), join(folder, program));
  const { status, stderr } = await vmwalk(['profile', '-o', 'vm.profile', '--', ...QEMU, ...COMMON], {
    cwd: folder,
    env: { PATH: folder },
  });
  expect(status).toBe(0);
  expect(stderr.match(/there is no setpriv/g)).toHaveLength(1);
});

test('a program that may not be run', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'program'), '');
  const { status, stderr } = await vmwalk(['profile', '--', './program'], { cwd: folder });
  expect([status, stderr]).toEqual([2, 'vmwalk: error: cannot run ./program: Permission denied\n']);
});

function findOnPath(program: string): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = folders.find((folder) => {
    try {
      return readdirSync(folder).includes(program);
    } catch {
      return false;
    }
  });
  return join(found ?? '', program);
}
