import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askDestination } from '../../src/node/ask-destination.ts';
import { CommandPrefix } from '../../src/node/command-prefix.ts';
import { Qmp, QmpError } from '../../src/node/qmp.ts';
import { StepLimit } from '../../src/node/step-limit.ts';
import { VirshMonitor } from '../../src/node/virsh-monitor.ts';
import { dialogues, scriptedQemu } from './dialogue.ts';
import { fakeVirsh, type LibvirtHost, libvirtHost, makeFolder, UUID } from './libvirt-host.ts';
import { listenAsQemu } from './qmp-server.ts';

const q35 = dialogues.get('qemu-7.2-q35')!;
const connect = 'qemu:///system';

interface Given extends Omit<LibvirtHost, 'qmp'> {
  readonly answer?: Answer;
}

/** A host with a virsh of our own, and a QEMU that answers as it is told. */
async function host({ answer, ...given }: Given) {
  const folder = makeFolder();
  const qmp = join(folder, 'qmp');
  const server = answer && (await listenAsQemu(qmp, answer));
  onTestFinished(() => {
    server?.close();
    rmSync(folder, { recursive: true });
  });
  const prefix = await CommandPrefix.of(libvirtHost(folder, server ? { ...given, qmp } : given));
  return { prefix, folder };
}

type Answer = Parameters<typeof listenAsQemu>[1];

/** What is recorded of a q35. */
const recorded: Answer = (command, args) => {
  const key = `${[command, ...Object.values(args)].join(' ')}\t`;
  const line = q35.split('\n').find((entry) => entry.startsWith(key));
  return line?.slice(key.length) ?? { error: { class: 'GenericError', desc: 'no' } };
};

test('what is asked through libvirt is what is asked over the socket', async () => {
  const { prefix } = await host({ answer: recorded });
  const monitor = await VirshMonitor.open('vm', { prefix, connect });
  const socket = scriptedQemu(q35);
  const qmp = await Qmp.open(socket);
  const overSocket = await askDestination(qmp);
  expect(await askDestination(monitor)).toEqual(overSocket);
  expect(monitor.uuid).toBe(UUID);
});

test.each(['-x', '--help', ' a b', `it's "q"`, 'a;b', 'ü\\n', '$HOME', '#'])(
  'finds a domain by any name: %s',
  async (name) => {
    const { prefix } = await host({ name });
    expect((await VirshMonitor.open(name, { prefix })).uuid).toBe(UUID);
  },
);

test('arguments arrive as they are, also many together', async () => {
  const { prefix } = await host({ answer: (_, args) => ({ return: args }) });
  const monitor = await VirshMonitor.open('vm', { prefix });
  const texts = [
    `it's`,
    '"',
    '\\',
    '\\n',
    '\n',
    ';',
    '#',
    'ü\u{1f600}',
    '$HOME',
    '--x',
    '',
    '\u007f',
    '`id`',
  ];
  const asked = [...texts, ...Array.from({ length: 200 }, (_, i) => `${i}`.repeat(1 + i * 3))];
  const answered = await Promise.all(asked.map((text) => monitor.execute('qom-get', { path: text })));
  expect(answered).toEqual(asked.map((path) => ({ path })));
});

test("QEMU's refusals are told in its words, and the others are answered", async () => {
  const { prefix } = await host({
    answer: (command) =>
      command === 'query-nothing'
        ? { error: { class: 'CommandNotFound', desc: 'The command query-nothing has not been found' } }
        : { return: command },
  });
  const monitor = await VirshMonitor.open('vm', { prefix });
  const [first, refused, last] = await Promise.allSettled(
    ['query-status', 'query-nothing', 'query-uuid'].map((command) => monitor.execute(command)),
  );
  expect([first, last]).toMatchObject([{ value: 'query-status' }, { value: 'query-uuid' }]);
  expect(refused).toEqual({
    status: 'rejected',
    reason: new QmpError('query-nothing', 'The command query-nothing has not been found'),
  });
});

test.each([
  ['no such domain', {}, 'other', "libvirt: failed to get domain 'other'"],
  [
    'no such connection',
    { virsh: `${fakeVirsh} --connect=foo:///x "$@"` },
    'vm',
    'libvirt: failed to connect to the hypervisor: no connection driver available for foo:///x',
  ],
  ['no virsh that can run', { virsh: 'exec virsh-none' }, 'vm', /libvirt: .*virsh-none: not found/],
  [
    'a virsh that prints something else',
    { virsh: 'echo hello' },
    'vm',
    'libvirt: virsh tells no UUID of the domain',
  ],
])('tells in one line: %s', async (_, given, domain, message) => {
  const { prefix } = await host(given);
  await expect(VirshMonitor.open(domain, { prefix })).rejects.toThrow(message);
});

test('a domain that does not run, and one that ends, are told once for all that is asked', async () => {
  const { prefix } = await host({});
  const monitor = await VirshMonitor.open('vm', { prefix });
  const asked = ['query-status', 'query-uuid'].map((command) => monitor.execute(command));
  for (const { reason } of (await Promise.allSettled(asked)) as PromiseRejectedResult[])
    expect(reason.message).toBe(
      'libvirt: Requested operation is not valid: domain is not running while answering query-status',
    );
  await expect(monitor.execute('query-kvm')).rejects.toThrow('domain is not running');
});

test('garbage in place of an answer is told', async () => {
  const script = `case "$*" in *domuuid*) echo ${UUID};; *) printf '{"return": \\nvmwalk\\n';; esac`;
  const { prefix } = await host({ virsh: script });
  const monitor = await VirshMonitor.open('vm', { prefix });
  await expect(monitor.execute('query-status')).rejects.toThrow(
    'libvirt: what came from virsh is not QMP ("{\\"return\\": ") while answering query-status',
  );
});

test('a virsh that hangs is given up with the step that took too long', async () => {
  const script = `case "$*" in *domuuid*) echo ${UUID};; *) exec sleep 1000;; esac`;
  const { prefix } = await host({ virsh: script });
  const tooSlow = new AbortController();
  const limit = new StepLimit(300, (step) => tooSlow.abort(`too long ${step}`));
  onTestFinished(() => limit.close());
  const monitor = await VirshMonitor.open('vm', { prefix, limit, signal: tooSlow.signal });
  await expect(monitor.execute('query-status')).rejects.toThrow(/^too long answering query-status$/);
});

/** A QEMU that writes a state. */
function saving(state: string, sets: readonly object[] = [], removed?: unknown[]): Answer {
  return (command, { filename, live, 'fdset-id': set }) => {
    if (command === 'query-fdsets') return { return: sets };
    if (command === 'remove-fd') removed?.push(set);
    if (command === 'remove-fd') return { return: {} };
    if (command !== 'xen-save-devices-state' || live !== false) return { error: { desc: 'no' } };
    writeFileSync(String(filename), state);
    return { return: {} };
  };
}

test('a state comes through a descriptor, as it is, and nothing stays', async () => {
  const state = 'QEVM\0\n\r\n{"return":{}}\nvmwalk\n'.repeat(1000);
  const { prefix, folder } = await host({ answer: saving(state) });
  const monitor = await VirshMonitor.open('vm', { prefix });
  const saved = await monitor.saveByDescriptor();
  expect(Buffer.from(saved.state).toString()).toBe(state);
  expect(saved.milliseconds).toBeGreaterThan(0);
  expect(readdirSync(folder).sort()).toEqual(['qmp', 'virsh']);
});

test('descriptors of captures while the VM was paused are removed, and no others', async () => {
  const sets = [
    { 'fdset-id': 1, fds: [{ fd: 10, opaque: 'vmwalk' }] },
    { 'fdset-id': 2, fds: [{ fd: 11, opaque: 'rdwr:/dev/tap' }, { fd: 12 }] },
    { 'fdset-id': 3, fds: [] },
    { 'fdset-id': 4, fds: [{ fd: 13 }, { fd: 14, opaque: 'vmwalk' }] },
  ];
  const removed: number[] = [];
  const { prefix } = await host({ answer: saving('QEVM', sets, removed) });
  await (await VirshMonitor.open('vm', { prefix })).saveByDescriptor();
  expect(removed.sort()).toEqual([1, 4]);
});

test.each([
  [
    "QEMU's",
    { answer: () => ({ error: { desc: 'saving Xen device state failed' } }) },
    'QEMU refuses xen-save-devices-state: saving Xen device state failed',
  ],
  ["libvirt's", {}, 'libvirt: Requested operation is not valid: domain is not running'],
])('a state that cannot be saved: %s words', async (_, given, message) => {
  const { prefix, folder } = await host(given);
  const monitor = await VirshMonitor.open('vm', { prefix });
  await expect(monitor.saveByDescriptor()).rejects.toThrow(message);
  expect(readdirSync(folder).filter((name) => name !== 'qmp')).toEqual(['virsh']);
});

test('a folder that cannot be made', async () => {
  const { prefix } = await host({});
  const elsewhere = await CommandPrefix.of([...prefix.words, 'TMPDIR=/dev/null']);
  const monitor = await VirshMonitor.open('vm', { prefix: elsewhere });
  await expect(monitor.saveByDescriptor()).rejects.toThrow(
    /^libvirt: mktemp: .*\/dev\/null.*: Not a directory/,
  );
});
