import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openProfile } from '../../src/node/profile-file.ts';
import { main, vmwalk } from '../cli/run.ts';
import { Machine } from './machine.ts';

const SECOND = ['-qmp', 'unix:second,server=on,wait=off'];
const DEVICES = [
  ...['-M', 'q35', '-m', '16', '-smp', '2'],
  ...['-drive', 'if=none,id=disk,file=disk.img,format=raw', '-device', 'virtio-blk-pci,drive=disk'],
  ...['-device', 'virtio-net-pci,romfile=', '-device', 'e1000e,romfile=', '-device', 'isa-serial'],
];
/** What the clocks of the host change, and what QEMU writes for each capture as if the VM ran. */
const MOVING = ['globalstate', 'mc146818rtc', 'timer'];

const status = async (machine: Machine) =>
  (await machine.qmp.execute<{ status: string }>('query-status')).status;
const leftovers = () =>
  ['/tmp', '/var/tmp', '/dev/shm', '/run'].flatMap((place) =>
    existsSync(place) ? readdirSync(place).filter((name) => /^vmwalk-[0-9a-f]{16}$/.test(name)) : [],
  );

describe('a VM', () => {
  let machine: Machine;
  let file: string;
  const capture = (...args: string[]) =>
    vmwalk(['capture', '--qmp', 'second', ...args], { cwd: machine.folder });

  beforeAll(async () => {
    const people = ['-monitor', 'unix:people,server=on,wait=off'];
    machine = await Machine.start([...DEVICES, ...SECOND, ...people], { 'disk.img': 1 << 20 });
    file = join(machine.folder, 'running.state');
  });
  afterAll(() => machine.end());

  test('that runs is captured, and runs on', async () => {
    const { status: code, stderr } = await capture('-o', file, '--audit', 'audit');
    expect(stderr).toMatch(
      /running\.state: QEMU \S+, pc-q35-\S+, \d+ devices, .*; it stood still for [\d.]+ ms/,
    );
    expect(code).toBe(0);
    expect(await status(machine)).toBe('running');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const profile = await openProfile(file);
    expect(profile.kind).toBe('capture');
    expect(profile.commandLine).toContain('virtio-blk-pci,drive=disk');
    expect(profile.schema?.vmsds.length).toBeGreaterThan(200);
    // Its CPUs are not asked, whose properties are more than those of all others.
    const cpus = profile.devices.filter(({ type }) => type.endsWith('-cpu'));
    expect(cpus.map(({ properties }) => properties)).toEqual([{}, {}]);
    const [line = ''] = readFileSync(join(machine.folder, 'audit'), 'utf8').split('\n');
    expect(JSON.parse(line)).toMatchObject({
      vm: 'second',
      result: 'captured',
      commands: { 'xen-save-devices-state': 1, 'query-migrate': 2 },
    });
  });

  test('is read as its devices are: of the tables named serial, by that of the device that it has', async () => {
    const { stdout } = await vmwalk(['dump', file, 'serial']);
    expect(stdout).toMatch(/^serial {2}version 3, .*\n {2}state {2}struct serial v3\n/);
    const { stdout: all } = await vmwalk(['dump', file]);
    expect(all).not.toContain(' ? ');
  });

  test('that is paused stays paused, and all that its migration has is in the capture', async () => {
    await machine.qmp.execute('stop');
    const paused = join(machine.folder, 'paused.state');
    const { stderr } = await capture('-o', paused);
    expect(stderr).toContain('it does not run');
    expect(await status(machine)).toBe('paused');
    const stream = await machine.migrate();
    const { stdout } = await vmwalk(['diff', '--json', paused, stream]);
    const { sections, ram } = JSON.parse(stdout);
    const other: string[] = sections.map(({ section }: { section: string }) => section);
    expect(ram.blocks.length).toBeGreaterThan(3);
    expect(ram.same).toBe(true);
    expect(other.filter((section) => !MOVING.includes(section)).sort()).toEqual(['configuration', 'ram']);
    // With the disk, which a migration gives away.
    await machine.qmp.execute('cont');
    expect(await status(machine)).toBe('running');
  });

  test('is judged by its capture as by its stream', async () => {
    const there = (name: string, ...args: string[]) =>
      vmwalk(['profile', '-o', name, '--', 'qemu-system-x86_64', '-nodefaults', ...args], {
        cwd: machine.folder,
      });
    const disk = (args: readonly string[]) =>
      args.map((word) => word.replace('file=disk.img,format=raw', 'driver=null-co,size=1M'));
    await there('same', ...disk(DEVICES));
    await there('small', ...disk(DEVICES).map((word) => (word === '16' ? '8' : word)));
    await there('pc', '-M', 'pc', '-m', '16');
    for (const source of ['running.state', 'vm.qevm']) {
      const verdicts: unknown[] = [];
      for (const name of ['same', 'small', 'pc']) {
        const { stdout } = await vmwalk(['check', '--json', source, '--profile', name], {
          cwd: machine.folder,
        });
        const [{ verdict, findings }] = JSON.parse(stdout);
        verdicts.push([verdict, findings[0]?.severity === 'blocks' ? findings[0].rule : undefined]);
      }
      expect(verdicts).toEqual([
        ['no blocker found', undefined],
        ['will be rejected', 'ram-block-size'],
        ['will be rejected', 'machine-type'],
      ]);
    }
    const { stdout } = await vmwalk(['check', 'vm.qevm', '--profile', 'running.state'], {
      cwd: machine.folder,
    });
    expect(stdout).toContain('no blocker found');
  });

  test('finds where it could go without a file', async () => {
    const folder = machine.folder;
    for (const name of ['same', 'small', 'pc'])
      copyFileSync(join(folder, name), join(folder, `${name}.profile`));
    await machine.qmp.execute('cont');
    const preflight = (...args: string[]) =>
      vmwalk(['preflight', '--qmp', 'second', '--profiles', '.', ...args], { cwd: folder });
    const all = await preflight('--json', '--write-baseline', 'known.json');
    expect(all.status).toBe(1);
    expect(
      JSON.parse(all.stdout).map((one: { destination: string; verdict: string }) => [
        one.destination,
        one.verdict,
      ]),
    ).toEqual([
      ['pc', 'will be rejected'],
      ['same', 'no blocker found'],
      ['small', 'will be rejected'],
    ]);
    expect((await preflight('--any')).stdout.split('\n')[2]).toMatch(/^ {2}same +no blocker found/);
    expect((await preflight('--any')).status).toBe(0);
    expect((await preflight('--baseline', 'known.json')).status).toBe(0);
    expect(await status(machine)).toBe('running');
    const gone = await vmwalk(['preflight', '--qmp', 'nobody', '--profiles', '.'], { cwd: folder });
    expect([gone.status, gone.stderr]).toEqual([2, 'vmwalk: error: nobody: no such file or directory\n']);
    // What was not looked at cannot be known by a profile.
    expect(gone.stdout).not.toContain('to know:');
    const socket = await vmwalk(['preflight', 'second', '--profiles', '.'], { cwd: folder });
    expect([socket.status, socket.stderr]).toEqual([
      2,
      'vmwalk: error: second is a socket: --qmp takes it\n',
    ]);
  });

  test('is not captured with tables of a QEMU for other machines, and has no memory in its capture', async () => {
    const schema = fileURLToPath(new URL('../../schemas/7.2-aarch64.json.gz', import.meta.url));
    const { stderr } = await capture('-o', join(machine.folder, 'other'), '--schema', schema);
    expect(stderr).toMatch(
      /warning: second: the tables are those of QEMU 7\.2\.\d+ aarch64, and \S+ x86_64 runs: left out\n/,
    );
    expect((await openProfile(join(machine.folder, 'other'))).schema).toBeUndefined();
    for (const command of ['core', 'extract']) {
      const memory = await vmwalk(['ram', command, file, '-o', join(machine.folder, command)]);
      expect([memory.status, memory.stderr]).toEqual([
        1,
        "vmwalk: error: the stream has nothing of the guest's memory\n",
      ]);
    }
    expect(existsSync(join(machine.folder, 'extract'))).toBe(false);
  });

  test.each([
    [['--qmp', 'localhost:99999'], 'localhost:99999: there is no port above 65535'],
    [['--qmp', 'disk.img'], 'disk.img: it is no socket'],
    [
      ['--qmp', 'people'],
      'people: it is the monitor for people (-monitor): one for programs is made by -qmp',
    ],
    [
      ['--from', '.'],
      'answers: no such file or directory (is it a folder that scripts/collect-state.sh has written?)',
    ],
  ])('%j is told in a line', async (args, message) => {
    const { status: code, stderr } = await vmwalk(['capture', ...args, '-o', 'x'], { cwd: machine.folder });
    expect([code, stderr]).toEqual([2, `vmwalk: error: ${message}\n`]);
  });

  test('is watched: all fields, then what has changed', async () => {
    const watch = (...args: string[]) =>
      vmwalk(['watch', '--qmp', 'second', 'globalstate/runstate', 'timer/cpu_clock_offset', ...args], {
        cwd: machine.folder,
      });
    const { stdout } = await watch('--count', '2', '--interval', '0.1');
    const [first, ...rows] = stdout.trimEnd().split('\n');
    expect(first).toMatch(/^\d{4}-\S+Z {2}stood still for [\d.]+ ms$/);
    expect(rows[1]).toMatch(/^ {2}globalstate\/runstate .*"running"$/);
    expect(rows.slice(2).join()).toMatch(
      /^\d{4}-\S+Z .*timer\/cpu_clock_offset {2}(0x)?[0-9a-f]+ -> (0x)?[0-9a-f]+$/,
    );
    const json = await watch('--count', '1', '--json');
    expect(Object.keys(JSON.parse(json.stdout).fields)).toEqual([
      'timer/cpu_clock_offset',
      'globalstate/runstate',
    ]);
    const none = await vmwalk(['watch', '--qmp', 'second', 'timer/nothing'], { cwd: machine.folder });
    expect([none.status, none.stdout]).toEqual([2, '']);
    expect(none.stderr).toMatch(
      /^vmwalk: nothing matches 'timer\/nothing'; .*\n.*it has none of these fields\n$/,
    );
    expect(await status(machine)).toBe('running');
  });

  test('whose monitor is in use is not captured, and the file that is there stays', async () => {
    const silent = connect(join(machine.folder, 'second'));
    await once(silent, 'connect');
    await sleep(100);
    const { status: code, stderr } = await capture('-o', join(machine.folder, 'x'), '--timeout', '1');
    silent.destroy();
    expect(stderr).toMatch(/^vmwalk: error: second: the monitor is in use: .*--libvirt/);
    expect(code).toBe(2);
    expect((await capture('-o', file)).stderr).toContain('exists already');
  });

  test('runs on when vmwalk is killed at any time, and nothing is left', async () => {
    for (let after = 0; after < 2000; after += 250) {
      const killed = join(machine.folder, `killed-${after}`);
      const child = spawn(process.execPath, [main, 'capture', '--qmp', 'second', '-o', killed], {
        cwd: machine.folder,
        stdio: 'ignore',
      });
      // It may come to its end before.
      const closed = once(child, 'close');
      await sleep(after);
      child.kill('SIGKILL');
      await closed;
      expect(await status(machine)).toBe('running');
    }
    for (let tries = 0; leftovers().length > 0 && tries < 100; tries++) await sleep(100);
    expect(leftovers()).toEqual([]);
  });

  test('that migrates is not captured, but with --force', async () => {
    await machine.qmp.execute('migrate-set-parameters', { 'max-bandwidth': 1000 });
    await machine.qmp.execute('migrate', { uri: 'exec:cat > /dev/null' });
    const { status: code, stderr } = await capture('-o', join(machine.folder, 'y'));
    expect(stderr).toMatch(/^vmwalk: error: second: not captured, as a migration is under way \(\w+\)/);
    expect(code).toBe(2);
    const forced = await capture('-o', join(machine.folder, 'z'), '--force');
    expect(forced.stderr.match(/warning: second: a migration/g)).toHaveLength(1);
    await machine.qmp.execute('migrate_cancel');
    expect(await status(machine)).toBe('running');
  });
});

test('requests of a disk that take long are seen before the VM is stopped', async () => {
  const machine = await Machine.start([
    ...['-M', 'pc', '-m', '16', ...SECOND],
    ...['-drive', 'if=none,id=slow,driver=null-co,size=1M,latency-ns=3000000000'],
    ...['-device', 'virtio-blk-pci,drive=slow'],
  ]);
  try {
    // The firmware reads the first sector.
    const reading = async () => {
      const [disk] = await machine.qmp.execute<{ inuse: number }[]>('x-query-virtio');
      const path = (disk as unknown as { path: string }).path;
      const { inuse } = await machine.qmp.execute<{ inuse: number }>('x-query-virtio-queue-status', {
        path,
        queue: 0,
      });
      return inuse > 0;
    };
    while (!(await reading().catch(() => false))) await sleep(20);
    const { status: code, stderr } = await vmwalk(['capture', '--qmp', 'second', '-o', 'a'], {
      cwd: machine.folder,
    });
    expect(stderr).toMatch(
      /not captured, as (requests|a request) of disk slow (take \d+ ms on average|is under way)/,
    );
    expect(code).toBe(2);
    expect(readdirSync(machine.folder)).not.toContain('a');
  } finally {
    await machine.end();
  }
});

test('rings of a VM that boots from its virtio disk are read where it is, paused and running', async () => {
  const machine = await Machine.start(
    [
      ...['-M', 'pc', '-m', '16', ...SECOND],
      ...['-drive', 'if=none,id=disk,file=disk.img,format=raw', '-device', 'virtio-blk-pci,drive=disk'],
    ],
    { 'disk.img': 1 << 20 },
  );
  const queue = async () => {
    const [{ path } = { path: '' }] = await machine.qmp.execute<{ path: string }[]>('x-query-virtio');
    return machine.qmp.execute<Record<string, number>>('x-query-virtio-queue-status', { path, queue: 0 });
  };
  const run = (command: string, ...args: string[]) => vmwalk([command, ...args], { cwd: machine.folder });
  try {
    while (!((await queue().catch(() => undefined))?.['used-idx'] ?? 0)) await sleep(20);
    for (const how of ['running', 'paused']) {
      if (how === 'paused') await machine.qmp.execute('stop');
      const { stderr } = await run('capture', '--qmp', 'second', '--rings', '-o', how);
      expect(stderr).not.toContain('warning');
      const { rings } = await openProfile(join(machine.folder, how));
      const { 'shadow-avail-idx': available, 'used-idx': used } = await queue();
      const place = { section: expect.stringContaining('/virtio-blk'), instanceId: 0, queue: 0 };
      // SeaBIOS may still read when it runs.
      const indexes = how === 'paused' ? { available, used } : expect.anything();
      expect(rings).toEqual({ version: 1, queues: [{ ...place, indexes }] });
    }
    expect(await status(machine)).toBe('paused');
    const judged = await run('check', 'paused', '--profile', 'paused');
    expect([judged.status, judged.stdout]).toEqual([0, 'paused: no blocker found\n']);
    await run('capture', '--qmp', 'second', '-o', 'without');
    const without = await run('check', 'without', '--profile', 'paused');
    expect(without.stdout).toMatch(/^note: not-checked\n.*--rings\): \S+\/virtio-blk$/m);
    const preflight = await run('preflight', '--qmp', 'second', '--rings', '--profile', 'paused');
    expect([preflight.status, preflight.stdout.includes('not-checked')]).toEqual([0, false]);
  } finally {
    await machine.end();
  }
});

test('a monitor on TCP: its process is found, but behind what only passes it on', async () => {
  const tcp = ['-qmp', 'tcp:127.0.0.1:0,server=on,wait=off,nodelay=on'];
  const machine = await Machine.start(['-M', 'microvm', '-m', '16', ...tcp]);
  const between = createServer((front) => {
    const back = connect({ host: '127.0.0.1', port });
    front.pipe(back).pipe(front);
    for (const socket of [front, back]) socket.on('error', () => socket.destroy());
  });
  const chardevs = await machine.qmp.execute<{ filename: string }[]>('query-chardev');
  const port = Number(/tcp:127\.0\.0\.1:(\d+)/.exec(chardevs.map(({ filename }) => filename).join())?.[1]);
  try {
    const file = (name: string) => join(machine.folder, name);
    const direct = await vmwalk(['capture', '--qmp', `127.0.0.1:${port}`, '-o', file('direct')]);
    expect([direct.status, direct.stderr.includes('warning')]).toEqual([0, false]);
    const { commandLine, schema } = await openProfile(file('direct'));
    expect(commandLine).toContain('microvm');
    expect(schema?.vmsds.length).toBeGreaterThan(100);
    await once(between.listen(0, '127.0.0.1'), 'listening');
    const { port: front } = between.address() as AddressInfo;
    const behind = await vmwalk(['capture', '--qmp', `localhost:${front}`, '-o', file('behind')]);
    expect(behind.stderr).toMatch(
      /warning: .* its process is not found \(--pid names it\); .* by built-in tables/,
    );
    expect(behind.status).toBe(0);
    expect((await openProfile(file('behind'))).commandLine).toEqual([]);
  } finally {
    between.close();
    await machine.end();
  }
});

test('a dry run prints what it would ask, and stops nothing', async () => {
  const machine = await Machine.start(['-M', 'microvm', '-m', '16', ...SECOND]);
  try {
    const { status: code, stdout } = await vmwalk(['capture', '--qmp', 'second', '--rings', '--dry-run'], {
      cwd: machine.folder,
    });
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines[0]).toEqual({ execute: 'query-status', arguments: {} });
    const save = lines.findIndex(({ execute }) => execute === 'xen-save-devices-state');
    expect(lines[save].arguments).toEqual({ filename: '…', live: false });
    expect(lines[save + 1].arguments).toEqual({ 'command-line': 'gpa2hva …' });
    expect(lines[save + 2].arguments).toEqual({ 'command-line': 'xp /2xb …' });
    expect(code).toBe(0);
    expect(await status(machine)).toBe('running');
  } finally {
    await machine.end();
  }
});
