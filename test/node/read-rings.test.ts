import { beforeAll, describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { checkStream } from '../../src/check/check.ts';
import type { Destination } from '../../src/check/destination.ts';
import type { Finding } from '../../src/check/finding.ts';
import { type Profile, parseProfile, serializeProfile } from '../../src/check/profile.ts';
import { type PlacedQueue, placeQueues } from '../../src/check/queue-rings.ts';
import { type Monitor, readAnswer, runMonitorLine } from '../../src/node/monitor.ts';
import { openCapture } from '../../src/node/open-capture.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { QmpError } from '../../src/node/qmp.ts';
import { readRings } from '../../src/node/read-rings.ts';
import { openVm } from '../../src/vm/vm.ts';
import { destinationOf, hasSaid, recorded } from '../check/recorded.ts';

/** A Linux that uses its virtio devices, captured by 7.2; a counter of its virtio-blk was set back before it was loaded. */
const load = recorded('linux-pc-virtio@5.2 7.2 to 7.2 damaged virtio: last-avail-back');
const bytes = load.stream();

/** As QEMU 7.2 and 11.1 printed them of an address that holds 01 00, one that is no RAM, and one of nothing. */
const PRINTED = {
  '7.2': [
    'Host virtual address for 0xfde002 (pc.ram) is 0x7f4c8b5de002\r\n',
    '0000000000fde002: 0x01 0x00\r\n',
  ],
  '11.1': ['Host virtual address for 0xfde002 (pc.ram) is 0x7fc5259de002\r\n', '00fde002: 0x01 0x00\r\n'],
  'no RAM': ['Memory at address 0xfde002 is not RAM\r\n', '0000000000fde002: Cannot access memory\r\n'],
  'nothing there': [
    'No memory is mapped at address 0xfde002\r\n',
    '0000000000fde002: Cannot access memory\r\n',
  ],
} as const;

interface FakeOptions {
  readonly printed?: keyof typeof PRINTED;
  readonly status?: string;
  /** What is added to what the devices had taken; undefined where x-query-virtio is not known. */
  readonly moved?: number | undefined;
  readonly vhost?: boolean;
}

/** What the stream has in its memory of each index, by its address; a page that it does not have is no RAM of the VM. */
const memory = new Map<number, string>();
let placed: readonly PlacedQueue[];
let devices: Profile['devices'] = [];
let destination: Destination;

beforeAll(async () => {
  const opened = await openVm(memorySource(bytes), { schemas: packagedSchemas, memory: {} });
  placed = await placeQueues(opened, opened.stream.sections);
  for (const { available, used } of placed)
    for (const { block, offset, length, address } of [available, used]) {
      const read = await opened.memory!.read(block, offset, length);
      const digits = [...read.bytes].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`);
      if (read.isKnown) memory.set(address, digits.join(' '));
    }
  await opened.memory!.close();
  // Their paths are the idstrs of their sections.
  devices = opened.stream.sections.flatMap(({ idstr }) => {
    const devicePath = idstr.slice(0, Math.max(0, idstr.lastIndexOf('/')));
    return devicePath === '' ? [] : [{ path: idstr, type: idstr, devicePath, properties: {} }];
  });
  destination = await destinationOf(load.profile(), '7.2', 'x86_64');
});

/** As QEMU answers of it, and what it was asked. */
function fakeVm({ printed = '7.2', status = 'paused', moved, vhost = false }: FakeOptions) {
  const asked: string[] = [];
  const monitor: Monitor = {
    async execute(command, args, read) {
      asked.push(command);
      return readAnswer(answer(command, args as Readonly<Record<string, string>>), command, read);
    },
    monitor: (line) => runMonitorLine(monitor, line),
  };
  function answer(command: string, args: Readonly<Record<string, string | number>>): unknown {
    if (command === 'query-status') return { status };
    if (command === 'human-monitor-command') {
      const line = String(args['command-line']);
      const address = Number(line.split(' ').at(-1));
      const there = memory.get(address);
      const [isRam, bytesThere] = PRINTED[there === undefined ? 'no RAM' : printed];
      const text = line.startsWith('gpa2hva ') ? isRam : bytesThere;
      return text.replace('fde002', address.toString(16)).replace('0x01 0x00', there ?? '');
    }
    if (moved === undefined) throw new QmpError(command, `The command ${command} has not been found`);
    if (command === 'x-query-virtio') return devices.map(({ path }) => ({ name: '', path }));
    const { queue } = placed.find(
      ({ queue: { section, index } }) => section.idstr === args['path'] && index === args['queue'],
    )!;
    const last = (queue.lastAvailable + moved) & 0xffff;
    return { inuse: 0, 'last-avail-idx': last, ...(vhost ? {} : { 'shadow-avail-idx': last }) };
  }
  return { monitor, asked };
}

/** A capture, with the stream's own memory left in it: it is what the monitor tells. */
function profileOf(rings?: Profile['rings']): Profile {
  return {
    kind: 'capture',
    qemu: { version: '7.2.22', package: '' },
    target: 'x86_64',
    machineType: 'pc-i440fx-5.2',
    kvm: false,
    commandLine: [],
    messages: [],
    capabilities: {},
    ramBlocks: [],
    devices,
    schema: undefined,
    stream: bytes,
    ...(rings ? { rings } : {}),
  };
}

const findingsOf = async (rings: Profile['rings']) => {
  // As it is read again.
  const profile = parseProfile(serializeProfile(profileOf(rings)));
  const { findings } = await checkStream(await openCapture(profile), destination);
  return findings.filter(({ rule, message }) => rule === 'virtio-queues' || message.includes('virtqueue'));
};

const isJudged = ({ rule }: Finding) => rule === 'virtio-queues';

describe('rings of a VM', () => {
  test.each([
    ['paused, of QEMU 7.2', { printed: '7.2' }],
    ['paused, of QEMU 11.1', { printed: '11.1' }],
    ['running, whose devices have not gone on', { status: 'running', moved: 0 }],
  ] as const)('%s: its capture is judged as its whole stream', async (_, options) => {
    const { monitor } = fakeVm(options);
    const rings = await readRings(monitor, profileOf(), 'status' in options);
    expect(rings.queues.length).toBe(placed.length);
    const found = (await findingsOf(rings)).filter(isJudged);
    expect(found).toEqual((await findingsOf(undefined)).filter(isJudged));
    expect(hasSaid(load.words, found[0]?.says ?? 'nothing')).toBe(true);
  });

  test.each([
    ['no RAM', {}, 'refused', 'QEMU did not tell what is in the rings'],
    ['nothing there', {}, 'refused', 'QEMU did not tell'],
    ['7.2', { status: 'running' }, 'untold', 'QEMU before 7.2'],
    ['7.2', { status: 'running', moved: 0, vhost: true }, 'untold', 'vhost'],
    ['7.2', { status: 'running', moved: 1 }, 'moved', 'the device went on'],
  ] as const)('%s %j: not checked, and why', async (printed, options, why, words) => {
    const { monitor, asked } = fakeVm({ printed, ...options });
    const rings = await readRings(monitor, profileOf(), 'status' in options);
    expect(new Set(rings.queues.map(({ indexes }) => indexes))).toEqual(new Set([why, 'refused']));
    // What is no RAM is not read.
    const lines = 2 * placed.length + (why === 'refused' ? 0 : memory.size);
    expect(asked.filter((command) => command === 'human-monitor-command')).toHaveLength(lines);
    const found = await findingsOf(rings);
    for (const { rule, severity } of found) expect([rule, severity]).toEqual(['not-checked', 'note']);
    expect(found.some(({ message }) => message.includes(words))).toBe(true);
  });
});

test.each([
  [{ version: 2, queues: [] }, '"rings.version" is not 1'],
  [{ version: 1, queues: {} }, '"rings.queues" is not an array'],
  [{ version: 1, queues: new Array(16_385).fill(0) }, 'more than 16384'],
  [queueOf({ section: 'x'.repeat(256) }), 'has more than 255 characters'],
  [queueOf({ instanceId: -1 }), '"rings.queues[0].instanceId" is no integer'],
  [queueOf({ queue: 1024 }), '"rings.queues[0].queue" is no integer'],
  [
    queueOf({ indexes: { available: 0x10000, used: 0 } }),
    '"rings.queues[0].indexes.available" is no integer',
  ],
  [queueOf({ indexes: 'lost' }), '"rings.queues[0].indexes" is no reason that is known'],
  [queueOf({ indexes: null }), '"rings.queues[0].indexes" is not an object'],
])('what comes from anybody is looked at: %#', (rings, message) => {
  const json = { ...JSON.parse(serializeProfile(profileOf())), rings };
  expect(() => parseProfile(JSON.stringify(json))).toThrow(message);
});

function queueOf(member: object) {
  const queue = { section: 'a', instanceId: 0, queue: 0, indexes: { available: 1, used: 1 } };
  return { version: 1, queues: [{ ...queue, ...member }] };
}
