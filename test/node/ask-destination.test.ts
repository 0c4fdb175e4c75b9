import { expect, onTestFinished, test } from 'vitest';
import { askDestination, checkedAnswers } from '../../src/node/ask-destination.ts';
import { Qmp } from '../../src/node/qmp.ts';
import { withVirtioFeatures } from '../../src/node/virtio-status.ts';
import { dialogues, scriptedQemu } from './dialogue.ts';

const q35 = dialogues.get('qemu-7.2-q35')!;

async function ask(script: string) {
  const socket = scriptedQemu(script);
  onTestFinished(() => void socket.destroy());
  const qmp = await Qmp.open(socket);
  const answers = await askDestination(qmp);
  const warnings: string[] = [];
  const devices = await withVirtioFeatures(qmp, answers, warnings);
  return { ...checkedAnswers({ ...answers, devices }), warnings };
}

/** The dialogue with another answer to a command. */
function answering(command: string, answer: unknown): string {
  return `${command}\t{"id": $ID, "return": ${JSON.stringify(answer)}}\n${q35}`;
}

test('what a QEMU 7.2 told of a q35', async () => {
  const { devices, ramBlocks, ...facts } = await ask(q35);
  expect(facts).toMatchObject({
    qemu: { version: expect.stringMatching(/^7\.2\.\d+$/) },
    target: 'x86_64',
    machineType: 'pc-q35-7.2',
    kvm: false,
    uuid: '0'.repeat(32),
    possibleCpus: 1,
    blockNodes: [],
    capabilities: { multifd: false, xbzrle: false },
    warnings: [],
  });
  // As `info ramblock` prints them.
  expect(ramBlocks[1]).toEqual({
    name: '/rom@etc/acpi/tables',
    pageSize: 4096,
    usedLength: 0x20000,
    maxLength: 0x200000,
  });
  expect(devices.map(({ path, devicePath }) => [path, devicePath])).toEqual([
    ['/machine', undefined],
    ['/machine/peripheral-anon/device[0]', '0000:00:01.0'],
    ['/machine/peripheral-anon/device[0]/virtio-backend', '0000:00:01.0'],
    ['/machine/peripheral-anon/device[1]', '0000:00:02.0'],
    ['/machine/peripheral-anon/device[1]/virtio-backend', '0000:00:02.0'],
    ['/machine/q35', undefined],
  ]);
  const [, , rng, net, backEnd] = devices;
  expect(rng?.virtio).toMatchObject({ deviceId: 4, queues: 1 });
  expect(backEnd?.virtio).toMatchObject({ deviceId: 1, queues: 3 });
  // VIRTIO_F_VERSION_1, VIRTIO_NET_F_MAC, and bit 40, which this QEMU has no name for.
  for (const bit of [32n, 5n, 40n]) expect(backEnd!.virtio!.hostFeatures & (1n << bit)).not.toBe(0n);
  expect(net?.pci?.regions.slice(0, 3)).toEqual([
    { bar: 0, type: 'io', size: 0x20 },
    { bar: 1, type: 'memory', size: 0x1000 },
    { bar: 4, type: 'memory', size: 0x4000 },
  ]);
});

const BACK_END = 'x-query-virtio-status /machine/peripheral-anon/device[0]/virtio-backend';
const STATUS = { 'device-id': 4, 'num-vqs': 1, 'host-features': {} };

test.each([
  ['qom-get /machine type', 7, '"it" is not a string'],
  ['query-version', { qemu: { major: 7, minor: '2', micro: 0 }, package: '' }, '"qemu.minor" is no integer'],
  ['query-migrate-capabilities', [{ capability: 'xbzrle' }], '"[0].state" is neither true nor false'],
  ['query-hotpluggable-cpus', [{ 'vcpus-count': -1 }], '"[0].vcpus-count" is no integer'],
  ['query-block', {}, '"it" is not an array'],
  ['human-monitor-command info ramblock', null, 'it is no text'],
  ['x-query-virtio', 3, '"it" is not an array'],
  ['x-query-virtio', [null], '"[0]" is not an object'],
  [BACK_END, 'virtio', '"it" is not an object'],
  [BACK_END, { ...STATUS, 'device-id': -1 }, '"device-id" is no integer'],
  [BACK_END, { ...STATUS, 'num-vqs': 0.5 }, '"num-vqs" is no integer'],
  [BACK_END, { ...STATUS, 'host-features': null }, '"host-features" is not an object'],
  [
    BACK_END,
    { ...STATUS, 'host-features': { 'unknown-dev-features': 'x' } },
    '"unknown-dev-features" is no set of 64 bits',
  ],
  [
    BACK_END,
    { ...STATUS, 'host-features': { 'unknown-dev-features': -2 } },
    '"unknown-dev-features" is no set of 64 bits',
  ],
  [BACK_END, { ...STATUS, 'host-features': { transports: [1] } }, '"transports[0]" is not a string'],
])('an answer to %s that is none: %j', async (command, answer, reason) => {
  await expect(ask(answering(command, answer))).rejects.toThrow(
    `QEMU's answer to ${command} is unknown: ${reason}`,
  );
});

test('a set of 64 bits that a number does not hold', async () => {
  const features = { 'unknown-dev-features': '18446744073709551615', 'unknown-dev-features2': 1 };
  const { devices } = await ask(answering(BACK_END, { ...STATUS, 'host-features': features }));
  expect(devices[2]!.virtio!.hostFeatures).toBe(2n ** 65n - 1n);
});

test('objects without end', async () => {
  const endless = { name: 'a'.repeat(100), type: 'child<x>' };
  await expect(ask(answering('qom-list *', [endless]).replaceAll(/^qom-list \/.*\n/gm, ''))).rejects.toThrow(
    'QEMU has objects with paths of more than 4096 characters',
  );
  const many = Array.from({ length: 900 }, (_, i) => ({ name: `a${i}`, type: 'child<x>' }));
  await expect(ask(answering('qom-list *', many).replaceAll(/^qom-list \/.*\n/gm, ''))).rejects.toThrow(
    'QEMU has more than 200000 objects',
  );
  const properties = Array.from({ length: 10_001 }, (_, i) => ({ name: `a${i}`, type: 'int' }));
  await expect(ask(answering('qom-list /machine', properties))).rejects.toThrow(
    'an object has 10001 properties, more than 10000',
  );
});

test('what the monitor prints in another form is left out', async () => {
  const sizes = 'x 4 KiB 0x0 0xffffffffffffffff 0x1\ny 1.2.3 KiB 0x0 0x1 0x1\nz 4 KiB 0x0 0x2 0x3';
  const long = `${' '.repeat(200_000)}z`;
  const { ramBlocks } = await ask(
    answering('human-monitor-command info ramblock', `${sizes}\n${long}\n${'a '.repeat(200_000)}`),
  );
  expect(ramBlocks).toEqual([{ name: 'z', pageSize: 4096, usedLength: 2, maxLength: 3 }]);
  const header = '  dev: a, id ""\n    class x, addr 00:01.0, pci id 1af4:1005 (sub 1af4:0004)\n';
  const bars = `${header}    bar 0: mem at 0x1 [0x0]\n    bar 9: mem at 0x0 [0xfff]\n    bar 1: mem at 0x0 [0xfff]\n`;
  const { devices } = await ask(
    answering('human-monitor-command info qtree', `bus: pcie.0\n  type PCIE\n${bars}`),
  );
  expect(devices[1]!.pci!.regions).toEqual([
    { bar: 0, type: 'memory', size: 0 },
    { bar: 1, type: 'memory', size: 4096 },
  ]);
});
