import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openProfile } from '../../src/node/profile-file.ts';
import { vmwalk } from '../cli/run.ts';
import { libvirtHost, UUID } from '../node/libvirt-host.ts';
import { Machine } from './machine.ts';

const DEVICES = [
  ...['-M', 'q35', '-m', '16', '-smp', '2', '-uuid', UUID, '-device', 'virtio-net-pci,romfile='],
  // In a module.
  ...['-device', 'virtio-gpu-pci'],
  ...['-qmp', 'unix:libvirt,server=on,wait=off', '-qmp', 'unix:behind,server=on,wait=off'],
];

/** `socat - UNIX-CONNECT:PATH` */
const SOCAT = `#!${process.execPath}
const socket = require('node:net').connect(process.argv[3].replace('UNIX-CONNECT:', ''));
process.stdin.pipe(socket).pipe(process.stdout);
`;
/** A folder that a state was written into. */
const HELD = /^vmwalk-[0-9A-Za-z]{10}$/;

describe('a domain of libvirt', () => {
  let machine: Machine;
  let host: string;
  /** In one argument; a shell takes it apart again as ssh has it done. */
  let via: string;
  let onHost: readonly string[];
  /** Other tests may be capturing on this host. */
  const capture = (...args: string[]) =>
    vmwalk(['capture', '--timeout', '600', ...args], { cwd: machine.folder });

  /** As on the host, in the folder of the machine. */
  const collect = (...args: string[]) => {
    const script = fileURLToPath(new URL('../../scripts/collect-state.sh', import.meta.url));
    const [program = '', ...words] = [...onHost, 'sh', script, ...args];
    return spawnSync(program, words, { cwd: machine.folder, encoding: 'utf8' });
  };

  beforeAll(async () => {
    machine = await Machine.start(DEVICES);
    host = join(machine.folder, 'host');
    mkdirSync(host);
    onHost = libvirtHost(host, { qmp: join(machine.folder, 'libvirt') });
    via = onHost.map((word) => `"${word}"`).join(' ');
    writeFileSync(join(host, 'socat'), SOCAT, { mode: 0o755 });
    writeFileSync(join(machine.folder, 'ssh'), '#!/bin/sh\nshift; exec sh -c "$*"\n', { mode: 0o755 });
  });
  afterAll(() => machine.end());

  test('is captured as over its socket, and runs on', async () => {
    const [there, here] = ['there.state', 'here.state'].map((name) => join(machine.folder, name)) as [
      string,
      string,
    ];
    const shell = `./ssh host ${via}`;
    const captured = await capture('--libvirt', 'vm', '--via', shell, '-o', there);
    expect(captured.stderr).toMatch(/there\.state: .*; it stood still for [\d.]+ ms at the most/);
    expect(captured.status).toBe(0);
    expect((await capture('--qmp', 'behind', '-o', here)).status).toBe(0);
    const [fromThere, fromHere] = [await openProfile(there), await openProfile(here)];
    expect(captured.stderr).not.toContain('warning');
    const { stream, schema, ...facts } = fromThere;
    expect({ ...facts, schema: undefined }).toEqual({ ...fromHere, schema: undefined, stream: undefined });
    // Of the modules those that are loaded.
    expect(schema?.vmsds.length).toBeLessThan(fromHere.schema!.vmsds.length);
    const { stdout } = await vmwalk(['info', there]);
    expect(stdout).toMatch(/tables of QEMU .*: all \d+ sections fit/);
    expect(stream.length).toBe(fromHere.stream.length);
    expect(statSync(there).mode & 0o777).toBe(0o600);
    expect(await machine.qmp.execute('query-status')).toMatchObject({ status: 'running' });
    // Neither the state nor the program is left there.
    expect(readdirSync(host).sort()).toEqual(['socat', 'virsh']);
  });

  test('is collected without Node, and captured from that', async () => {
    const collected = collect('-b', '-o', 'collected', 'vm');
    expect(collected.stderr).toMatch(/^collect-state\.sh: \.\/collected: \d+ answers, .* ms at the most\n$/);
    expect(collected.status).toBe(0);
    expect(await machine.qmp.execute('query-status')).toMatchObject({ status: 'running' });
    const folder = join(machine.folder, 'collected');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const names = ['answers', 'command-line', 'pid', 'program', 'saved', 'state'];
    expect(readdirSync(folder).sort()).toEqual(names);
    expect(names.map((name) => statSync(join(folder, name)).mode & 0o077)).toEqual(names.map(() => 0));
    const [first, second] = ['first.state', 'second.state'].map((name) => join(machine.folder, name));
    const from = await capture('--from', 'collected', '-o', first!);
    expect(from.stderr).toMatch(/^vmwalk: \S+first\.state: .*; it stood still for [\d.]+ ms at the most\n$/);
    expect((await capture('--libvirt', 'vm', '--via', via, '-o', second!)).status).toBe(0);
    const [there, here] = [await openProfile(first!), await openProfile(second!)];
    expect({ ...there, stream: there.stream.length }).toEqual({ ...here, stream: here.stream.length });
  });

  test('is collected whole or not at all', async () => {
    mkdirSync(join(machine.folder, 'there'));
    expect(collect('-o', 'there', 'vm').status).toBe(2);
    for (const [args, message] of [
      [['other'], "failed to get domain 'other'"],
      [
        ['-c', 'foo:///x', 'vm'],
        'failed to connect to the hypervisor: no connection driver available for foo:///x',
      ],
    ] as const)
      expect(collect('-o', 'half', ...args)).toMatchObject({
        status: 2,
        stderr: `collect-state.sh: ${message}\n`,
      });
    expect(readdirSync(machine.folder)).not.toContain('half');
  });

  test.each([
    ['answers', 'no tab', 'answers: line 1 is no command and its answer'],
    ['saved', '', 'saved: it has no time of a command'],
    ['state', 'QEVM', 'too short for a QEMU migration stream: 4 bytes, magic and version are 8'],
  ])('a folder with damaged %s makes no capture', async (name, content, message) => {
    const folder = join(machine.folder, 'damaged');
    cpSync(join(machine.folder, 'collected'), folder, { recursive: true });
    writeFileSync(join(folder, name), content);
    const { stderr, status } = await capture('--from', 'damaged', '-o', 'none');
    expect(stderr).toContain(`${message}\n`);
    expect(status).toBe(2);
    expect(readdirSync(machine.folder)).not.toContain('none');
  });

  test('is captured over its socket behind a command, and nothing stays', async () => {
    const [there, here] = ['socket.state', 'again.state'].map((name) => join(machine.folder, name));
    const captured = await capture('--qmp', 'behind', '--via', `./ssh host ${via}`, '-o', there!);
    expect(captured.stderr).toMatch(
      /^vmwalk: \S+socket\.state: .*; it stood still for [\d.]+ ms at the most\n$/,
    );
    expect((await capture('--libvirt', 'vm', '--via', via, '-o', here!)).status).toBe(0);
    const [fromThere, fromHere] = [await openProfile(there!), await openProfile(here!)];
    expect({ ...fromThere, stream: fromThere.stream.length }).toEqual({
      ...fromHere,
      stream: fromHere.stream.length,
    });
    expect(await machine.qmp.execute('query-status')).toMatchObject({ status: 'running' });
    const places = ['/tmp', '/var/tmp', '/dev/shm', '/run'].filter((place) => existsSync(place));
    const left = places.flatMap((place) => readdirSync(place)).filter((name) => HELD.test(name));
    expect(left).toEqual([]);
  });

  test.each([
    [
      'PATH="$PWD/host:$PATH"; export PATH; exec "$@" </dev/null',
      'does the command in front hand on standard input?',
    ],
    [
      'case $1 in sh) PATH=/nowhere; export PATH; shift; exec /bin/sh "$@" ;; esac; exec "$@"',
      'there is neither socat nor nc',
    ],
  ])('that is behind %s cannot be asked over its socket', async (script, message) => {
    writeFileSync(join(machine.folder, 'front'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const { stderr, status } = await capture('--qmp', 'behind', '--via', './front', '-o', 'none');
    expect(stderr).toContain(message);
    expect(stderr.split('\n')).toHaveLength(2);
    expect(status).toBe(2);
  });

  test('that is not there is told in one line', async () => {
    const { stderr, status } = await capture('--libvirt', 'other', '--via', via, '-o', 'none');
    expect(stderr).toBe("vmwalk: error: libvirt: failed to get domain 'other'\n");
    expect(status).toBe(2);
    expect(readdirSync(machine.folder)).not.toContain('none');
  });

  test.each([
    [['--libvirt', 'vm', '--qmp', 'behind'], 'one of --qmp, --libvirt and --from says which VM'],
    [['-o', 'file'], 'one of --qmp, --libvirt and --from says which VM'],
    [['--qmp', 'behind', '--connect', 'qemu:///system'], '--connect is for --libvirt'],
    [['--from', 'collected', '--via', 'ssh host'], '--via is for --libvirt and --qmp'],
    [['--libvirt', 'vm', '--pid', '1'], '--pid is for --qmp: else the process is known'],
  ])('%j is no way to a VM', async (args, message) => {
    const { stderr, status } = await capture(...args, '-o', 'none');
    expect(stderr).toBe(`vmwalk: error: ${message}\n`);
    expect(status).toBe(2);
  });
});
