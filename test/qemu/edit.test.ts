import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { vmwalk } from '../cli/run.ts';
import { Machine } from './machine.ts';

const DEVICES = [
  '-M',
  'pc',
  '-m',
  '16',
  '-S',
  '-device',
  'virtio-net-pci,romfile=',
  '-device',
  'pci-bridge,chassis_nr=1',
];

describe('a stream that was edited is what QEMU loads:', () => {
  let source: Machine;
  const edit = async (name: string, ...args: string[]) => {
    const { status, stderr } = await vmwalk(['edit', 'vm.qevm', '-o', name, ...args], { cwd: source.folder });
    expect(stderr).not.toContain('error');
    expect(status).toBe(0);
    return join(source.folder, name);
  };
  /** What the monitor of a QEMU prints that has loaded a file. */
  const loaded = async (file: string, commands: readonly string[]) => {
    const destination = await Machine.start([...DEVICES, '-incoming', 'defer']);
    try {
      await destination.load(file);
      const printed: string[] = [];
      for (const line of commands)
        printed.push(
          await destination.qmp.execute<string>('human-monitor-command', { 'command-line': line }),
        );
      printed.push(JSON.stringify(await destination.qmp.execute('query-rx-filter')));
      return printed.join('\n');
    } finally {
      await destination.end();
    }
  };

  beforeAll(async () => {
    source = await Machine.start(DEVICES);
    await source.migrate();
  });
  afterAll(() => source.end());

  test('registers, a MAC address, a PCI command', async () => {
    const file = await edit(
      'set.qevm',
      ...['--set', 'cpu@0/env.eip=0x1234', '--set', 'cpu@0/env.regs[3]=0xdead0000beef'],
      ...['--set', 'virtio-net/**/mac=52:54:00:12:34:99', '--set', 'virtio-net/**/command=I/O, bus master'],
    );
    const printed = await loaded(file, ['info registers']);
    expect(printed).toMatch(/EIP=00001234|RIP=0000000000001234/);
    expect(printed).toMatch(/EBX=0000beef|RBX=0000dead0000beef/);
    expect(printed).toContain('"main-mac":"52:54:00:12:34:99"');
  });

  test('a section less, where it is not needed', async () => {
    expect(await loaded(await edit('less.qevm', '--drop', 'pcspk'), ['info status'])).toContain('paused');
  });

  test('another idstr is refused by its name', async () => {
    const file = await edit('renamed.qevm', '--rename', 'pcspk=nobody');
    await expect(loaded(file, [])).rejects.toThrow();
  });

  test('what was decoded, changed by hand and encoded', async () => {
    const run = (...args: string[]) => vmwalk(args, { cwd: source.folder });
    expect((await run('decode', 'vm.qevm', '-o', 'decoded')).status).toBe(0);
    const sections = join(source.folder, 'decoded/sections');
    const file = join(sections, readdirSync(sections).find((name) => /^\d+-cpu\.json$/.test(name))!);
    const text = readFileSync(file, 'utf8');
    const changed = text.replace(/("name": "env.eip", "type": "uint64", "value": )"\d+"/, '$1"4660"');
    expect(changed).not.toBe(text);
    writeFileSync(file, changed);
    expect((await run('encode', 'decoded', '--base', 'vm.qevm', '-o', 'encoded.qevm')).status).toBe(0);
    expect(await loaded(join(source.folder, 'encoded.qevm'), ['info registers'])).toMatch(/IP=0*1234\b/);
    const { status, stderr } = await run('encode', 'decoded', '--base', 'encoded.qevm', '-o', 'other.qevm');
    expect([status, stderr]).toEqual([2, expect.stringContaining('is not the stream that was decoded')]);
  });

  test('in its place, and as it was again', async () => {
    const run = (...args: string[]) => vmwalk(args, { cwd: source.folder });
    const place = join(source.folder, 'place.qevm');
    const before = readFileSync(join(source.folder, 'vm.qevm'));
    writeFileSync(place, before);
    expect((await run('edit', 'place.qevm', '--set', 'cpu@0/env.eip=0x1234', '--in-place')).status).toBe(0);
    expect(await loaded(place, ['info registers'])).toMatch(/IP=0*1234\b/);
    expect((await run('edit', 'place.qevm', '--revert', 'place.qevm.undo')).status).toBe(0);
    expect(readFileSync(place).equals(before)).toBe(true);
    const { status, stderr } = await run('edit', 'place.qevm', '--drop', 'pcspk', '--in-place');
    expect([status, stderr]).toEqual([1, expect.stringContaining('a change of sizes is not made in place')]);
  });
});
