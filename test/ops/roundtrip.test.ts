import { beforeAll, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { walk } from '../../src/layout/children.ts';
import { layouts, openStream } from '../../src/layout/open.ts';
import { diffRoundtrip, type RoundtripDiff } from '../../src/ops/roundtrip.ts';
import { readFixture } from '../fixtures.ts';

const [OURS, THEIRS] = ['qemu-7.2-q35-devices', 'qemu-10.0-q35-devices'].map((name) => readFixture(name)) as [
  Uint8Array,
  Uint8Array,
];
/** Where fields of OURS are. */
const offsets = new Map<string, number>();

beforeAll(async () => {
  for await (const { section, root } of layouts(await openStream(memorySource(OURS))))
    for (const { node, path } of walk(root)) offsets.set(`${section}/${path.join('/')}`, node.start);
});

/** A state with other values: of a field, its first byte. */
function changed(values: Readonly<Record<string, number>>): Uint8Array {
  const bytes = new Uint8Array(OURS);
  for (const [path, value] of Object.entries(values)) bytes[offsets.get(path)!] = value;
  return bytes;
}

async function compare(states: readonly Uint8Array[], through = false): Promise<RoundtripDiff> {
  const opened = await Promise.all(states.map((bytes) => openStream(memorySource(bytes))));
  const [first, second, third] = opened.map((vm) => ({ vm }));
  return diffRoundtrip([first!, second!, third!], { through });
}

/** Its parts, each with its changes in the order of the stream. */
function partsOf({ parts }: RoundtripDiff) {
  return parts.map(({ kind, diff }) => [
    kind,
    diff.sections.flatMap(({ section, changes }) =>
      changes.map((change) => `${change.kind} ${section}/${change.path.join('/')}`),
    ),
  ]);
}

test('what a load changes, and what each load changes, are parts of their own', async () => {
  const settled = changed({ 'i8259/irr': 1 });
  expect(partsOf(await compare([OURS, settled, settled]))).toEqual([['load', ['value i8259/irr']]]);
  const moving = await compare([
    OURS,
    changed({ 'i8259/irr': 1, 'i8259/imr': 5 }),
    changed({ 'i8259/irr': 2, 'i8259/imr': 5 }),
  ]);
  expect(moving.verdict).toBe('different');
  expect(partsOf(moving)).toEqual([
    ['load', ['value i8259/imr']],
    ['each-load', ['value i8259/irr']],
  ]);
  // What only the second load changes is not idempotent either.
  expect(partsOf(await compare([OURS, OURS, settled]))).toEqual([['each-load', ['value i8259/irr']]]);
});

test('clocks are left out, and listed', async () => {
  const later = changed({ 'timer/cpu_clock_offset': 7, 'hpet/hpet_offset': 3 });
  const diff = await compare([OURS, later, later]);
  expect(diff).toMatchObject({ verdict: 'same', parts: [] });
  expect(diff.leftOut).toContain('timer/cpu_clock_offset');
});

test('another form on the way there is no failure, and another value is', async () => {
  const back = await compare([OURS, THEIRS, OURS], true);
  expect(back.parts.map(({ kind }) => kind)).toEqual(['there']);
  // Two machines that were started apart: values differ.
  expect(back.verdict).toBe('different');
  const lost = await compare([OURS, OURS, changed({ 'i8259/irr': 1 })], true);
  expect(partsOf(lost)).toEqual([['back', ['value i8259/irr']]]);
  const other = await compare([OURS, changed({ 'i8259/irr': 1 }), OURS], true);
  expect([other.verdict, partsOf(other)]).toEqual(['different', [['there', ['value i8259/irr']]]]);
});

test('what could not be decoded is not called the same', async () => {
  const cut = OURS.subarray(0, OURS.length - 5);
  expect((await compare([OURS, cut, cut])).verdict).not.toBe('same');
});
