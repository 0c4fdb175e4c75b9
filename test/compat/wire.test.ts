import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CompatFinding, compareSides } from '../../src/compat/compat.ts';
import { side, type TableField, type TableVmsd } from './tables.ts';

/** Lengths on the wire (migration/vmstate-types.c), of the test's own knowledge. */
const lengths = { bool: 1, uint8: 1, uint16: 2, uint32: 4, int32: 4, uint64: 8, timer: 8 } as const;
const infos = Object.keys(lengths) as (keyof typeof lengths)[];

const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
const version = fc.integer({ min: 0, max: 3 });

const plainField: fc.Arbitrary<TableField> = fc.record(
  { name: names, info: fc.constantFrom(...infos), version, num: fc.integer({ min: 1, max: 4 }) },
  { requiredKeys: ['name', 'info'] },
);
const unused: fc.Arbitrary<TableField> = fc
  .integer({ min: 1, max: 12 })
  .map((size) => ({ name: 'unused', info: 'unused_buffer', size }));

function vmsdOf(name: string, field: fc.Arbitrary<TableField>): fc.Arbitrary<TableVmsd> {
  return fc.record({
    name: fc.constant(name),
    version: fc.integer({ min: 1, max: 3 }),
    minimum: fc.integer({ min: 0, max: 2 }),
    fields: fc.array(field, { maxLength: 6 }),
  });
}

const structField: fc.Arbitrary<TableField> = fc.record(
  {
    name: names,
    struct: vmsdOf('inner', fc.oneof(plainField, unused)),
    num: fc.integer({ min: 1, max: 3 }),
    version,
  },
  { requiredKeys: ['name', 'struct'] },
);
const device = vmsdOf('dev', fc.oneof({ weight: 4, arbitrary: plainField }, unused, structField));

/** What vmstate_save_state writes: a length for each number, one after another. */
function written({ fields = [] }: TableVmsd, version: number): number {
  let total = 0;
  for (const { info, struct, num = 1, version: from = 0, size } of fields) {
    if (from > version) continue;
    const one = struct
      ? written(struct, struct.version ?? 1)
      : info === 'unused_buffer'
        ? (size ?? 0)
        : lengths[info as keyof typeof lengths];
    total += one * num;
  }
  return total;
}

/** Does vmstate_load_state of a destination take as many bytes of a source as that has written? */
function loads(source: TableVmsd, destination: TableVmsd): boolean {
  const sent = source.version ?? 1;
  if (sent > (destination.version ?? 1) || sent < (destination.minimum ?? 1)) return false;
  return written(source, sent) === written(destination, sent);
}

const ofRank = (findings: readonly CompatFinding[], ...ranks: readonly string[]) =>
  findings.filter(({ rank }) => ranks.includes(rank));

/** A device, and the same after a few changes such as developers make. */
const history = fc.tuple(
  device,
  fc.array(fc.tuple(fc.constantFrom('remove', 'insert', 'rename', 'replace'), fc.nat(), plainField), {
    maxLength: 3,
  }),
  fc.option(fc.integer({ min: 1, max: 3 })),
);
const changed = history.map(([old, edits, bump]): readonly [TableVmsd, TableVmsd] => {
  const fields = [...(old.fields ?? [])];
  for (const [kind, at, field] of edits) {
    const i = fields.length === 0 ? 0 : at % fields.length;
    if (kind === 'insert') fields.splice(i, 0, field);
    else if (kind === 'remove') fields.splice(i, 1);
    else if (kind === 'replace') fields.splice(i, 1, field);
    else if (fields[i]) fields[i] = { ...fields[i], name: 'other' };
  }
  return [old, { ...old, fields, version: bump ?? old.version ?? 1 }];
});

test('tables say nothing against themselves', () => {
  fc.assert(
    fc.property(fc.array(device, { maxLength: 3 }), (devices) => {
      const named = devices.map((vmsd, i) => ({ ...vmsd, name: `dev${i}`, minimum: 0 }));
      // Two objects, so that nothing is the same by identity.
      expect(compareSides(side(named), side(named)).findings).toEqual([]);
    }),
  );
});

test('a break for certain is found where the bytes do not come out even, and only where something differs', () => {
  fc.assert(
    fc.property(fc.oneof(changed, fc.tuple(device, device)), ([old, fresh]) => {
      const { findings } = compareSides(side([old]), side([fresh]), { direction: 'old-to-new' });
      // Nothing of these devices hangs on a condition.
      expect(ofRank(findings, 'conditional')).toEqual([]);
      const breaks = ofRank(findings, 'certain');
      if (!loads(old, fresh)) expect(breaks).not.toEqual([]);
      else {
        // The same number of bytes: then something lies elsewhere in them, and what is missing adds up to nothing.
        const sum = breaks.reduce((total, { bytes }) => total + (bytes ?? Number.NaN), 0);
        expect(sum).toBe(0);
      }
    }),
    { numRuns: 2000 },
  );
});

test('what is left in a place that a field moved away from is compared', () => {
  const field = (num?: number) => ({ name: 'a', info: 'bool', ...(num === undefined ? {} : { num }) });
  const old = { name: 'dev', version: 1, fields: [field(4), field(), field()] };
  const fresh = { name: 'dev', version: 1, fields: [field(), field(4)] };
  const { findings } = compareSides(side([old]), side([fresh]), { direction: 'old-to-new' });
  const sum = ofRank(findings, 'certain').reduce((total, { bytes }) => total + (bytes ?? Number.NaN), 0);
  expect(sum).toBe(-1);
});

test('an array of structs that becomes two of other lengths adds up', () => {
  const inner = (fields: readonly TableField[]): TableVmsd => ({
    name: 'inner',
    version: 1,
    minimum: 0,
    fields,
  });
  const unused = (size: number): TableField => ({ name: 'unused', info: 'unused_buffer', size });
  const a = (info: string, num: number): TableField => ({ name: 'a', info, num });
  const first = inner([unused(8), unused(12), a('uint16', 2)]);
  const second = inner([a('bool', 2), unused(3), unused(8), a('uint32', 3)]);
  const old = { name: 'dev', version: 1, fields: [a('uint64', 3), { name: 'a', struct: first, num: 2 }] };
  const fresh = {
    name: 'dev',
    version: 1,
    fields: [
      { name: 'a', struct: inner([unused(12)]), num: 2 },
      { name: 'a', struct: second, num: 3 },
    ],
  };
  const { findings } = compareSides(side([old]), side([fresh]), { direction: 'old-to-new' });
  const sum = ofRank(findings, 'certain').reduce((total, { bytes }) => total + (bytes ?? Number.NaN), 0);
  expect(sum).toBe(2 * 12 + 3 * 25 - (24 + 2 * 24));
});

test('bytes of findings add up to what is read more than sent', () => {
  fc.assert(
    fc.property(changed, ([old, fresh]) => {
      const { findings } = compareSides(side([old]), side([fresh]), { direction: 'old-to-new' });
      const breaks = ofRank(findings, 'certain');
      if (breaks.some(({ rule, bytes }) => rule.startsWith('compat-version') || bytes === undefined)) return;
      const sent = old.version ?? 1;
      const sum = breaks.reduce((total, { bytes = 0 }) => total + bytes, 0);
      expect(sum).toBe(written(fresh, sent) - written(old, sent));
    }),
    { numRuns: 1000 },
  );
});

test('there and back is the same whichever side is called old', () => {
  fc.assert(
    fc.property(changed, ([old, fresh]) => {
      const there = compareSides(side([old]), side([fresh]), { direction: 'new-to-old' }).findings;
      const back = compareSides(side([fresh]), side([old]), { direction: 'old-to-new' }).findings;
      expect(there.map((finding) => ({ ...finding, direction: 'old-to-new' }))).toEqual(back);
    }),
    { numRuns: 500 },
  );
});
