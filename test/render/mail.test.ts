import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { compareSides } from '../../src/compat/compat.ts';
import { vmsdOutlines } from '../../src/compat/vmsd-outline.ts';
import { openStream } from '../../src/layout/open.ts';
import { openSide } from '../../src/node/compat-side.ts';
import { diffStreams } from '../../src/ops/diff.ts';
import { changesOnWire, compatMail } from '../../src/render/compat-mail.ts';
import { diffMail } from '../../src/render/diff-mail.ts';
import { mailLines } from '../../src/render/mail.ts';
import { readFixture } from '../fixtures.ts';

/** What a mail can carry, and `git am` does not take for a patch (builtin/mailinfo.c: `diff -`, `--- `, `Index: `). */
function expectMail(lines: readonly string[]): void {
  for (const line of lines) {
    expect(line).toMatch(/^[ -~]{0,71}$/);
    expect(line).not.toMatch(/^(diff -|---|Index: )|\s$/);
  }
}

async function compat(oldName: string, newName: string, only: readonly string[] = []): Promise<string[]> {
  const sides = [await openSide(oldName), await openSide(newName)] as const;
  const report = compareSides(...sides, only.length > 0 ? { only } : {});
  const names = new Set(changesOnWire(report).map(({ vmsd }) => vmsd));
  return [...compatMail(report, vmsdOutlines(...sides, names))];
}

test('two builds: each VMSD before and after', async () => {
  const lines = await compat('7.2-x86_64', '10.0-x86_64');
  expectMail(lines);
  expect(lines.slice(0, 3)).toEqual([
    'What changes on the wire:',
    expect.stringMatching(/^ {2}old: QEMU 7\.2\..*, x86_64$/),
    expect.stringMatching(/^ {2}new: QEMU 10\.0\..*, x86_64$/),
  ]);
  const start = lines.indexOf('e1000e');
  // hw/net/e1000e.c of 7.2 and 10.0.
  expect(lines.slice(start + 1, lines.indexOf('', start))).toEqual([
    '    core.itr                struct e1000e-intr-timer',
    '  - core.itr_intr_pending   bool',
    '  + unused                  1 byte',
    '    core.eitr               5 elements of struct e1000e-intr-timer',
    '  - core.eitr_intr_pending  5 x bool',
    '  + unused                  5 bytes',
    '    core.itr_guest_value    uint32',
    '    ...',
    '    core.tx                 2 elements of struct e1000e-tx',
    '  + core.timadj             int64  if property migrate-timadj',
    '  old -> new: may break: core.timadj (int64) of the destination is not',
    '      sent',
    '    if property migrate-timadj',
    '  new -> old: may break: core.timadj (int64) of the source is not read',
    '    if property migrate-timadj',
  ]);
  expect(await compat('7.2-x86_64', '10.0-x86_64')).toEqual(lines);
});

test('no change is one line', async () => {
  expect(await compat('7.2-avr', '7.2-avr')).toEqual([
    'No change on the wire: 22 devices, old -> new, new -> old.',
  ]);
  const vm = await openStream(memorySource(readFixture('qemu-7.2-pc-devices')));
  const lines = [...diffMail(await diffStreams(vm, vm, { structure: true }))];
  expect(lines).toEqual([expect.stringMatching(/^No change on the wire: \d+ sections, \d+ fields\.$/)]);
});

test.each([true, false])('two streams, structure %s', async (structure) => {
  const [a, b] = await Promise.all(
    ['qemu-7.2-q35-devices', 'qemu-10.0-q35-devices'].map((name) =>
      openStream(memorySource(readFixture(name))),
    ),
  );
  const lines = [...diffMail(await diffStreams(a!, b!, { structure }), { a: 'QEMU 7.2' })];
  expectMail(lines);
  expect(lines.slice(1, 3)).toEqual(['  before: QEMU 7.2', expect.stringMatching(/^ {2}after: {2}pc-q35-/)]);
  const start = lines.findIndex((line) => line.startsWith('globalstate'));
  // migration/global_state.c: two flags in the place of padding from 9.0 on.
  expect(lines.slice(start, start + 6).join('\n')).toContain('+ has_vm_was_suspended  uint8');
});

test('names of any length and from any hand do no harm', () => {
  const hostile = [
    '--- a/file',
    `  ${'x'.repeat(200)}`,
    '\u001b[31mdiff -u',
    'caf\u00e9 \u2192',
    `${'y '.repeat(80)}`,
  ];
  const lines = [...mailLines(hostile)];
  for (const line of lines) expect(line).toMatch(/^[ -~]{0,71}$/);
  expect(lines.join('')).toContain('caf? ->');
});
