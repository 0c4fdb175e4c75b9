import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openProfile } from '../../src/node/profile-file.ts';
import { vmwalk } from '../cli/run.ts';
import { libvirtHost, UUID } from '../node/libvirt-host.ts';
import { Machine } from './machine.ts';

const DEVICES = [
  ...['-M', 'q35', '-m', '16', '-smp', '2', '-uuid', UUID, '-device', 'virtio-net-pci,romfile='],
  // In a module.
  ...['-device', 'virtio-gpu-pci'],
  ...['-qmp', 'unix:libvirt,server=on,wait=off', '-qmp', 'unix:second,server=on,wait=off'],
];

describe('a domain of libvirt', () => {
  let machine: Machine;
  let host: string;
  /** In one argument; a shell takes it apart again as ssh has it done. */
  let via: string;
  const capture = (...args: string[]) => vmwalk(['capture', ...args], { cwd: machine.folder });

  beforeAll(async () => {
    machine = await Machine.start(DEVICES);
    host = join(machine.folder, 'host');
    mkdirSync(host);
    const words = libvirtHost(host, { qmp: join(machine.folder, 'libvirt') });
    via = words.map((word) => `"${word}"`).join(' ');
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
    expect((await capture('--qmp', 'second', '-o', here)).status).toBe(0);
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
    expect(readdirSync(host)).toEqual(['virsh']);
  });

  test('that is not there is told in one line', async () => {
    const { stderr, status } = await capture('--libvirt', 'other', '--via', via, '-o', 'none');
    expect(stderr).toBe("vmwalk: error: libvirt: failed to get domain 'other'\n");
    expect(status).toBe(2);
    expect(readdirSync(machine.folder)).not.toContain('none');
  });

  test.each([
    [['--libvirt', 'vm', '--qmp', 'second'], 'one of --qmp and --libvirt says which VM'],
    [['-o', 'file'], 'one of --qmp and --libvirt says which VM'],
    [['--qmp', 'second', '--connect', 'qemu:///system'], '--connect is for --libvirt'],
    [['--libvirt', 'vm', '--pid', '1'], '--pid is for --qmp: of a domain the process is known'],
  ])('%j is no way to a VM', async (args, message) => {
    const { stderr, status } = await capture(...args, '-o', 'none');
    expect(stderr).toBe(`vmwalk: error: ${message}\n`);
    expect(status).toBe(2);
  });
});
