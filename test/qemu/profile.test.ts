import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Profile, ProfileDevice } from '../../src/check/profile.ts';
import { type OpenedStream, openStream } from '../../src/layout/open.ts';
import { openFile } from '../../src/node/file-source.ts';
import { openProfile } from '../../src/node/profile-file.ts';
import { main, temporaryFolder, vmwalk } from '../cli/run.ts';
import { Machine } from './machine.ts';

const QEMU = (process.env['VMWALK_QEMU'] ?? 'qemu-system-x86_64').split(' ');
const COMMON = ['-accel', 'tcg', '-display', 'none', '-nodefaults', '-no-user-config'];
const MIB = 1 << 20;
/** QEMU waits for somebody to connect. */
const WAITING = ['-chardev', 'socket,id=c,host=127.0.0.1,port=0,server=on,wait=on'];

const DEVICES = [
  ...['-M', 'q35', '-m', '16', '-smp', '2'],
  ...['-device', 'pcie-root-port,id=root,chassis=1', '-drive', 'if=none,id=disk,file=disk.img,format=raw'],
  ...['-device', 'virtio-blk-pci,drive=disk,bus=root,num-queues=2'],
  ...[
    '-device',
    'virtio-net-pci,romfile=,mq=off,guest_announce=off',
    '-device',
    'e1000e,romfile=,bus=pcie.0',
  ],
  ...['-device', 'virtio-scsi-pci', '-drive', 'if=none,id=cd', '-device', 'scsi-cd,drive=cd,lun=3'],
  ...[
    '-device',
    'pxb-pcie,id=far,bus_nr=64,bus=pcie.0',
    '-device',
    'pcie-root-port,bus=far,id=far-port,chassis=2',
  ],
  ...['-device', 'rtl8139,romfile=,bus=far-port'],
  ...['-device', 'qemu-xhci,id=xhci,bus=pcie.0', '-device', 'usb-tablet,bus=xhci.0,port=2'],
];

/** Makes a profile of a command line; `before` are options of vmwalk. */
function profileOf(args: readonly string[], cwd: string, before: readonly string[] = ['-o', 'vm.profile']) {
  return vmwalk(['profile', ...before, '--', ...QEMU, ...args], { cwd });
}

describe('a VM with devices', () => {
  let machine: Machine;
  let profile: Profile;
  let stream: string;
  let file: string;

  beforeAll(async () => {
    machine = await Machine.start(['-S', ...DEVICES], { 'disk.img': MIB });
    stream = await machine.migrate();
    file = join(machine.folder, 'vm.profile');
    // The disk is in use by the machine; so would the socket and the file be.
    const disturbing = [
      '-qmp',
      'unix:qmp.socket,server=on',
      '-pidfile',
      'pid',
      '-incoming',
      'defer',
      '--daemonize',
    ];
    const args = [...DEVICES, ...disturbing].map((word) =>
      word.includes('disk.img') ? `${word},snapshot=on,force-share=on` : word,
    );
    const run = await profileOf([...COMMON, ...args], machine.folder);
    expect(run.stderr).toContain('left out -incoming defer');
    expect([run.status, run.stdout]).toEqual([0, '']);
    profile = await openProfile(file);
  }, 60_000);

  afterAll(() => machine?.end());

  test('what would disturb the running VM is not done', async () => {
    expect(existsSync(join(machine.folder, 'pid'))).toBe(false);
    // The socket is still that of the machine.
    await machine.qmp.execute('query-status');
    expect(readdirSync(machine.folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  test('its stream is that of the VM, without RAM', async () => {
    const info = async (path: string) => {
      const { status, stdout } = await vmwalk(['info', '--json', path]);
      expect(status).toBe(0);
      return JSON.parse(stdout);
    };
    const theirs = await info(stream);
    const ours = await info(file);
    expect(ours.containers.map(({ kind }: { kind: string }) => kind)).toEqual(['gzip', 'profile']);
    expect(ours.diagnostics).toMatchObject([
      { code: 'missing-pages', message: expect.stringContaining('left out on purpose') },
    ]);
    const ram = await vmwalk(['ram', '--json', file]);
    expect([ram.status, JSON.parse(ram.stdout).elsewhere]).toEqual([0, ['left-out']]);
    expect(ours.configuration).toEqual(theirs.configuration);
    const shape = ({ idstr, instanceId, versionId, bodySize }: Record<string, unknown>) =>
      idstr === 'ram' ? [idstr] : [idstr, instanceId, versionId, bodySize];
    expect(ours.sections.map(shape)).toEqual(theirs.sections.map(shape));
    const blocks = ({ sections }: typeof ours) =>
      sections[0].summary.blocks.map(({ idstr, length }: Record<string, unknown>) => [idstr, length]);
    expect(blocks(ours)).toEqual(blocks(theirs));
    // All of the state of the first: two machines that have not run have the same.
    const dump = async (path: string) =>
      (await vmwalk(['dump', '--raw', path, 'cpu', 'virtio-blk', 'e1000e'])).stdout.replace(
        /, at 0x\w+/g,
        '',
      );
    expect(await dump(file)).toBe(await dump(stream));
  });

  test('facts', async () => {
    const { qemu } = await machine.qmp.execute<{ qemu: Record<string, number> }>('query-version');
    expect(profile.qemu.version).toBe(`${qemu['major']}.${qemu['minor']}.${qemu['micro']}`);
    const { arch } = await machine.qmp.execute<{ arch: string }>('query-target');
    expect([profile.target, profile.kvm]).toEqual([arch, false]);
    expect(profile.schema?.qemuVersion).toContain(profile.qemu.version);
    const capabilities = await machine.qmp.execute<{ capability: string; state: boolean }[]>(
      'query-migrate-capabilities',
    );
    expect(profile.capabilities).toEqual(
      Object.fromEntries(capabilities.map(({ capability, state }) => [capability, state])),
    );
  });

  test('RAM blocks', async () => {
    const { sections } = await framed(stream);
    const ram = sections.find(({ idstr }) => idstr === 'ram')!.scanner!.summary();
    const blocks = ram.kind === 'ram' ? ram.blocks : [];
    expect(new Map(profile.ramBlocks.map(({ name, usedLength }) => [name, usedLength]))).toEqual(
      new Map(blocks.map(({ idstr, length }) => [idstr, length])),
    );
    // hw/i386/acpi-build.c: tables may grow to 2 MiB.
    expect(profile.ramBlocks.find(({ name }) => name === '/rom@etc/acpi/tables')?.maxLength).toBe(2 * MIB);
  });

  test('devices are called as their sections are', async () => {
    const idstrs = (await framed(stream)).sections
      .map(({ idstr }) => idstr)
      .filter((idstr) => idstr.includes('/'));
    expect(idstrs.length).toBeGreaterThan(10);
    const paths = new Set(profile.devices.map(({ devicePath }) => devicePath));
    for (const idstr of idstrs) expect(paths, idstr).toContain(idstr.slice(0, idstr.lastIndexOf('/')));
  });

  async function framed(path: string): Promise<OpenedStream['stream']> {
    const source = await openFile(path);
    try {
      return (await openStream(source)).stream;
    } finally {
      await source.close();
    }
  }

  function device(type: string): ProfileDevice {
    const found = profile.devices.filter((candidate) => candidate.type === type);
    expect(found.length, type).toBe(1);
    return found[0]!;
  }

  test('properties', () => {
    expect(device('virtio-blk-device').properties).toMatchObject({ 'num-queues': 2, drive: 'disk' });
    expect(device('virtio-net-device').properties).toMatchObject({
      mq: false,
      guest_announce: false,
      ctrl_vq: true,
    });
    expect(device('scsi-cd').properties).toMatchObject({ lun: 3 });
    // UINT64_MAX
    expect(device('virtio-blk-pci').bus).toBe('/machine/peripheral/root/root');
    expect(
      profile.devices.find(({ path }) => path === '/machine/peripheral/root')?.properties['mem-reserve'],
    ).toBe('18446744073709551615');
    expect(profile.devices.filter(({ type }) => type.endsWith('-cpu')).length).toBe(2);
  });

  test('PCI', async () => {
    interface PciDevice {
      readonly slot: number;
      readonly function: number;
      readonly id: { readonly vendor: number; readonly device: number };
      readonly regions: readonly { readonly bar: number; readonly type: string; readonly size: number }[];
    }
    const buses = await machine.qmp.execute<{ bus: number; devices: PciDevice[] }[]>('query-pci');
    const root = buses.find(({ bus }) => bus === 0);
    for (const expected of root!.devices) {
      const path = `0000:00:${expected.slot.toString(16).padStart(2, '0')}.${expected.function}`;
      const { pci } = profile.devices.find(({ devicePath, pci: known }) => devicePath === path && known)!;
      expect([pci!.vendorId, pci!.deviceId], path).toEqual([expected.id.vendor, expected.id.device]);
      expect(pci!.regions, path).toEqual(
        expected.regions.map(({ bar, type, size }) => ({ bar, type, size })),
      );
    }
    expect(root!.devices.length).toBeGreaterThan(5);
  });

  test('virtio features', () => {
    const { virtio } = device('virtio-net-device');
    // Not asked of newer QEMUs.
    if (profile.qemu.version.startsWith('7.')) {
      expect(virtio).toMatchObject({ deviceId: 1, queues: 3, unnumberedFeatures: [] });
      // VIRTIO_NET_F_MAC, _STATUS and VIRTIO_F_VERSION_1 are there, GUEST_ANNOUNCE and MQ are not.
      expect(virtio!.hostFeatures & ((1n << 5n) | (1n << 16n) | (1n << 32n))).toBe(0x1_0001_0020n);
      expect(virtio!.hostFeatures & ((1n << 21n) | (1n << 22n))).toBe(0n);
      expect(device('virtio-blk-device').virtio?.hostFeatures).toSatisfy(
        (bits: bigint) => (bits & (1n << 12n)) !== 0n,
      );
    }
  });
});

describe('there is no profile', () => {
  const refused = async (args: readonly string[], words: RegExp, before?: readonly string[]) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'disk.img'), Buffer.alloc(MIB));
    const { status, stdout, stderr } = await profileOf([...COMMON, ...args], folder, before);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(words);
    expect(readdirSync(folder)).toEqual(['disk.img']);
  };

  test('of a machine that cannot be migrated', () =>
    refused(
      ['-object', 'memory-backend-ram,id=m,size=1M,share=on', '-device', 'ivshmem-plain,memdev=m'],
      /QEMU cannot migrate this machine: .*ivshmem/,
    ));

  test('of a machine of type none', () => refused(['-M', 'none'], /type none has no state/));

  test('where QEMU does not start', () =>
    refused(['-device', 'nonsense'], /'nonsense' is not a valid device.*\n.*QEMU ended with status 1/));

  test('where it takes too long', () =>
    refused([...WAITING], /QEMU took longer than 1 s/, ['--timeout', '1', '-o', 'vm.profile']));

  test('where an image is locked', async () => {
    const machine = await Machine.start(['-S', '-m', '1', '-drive', 'if=virtio,file=disk.img,format=raw'], {
      'disk.img': MIB,
    });
    onTestFinished(() => machine.end());
    const { status, stderr } = await profileOf(
      [...COMMON, '-drive', 'if=virtio,file=disk.img,format=raw'],
      machine.folder,
    );
    expect(status).toBe(2);
    expect(stderr).toMatch(/Failed to get .*lock[\s\S]*snapshot=on,force-share=on/);
  });

  test('where there is no such program', async () => {
    const { status, stderr } = await vmwalk(['profile', '--', './no-qemu']);
    expect([status, stderr]).toEqual([2, 'vmwalk: error: cannot run ./no-qemu: there is no such program\n']);
  });

  test('where the file exists', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'vm.profile'), '');
    const { status, stderr } = await profileOf(['-M', 'none'], folder);
    expect([status, stderr]).toEqual([2, 'vmwalk: error: vm.profile exists already\n']);
  });

  test('where there is no folder for it', async () => {
    const { status, stderr } = await vmwalk(['profile', '-o', './nowhere/vm.profile', '--', './no-qemu']);
    expect([status, stderr]).toEqual([
      2,
      'vmwalk: error: cannot write ./nowhere/vm.profile: the folder ./nowhere does not exist\n',
    ]);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('after %s, nor a QEMU', async (signal) => {
    const folder = temporaryFolder();
    const args = [main, 'profile', '-o', 'vm.profile', '--', ...QEMU, ...COMMON, ...WAITING];
    const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore' });
    const children = `/proc/${child.pid}/task/${child.pid}/children`;
    const ended = once(child, 'exit');
    const { readFile } = await import('node:fs/promises');
    let qemu = '';
    while (qemu === '') {
      await sleep(20);
      qemu = (await readFile(children, 'utf8')).trim();
    }
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    // It is killed, but by now another process's child.
    while (!/^State:\s*Z/m.test(await readFile(`/proc/${qemu}/status`, 'utf8').catch(() => 'State: Z')))
      await sleep(20);
    expect(readdirSync(folder)).toEqual([]);
  });
});
