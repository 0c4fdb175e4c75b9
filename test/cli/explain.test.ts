import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { vmwalk } from './run.ts';

const docs = new URL('../../docs/', import.meta.url);

test('lists all codes, each with a line', async () => {
  const { status, stdout } = await vmwalk(['explain']);
  expect(status).toBe(0);
  const codes = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ', 1)[0]);
  for (const file of readdirSync(new URL('rules/', docs))) expect(codes).toContain(file.replace('.md', ''));
  expect(codes).toContain('bad-footer');
});

test('prints a page without its marks', async () => {
  const { status, stdout } = await vmwalk(['explain', 'pci-irq-state']);
  expect(status).toBe(0);
  expect(stdout).toMatch(
    /^pci-irq-state: The level of a PCI interrupt is neither 0 nor 1\n\nWhat it means\n/,
  );
  expect(stdout).toContain('\n    irq state …: must be 0 or 1.\n');
  expect(stdout).not.toMatch(/^(#|```)/m);
});

test('prints what the documentation says of a problem', async () => {
  const { status, stdout } = await vmwalk(['explain', 'bad-footer']);
  expect(status).toBe(0);
  expect(stdout).toBe(
    'bad-footer: a problem in a stream\n\nthe footer of a section is missing or damaged, though a record follows\n',
  );
});

test('a code that a rule and a problem share is explained twice', async () => {
  const { stdout } = await vmwalk(['explain', 'trailing-bytes']);
  expect(stdout).toContain('trailing-bytes: There are bytes behind the end of the stream\n');
  expect(stdout).toContain('\ntrailing-bytes: a problem in a stream\n');
});

test('finds the page of a message, in one argument or in many', async () => {
  const message =
    'qemu-system-x86_64: get_pci_config_device: Bad config data: i=0x2 read: e device: f cmask: ff wmask: 0 w1cmask:0';
  for (const args of [[message], message.split(' ')]) {
    const { status, stdout } = await vmwalk(['explain', ...args]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^pci-config: /);
  }
});

test('names the pages where a message is on several', async () => {
  const { status, stdout } = await vmwalk(['explain', 'Missing section footer for 0000:00:03.0/virtio-net']);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^section-layout: /);
  for (const code of ['array-length', 'damaged-stream', 'section-footers'])
    expect(stdout).toMatch(new RegExp(`^${code} `, 'm'));
});

test.each([
  ['Migration disabled: cpu does not support invtsc', true],
  ['State blocked by non-migratable device 0000:00:03.0/e1000', false],
])('says whether the page of %j is a guess', async (message, isGuess) => {
  const { status, stdout, stderr } = await vmwalk(['explain', message]);
  expect([status, stdout !== '']).toEqual([0, true]);
  expect(stderr.includes('no page has that message')).toBe(isGuess);
});

test('--json has code, title and text', async () => {
  const { stdout } = await vmwalk(['explain', '--json', 'uuid']);
  const text = readFileSync(new URL('rules/uuid.md', docs), 'utf8');
  expect(JSON.parse(stdout)).toEqual([
    { code: 'uuid', kind: 'rule', title: 'The stream is of a VM with another UUID', text },
  ]);
});

test.each([
  ['pci-confg', 'no code is called pci-confg; did you mean pci-config'],
  ['xyzzy', 'no code is called xyzzy; vmwalk explain lists all'],
  ['nothing that QEMU says', 'no page has a message like that'],
  ['\u001b[2J', 'no code is called \\x1b[2J'],
])('status 2 for %j', async (argument, message) => {
  const { status, stdout, stderr } = await vmwalk(['explain', argument]);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain(`vmwalk: ${message}`);
  expect(JSON.parse((await vmwalk(['explain', '--json', argument])).stdout)).toEqual([]);
});
