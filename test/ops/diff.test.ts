import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { openStream } from '../../src/layout/open.ts';
import { type DiffOptions, diffStreams } from '../../src/ops/diff.ts';
import type { Change } from '../../src/ops/diff-layouts.ts';
import type { StreamDiff } from '../../src/ops/diff-result.ts';
import { volatileFields } from '../../src/ops/volatile-fields.ts';
import { fullSection } from '../check/splice.ts';
import { fixtures, readFixture } from '../fixtures.ts';
import { type ExpectedSection, type Line, readBlob, readByBlob } from '../layout/blob-reader.ts';

async function diffBytes(a: Uint8Array, b: Uint8Array, options?: DiffOptions): Promise<StreamDiff> {
  return diffStreams(await openStream(memorySource(a)), await openStream(memorySource(b)), options);
}

const diffFixtures = (a: string, b: string, options?: DiffOptions) =>
  diffBytes(readFixture(a), readFixture(b), options);

/** The sections of a stream as QEMU's own description has them. */
function sectionsOf(name: string): ExpectedSection[] {
  const bytes = Buffer.from(readFixture(name));
  return readByBlob(bytes, readBlob(bytes)!);
}

/** The same VM in QEMUs that follow each other. */
const devices = ['pc-devices', 'q35-devices', 'aarch64-virt', 's390x-ccw', 'ppc64-pseries'];
const successors = [
  ['5.2', '7.2'],
  ['7.2', '10.0'],
  ['10.0', '11.1'],
] as const;
const pairs = devices.flatMap((name) =>
  successors.map(([a, b]) => ({ a: `qemu-${a}-${name}`, b: `qemu-${b}-${name}` })),
);

test.each(fixtures)('$name does not differ from itself', async ({ name }) => {
  const { verdict, sections, commands, order, a } = await diffFixtures(name, name);
  expect({ sections, commands, order }).toEqual({ sections: [], commands: [], order: [] });
  expect(verdict).toBe(a.diagnostics.some(({ severity }) => severity === 'error') ? 'undecided' : 'same');
});

describe.each(pairs)('$a and $b', ({ a, b }) => {
  test('mirror each other', async () => {
    const there = await diffFixtures(a, b);
    const back = await diffFixtures(b, a);
    expect(there.verdict).toBe('different');
    const texts = (diff: StreamDiff, mirrored: boolean) =>
      diff.sections
        .flatMap((section) => [
          `${section.section}@${section.instanceId} ${mirror(section.kind, mirrored)}`,
          ...section.changes
            // Which of two fields that changed places is the one that moved, has two answers.
            .filter(({ kind }) => kind !== 'moved')
            .map((change) => `${section.section}@${section.instanceId} ${changeText(change, mirrored)}`),
        ])
        .sort();
    expect(texts(back, true)).toEqual(texts(there, false));
  });

  test('have the fields on the top level that their own descriptions list', async () => {
    const { sections } = await diffFixtures(a, b, { structure: true });
    const sideB = new Map(
      sectionsOf(b).map((section) => [`${section.idstr}@${section.instanceId}`, section]),
    );
    const folded = new Map(
      sections.flatMap((diff) =>
        [diff, ...(diff.alike ?? [])].map((name) => [`${name.section}@${name.instanceId}`, diff]),
      ),
    );
    let compared = 0;
    for (const section of sectionsOf(a)) {
      const key = `${section.idstr}@${section.instanceId}`;
      const other = sideB.get(key);
      const diff = folded.get(key);
      if (!other || section.misdescribed || other.misdescribed) continue;
      const namesA = fieldNames(section);
      const namesB = fieldNames(other);
      const changes = diff?.changes ?? [];
      const onlyA = [...namesA].filter((name) => !namesB.has(name));
      const onlyB = [...namesB].filter((name) => !namesA.has(name));
      expect({ key, only: topLevel(changes, 'a') }).toEqual({ key, only: onlyA.sort() });
      expect({ key, only: topLevel(changes, 'b') }).toEqual({ key, only: onlyB.sort() });
      compared++;
    }
    expect(compared).toBeGreaterThan(5);
  });
});

function mirror(kind: string, mirrored: boolean): string {
  if (!mirrored) return kind;
  return kind === 'added' ? 'removed' : kind === 'removed' ? 'added' : kind;
}

function changeText(change: Change, mirrored: boolean): string {
  const [a, b] = mirrored ? [change.b, change.a] : [change.a, change.b];
  const nodes = [a, b].map((side) => side.map(({ name, type, start, end }) => [name, type, start, end]));
  return JSON.stringify([mirror(change.kind, mirrored), nodes, change.differing]);
}

/** Padding bears the same name everywhere. */
function fieldNames({ lines }: ExpectedSection): Set<string> {
  return new Set(
    lines.flatMap(({ path, type }) =>
      path.length === 1 && type !== 'unused_buffer' ? [String(path[0])] : [],
    ),
  );
}

function topLevel(changes: readonly Change[], side: 'a' | 'b'): string[] {
  const kinds = new Set(['renamed', 'regrouped', side === 'a' ? 'removed' : 'added']);
  const names = changes.flatMap((change) =>
    kinds.has(change.kind) && change.path.length === 1 && change.ranges === undefined
      ? change[side].filter(({ type }) => type !== 'unused_buffer').map(({ name }) => String(name))
      : [],
  );
  return names.sort();
}

const small = fixtures.filter(
  ({ name, size }) => size < 500_000 && readBlob(Buffer.from(readFixture(name))) !== undefined,
);

test('a number that is patched is the one change, at its offset, with both values', async () => {
  const candidates = small.map(({ name }) => ({
    name,
    bytes: readFixture(name),
    numbers: sectionsOf(name).flatMap(({ lines, misdescribed }) =>
      misdescribed ? [] : lines.filter(isNumber),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...candidates.filter(({ numbers }) => numbers.length > 0)),
      fc.nat(),
      fc.integer({ min: 1, max: 0xffffffff }),
      async ({ bytes, numbers }, pick, mask) => {
        const line = numbers[pick % numbers.length]!;
        const patched = Uint8Array.from(bytes);
        const view = new DataView(patched.buffer);
        const before = view.getUint32(line.offset);
        view.setUint32(line.offset, before ^ mask);
        const { sections, verdict, commands, order } = await diffBytes(bytes, patched);
        expect({ verdict, commands, order }).toEqual({ verdict: 'different', commands: [], order: [] });
        expect(sections.map(({ section, instanceId }) => [section, instanceId])).toEqual([
          [line.section, line.instance],
        ]);
        expect(sections[0]!.changes).toMatchObject([
          {
            kind: 'value',
            path: line.path,
            a: [{ start: line.offset, value: before }],
            b: [{ start: line.offset, value: view.getUint32(line.offset) }],
          },
        ]);
      },
    ),
    { numRuns: 40 },
  );
});

/** Numbers whose value no other field depends on. */
function isNumber({ type, kind, section }: Line): boolean {
  return kind === 'leaf' && type === 'uint32' && section !== 'configuration';
}

test('a buffer that is patched differs in the bytes that were', async () => {
  const [{ name }] = small as [(typeof small)[number]];
  const bytes = readFixture(name);
  const line = sectionsOf(name)
    .flatMap(({ lines }) => lines)
    .find(({ type, size, section }) => type === 'buffer' && size >= 64 && section !== 'configuration')!;
  const patched = Uint8Array.from(bytes);
  for (const at of [3, 4, 40]) patched[line.offset + at]! ^= 0xff;
  const { sections } = await diffBytes(bytes, patched);
  const range = (start: number, end: number) => ({ startA: start, endA: end, startB: start, endB: end });
  expect(sections).toMatchObject([
    {
      section: line.section,
      changes: [
        { path: line.path, kind: 'value', unit: 'bytes', differing: 3, ranges: [range(3, 5), range(40, 41)] },
      ],
    },
  ]);
});

test('registers that differ have the values that the monitor printed', async () => {
  const [a, b] = ['qemu-5.2-pc-devices', 'qemu-7.2-pc-devices'] as const;
  const { sections } = await diffFixtures(a, b);
  const changes = sections.find(({ section }) => section === 'cpu')!.changes;
  const names = ['EAX', 'ECX', 'EDX', 'EBX', 'ESP', 'EBP', 'ESI', 'EDI'];
  const printed = (fixture: string) => {
    const text = fixtures.find(({ name }) => name === fixture)!.registers!;
    return names.map((name) => BigInt(`0x${new RegExp(`${name}=([0-9a-f]+)`).exec(text)![1]}`));
  };
  const [registersA, registersB] = [printed(a), printed(b)];
  const expected = names.flatMap((_, i) =>
    registersA[i] === registersB[i] ? [] : [[i, registersA[i], registersB[i]]],
  );
  const found = changes
    .filter(({ path }) => path[0] === 'env.regs')
    .map(({ path, a: [nodeA], b: [nodeB] }) => [
      path[1],
      nodeA?.kind === 'leaf' && nodeA.value,
      nodeB?.kind === 'leaf' && nodeB.value,
    ]);
  expect(found.length).toBeGreaterThan(0);
  expect(found).toEqual(expected);
});

test('what QEMU 8.2 made of the padding of globalstate is shown as such', async () => {
  // migration/global_state.c: runstate[100] became runstate[32], two flags and 66 bytes of padding.
  const { sections } = await diffFixtures('qemu-7.2-pc-devices', 'qemu-10.0-pc-devices', { structure: true });
  const diff = sections.find(({ section }) => section === 'globalstate')!;
  expect([diff.a!.size, diff.b!.size]).toEqual([104, 104]);
  expect(diff.changes.map(({ kind, path }) => [kind, ...path])).toEqual([
    ['size', 'runstate'],
    ['added', 'has_vm_was_suspended'],
    ['added', 'vm_was_suspended'],
    ['added', 'unused'],
  ]);
});

test('what the selectors pick is all that is compared', async () => {
  const [a, b] = ['qemu-5.2-pc-devices', 'qemu-7.2-pc-devices'] as const;
  const only = await diffFixtures(a, b, { only: ['cpu/env.regs[*]'] });
  expect(only.sections.map(({ section }) => section)).toEqual(['cpu']);
  expect(only.sections[0]!.changes.every(({ path }) => path[0] === 'env.regs')).toBe(true);
  // CPU_NB_REGS of x86_64.
  expect(only.sections[0]!.changes.length + only.unchanged.fields).toBe(16);
  const ignore = await diffFixtures(a, b, { ignore: ['cpu/env.regs[*]', 'cpu/env.eflags'] });
  const changes = ignore.sections.find(({ section }) => section === 'cpu')?.changes ?? [];
  expect(changes.filter(({ path }) => path[0] === 'env.regs' || path[0] === 'env.eflags')).toEqual([]);
  const nothing = await diffFixtures(a, b, { only: ['no-such-device'] });
  expect(nothing).toMatchObject({ anySelected: false, sections: [] });
});

test('commands that only one side has are named', async () => {
  const { commands } = await diffFixtures('qemu-7.2-pc-devices', 'qemu-10.0-pc-devices');
  // QEMU sends it since 8.2 (migration/savevm.c, qemu_savevm_send_switchover_start).
  expect(commands).toMatchObject([{ kind: 'added', b: { name: 'SWITCHOVER_START' } }]);
});

test('bytes that are flipped anywhere give a result', async () => {
  const [{ name }] = small as [(typeof small)[number]];
  const bytes = readFixture(name);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat({ max: bytes.length - 9 }), fc.integer({ min: 1, max: 255 })), {
        maxLength: 6,
      }),
      fc.nat({ max: 2000 }),
      async (flips, cut) => {
        const damaged = bytes.slice(0, bytes.length - (cut > 1000 ? cut : 0));
        for (const [at, mask] of flips) if (8 + at < damaged.length) damaged[8 + at]! ^= mask;
        const { verdict, a, b } = await diffBytes(bytes, damaged);
        const isDamaged = [a, b].some(({ diagnostics }) =>
          diagnostics.some(({ severity }) => severity === 'error'),
        );
        if (isDamaged) expect(verdict).not.toBe('same');
      },
    ),
    { numRuns: 25 },
  );
});

test('the fields that --ignore-volatile leaves out are documented', () => {
  const text = readFileSync(new URL('../../docs/diff.md', import.meta.url), 'utf8');
  const rows = Object.fromEntries(
    [...text.matchAll(/^\| (\w+) \| (`.*) \|$/gm)].map(([, why, list]) => [why, list]),
  );
  for (const { selector, why } of volatileFields) expect(rows[why]).toContain(`\`${selector}\``);
});

test('what one side has is shown beside what the other has of the same VMSD', async () => {
  // The command lines differ in devices, and with them in slots.
  const [a, b] = ['qemu-7.2-pc-devices', 'qemu-7.2-q35-devices'] as const;
  const { sections } = await diffFixtures(a, b);
  const names = (name: string) =>
    new Set(sectionsOf(name).map(({ idstr, instanceId }) => `${idstr}@${instanceId}`));
  const [namesA, namesB] = [names(a), names(b)];
  const paired = sections.filter(({ counterpart }) => counterpart);
  expect(paired.length).toBeGreaterThan(0);
  for (const { section, instanceId, kind, counterpart } of paired) {
    const [here, there] = kind === 'removed' ? [namesA, namesB] : [namesB, namesA];
    const [own, other] = [`${section}@${instanceId}`, `${counterpart!.section}@${counterpart!.instanceId}`];
    expect([here.has(own), there.has(own), there.has(other), here.has(other)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  }
});

test('streams of many sections, none of which both have, take no long search', async () => {
  const MANY = 3000;
  // Version 3, and the end: nothing but sections between.
  const stream = (name: (i: number) => string) =>
    Buffer.concat([
      Buffer.from('5145564d00000003', 'hex'),
      ...Array.from({ length: MANY }, (_, i) => fullSection(i, name(i), 0, 1, Buffer.alloc(4))),
      Buffer.from([0]),
    ]);
  const diff = await diffBytes(
    stream((i) => `0000:00:${i}/one`),
    stream((i) => `0000:01:${i}/other`),
  );
  expect(diff.sections.map(({ kind }) => kind)).toEqual([
    ...Array(MANY).fill('added'),
    ...Array(MANY).fill('removed'),
  ]);
  const elsewhere = await diffBytes(
    stream((i) => `0000:00:${i}/one`),
    stream((i) => `0000:01:${i}/one`),
  );
  expect(elsewhere.sections.filter(({ counterpart }) => counterpart)).toHaveLength(2 * MANY);
});
