import { describe, expect, test } from 'vitest';
import { type CompatFinding, type CompatOptions, compareSides } from '../../src/compat/compat.ts';
import { compatRules } from '../../src/compat/rules.ts';
import type { Expression } from '../../src/expressions/expression.ts';
import { side, type TableField, type TableVmsd } from './tables.ts';

/** The findings as lines: rank, rule, fields, bytes. */
function lines(findings: readonly CompatFinding[]): string[] {
  return findings.map(({ rank, rule, fields, bytes }) =>
    [rank, rule.replace('compat-', ''), fields.join('+'), bytes ?? ''].join(' ').trim(),
  );
}

function compare(old: TableVmsd, fresh: TableVmsd, options: CompatOptions = {}) {
  return compareSides(side([old]), side([fresh]), options).findings;
}

/** What a device of these fields becomes, old to new. */
function change(
  old: readonly TableField[],
  fresh: readonly TableField[],
  more: Partial<TableVmsd> = {},
  freshMore: Partial<TableVmsd> = more,
): string[] {
  return lines(
    compare(
      { name: 'dev', ...more, fields: old },
      { name: 'dev', ...freshMore, fields: fresh },
      { direction: 'old-to-new' },
    ),
  );
}

const a: TableField = { name: 'a' };
const b: TableField = { name: 'b', info: 'uint16' };
const c: TableField = { name: 'c', info: 'uint64' };
/** A bool member, and another one. */
const flag: Expression = ['ne', ['load', 'opaque', 200, 1], 0];
const otherFlag: Expression = ['ne', ['and', ['load', 'opaque', 300, 4], 8], 0];

describe('the bytes stay the same', () => {
  test('where nothing changed', () => expect(change([a, b, c], [a, b, c])).toEqual([]));
  test('where a field has another name', () =>
    expect(change([a, b, c], [a, { ...b, name: 'x' }, c])).toEqual([
      'cosmetic field-renamed b 0'.slice(0, -2),
    ]));
  test('where fields are in a struct', () =>
    expect(change([a, b, c], [a, { name: 'parent_obj', struct: { name: 'in', fields: [b, c] } }])).toEqual([
      'cosmetic struct-changed b+c',
    ]));
  test('where a struct has another version, which is not sent', () =>
    expect(
      change(
        [{ name: 's', struct: { name: 'in', version: 2, fields: [a] } }],
        [{ name: 's', struct: { name: 'in', version: 1, fields: [a] } }],
      ),
    ).toEqual([]));
  test('where bytes are no longer used', () =>
    expect(change([a, b, c, a], [a, { name: 'unused', info: 'unused_buffer', size: 10 }, a])).toEqual([
      'cosmetic bytes-regrouped b+c+unused',
    ]));
  test('where a number has another sign or type of its length', () =>
    expect(
      change(
        [a, { name: 'b', info: 'bool' }],
        [
          { name: 'a', info: 'int32' },
          { name: 'b', info: 'uint8' },
        ],
      ),
    ).toEqual(['cosmetic type-differs a', 'cosmetic type-differs b']));
  test('where a test says the same, read from members at other places', () =>
    expect(change([{ ...a, exists: flag }], [{ ...a, exists: ['ne', ['load', 'opaque', 8, 1], 0] }])).toEqual(
      [],
    ));
  test('where a test of the version says no', () =>
    expect(change([a], [a, { ...b, exists: ['lts', 'version', 1] }])).toEqual([]));
  test('where a subsection was added', () =>
    expect(
      lines(
        compare(
          { name: 'dev', fields: [a] },
          { name: 'dev', fields: [a], subsections: [{ name: 'dev/more', fields: [b], needed: flag }] },
          { direction: 'old-to-new' },
        ),
      ),
    ).toEqual(['cosmetic subsection-added']));
});

describe('a break for certain', () => {
  test('a field removed or added', () => {
    expect(change([a, b, c], [a, c])).toEqual(['certain field-not-read b -2']);
    expect(change([a, c], [a, b, c])).toEqual(['certain field-not-sent b 2']);
  });
  test('a field added to a struct with a new version: the version of a struct is not sent', () => {
    const inner = (version: number, fields: readonly TableField[]): TableField => ({
      name: 's',
      struct: { name: 'in', version, fields },
    });
    expect(change([inner(1, [a]), c], [inner(2, [a, { ...b, version: 2 }]), c])).toEqual([
      'certain field-not-sent b 2',
    ]);
  });
  test('a size, a length, an order', () => {
    expect(change([a, b], [{ ...a, info: 'uint64' }, b])).toEqual(['certain size-changed a 4']);
    expect(change([{ ...a, num: 4 }, b], [{ ...a, num: 6 }, b])).toEqual(['certain count-changed a 8']);
    expect(change([a, b, c], [b, c, a])).toEqual(['certain field-moved a 0']);
  });
  test('the length of an array of structs', () => {
    const array = (num: number): TableField => ({ name: 's', num, struct: { name: 'in', fields: [a, b] } });
    expect(change([array(3)], [array(4)])).toEqual(['certain count-changed s 6']);
  });
  test('a field in an array of structs, in all elements', () => {
    const array = (fields: readonly TableField[]): TableField => ({
      name: 's',
      num: 3,
      struct: { name: 'in', fields },
    });
    expect(change([array([a, b])], [array([a])])).toEqual(['certain field-not-read b -6']);
  });
  test('a version that is too new, with what comes with it', () => {
    const found = compare(
      { name: 'dev', version: 2, fields: [a, { ...b, version: 2 }] },
      { name: 'dev', version: 1, fields: [a] },
      { direction: 'old-to-new' },
    );
    expect(lines(found)).toEqual(['certain version-too-new']);
    expect(found[0]).toMatchObject({
      // migration/savevm.c, qemu_loadvm_section_start_full
      qemuSays: "savevm: unsupported version 2 for 'dev' v1",
      differences: ['dev/b: b (uint16) of the source is not read'],
    });
  });
  test('a version that is too old', () =>
    expect(change([a], [a], { version: 1 }, { version: 3, minimum: 2 })).toEqual([
      'certain version-too-old',
    ]));
  test('a subsection that is always sent', () =>
    expect(
      lines(
        compare(
          { name: 'dev', fields: [a], subsections: [{ name: 'dev/more', fields: [b] }] },
          { name: 'dev', fields: [a] },
          { direction: 'old-to-new' },
        ),
      ),
    ).toEqual(['certain subsection-unknown']));
  test('another name, of a device that has the same QOM type', () =>
    expect(
      lines(
        compare(
          { name: 'vga', types: ['isa-vga'], fields: [a] },
          { name: 'vga-isa', types: ['isa-vga'], fields: [b] },
          { direction: 'old-to-new' },
        ),
      ),
    ).toEqual(['certain name-changed']));
});

describe('a break under a condition', () => {
  test('a field that a test decides about', () => {
    const found = compare(
      { name: 'dev', fields: [a, { ...b, exists: flag }] },
      { name: 'dev', fields: [a] },
      { direction: 'old-to-new' },
    );
    expect(lines(found)).toEqual(['conditional field-not-read b -2']);
    expect(found[0]!.conditions).toEqual(['member 0xc8']);
  });
  test('a test that is new, gone, or another one', () => {
    expect(change([a], [{ ...a, exists: flag }])).toEqual(['conditional test-changed a']);
    expect(change([{ ...a, exists: flag }], [a])).toEqual(['conditional test-changed a']);
    expect(change([{ ...a, exists: flag }], [{ ...a, exists: otherFlag }])).toEqual([
      'conditional test-changed a',
    ]);
  });
  test('a subsection that is sent when needed', () => {
    const found = compare(
      { name: 'dev', fields: [a], subsections: [{ name: 'dev/more', fields: [b], needed: flag }] },
      { name: 'dev', fields: [a] },
      { direction: 'old-to-new' },
    );
    expect(lines(found)).toEqual(['conditional subsection-unknown']);
    expect(found[0]!.conditions).toEqual(['dev/more is sent: member 0xc8']);
  });
  test('what is in such a subsection', () => {
    const more = (fields: readonly TableField[], version = 1) => ({
      subsections: [{ name: 'dev/more', version, fields, needed: flag }],
    });
    expect(change([a], [a], more([b]), more([c]))).toEqual(['conditional fields-differ b+c 6']);
    expect(change([a], [a], more([b], 2), more([b]))).toEqual(['conditional version-too-new']);
  });
  test('elements of an array of any length', () => {
    const array = (fields: readonly TableField[]): TableField => ({
      name: 's',
      countedBy: 'a',
      struct: { name: 'in', fields },
    });
    expect(change([a, array([b, c])], [a, array([c])])).toEqual(['conditional field-not-read b -2']);
    expect(change([a, { ...b, countedBy: 'a' }], [a, { ...b, num: 4 }])).toEqual([
      'conditional count-source b',
    ]);
  });
  test('markers of an array of pointers', () => {
    const array = (pointers: 'nullable' | 'marked'): TableField => ({
      name: 's',
      num: 2,
      pointers,
      struct: { name: 'in', fields: [a] },
    });
    expect(change([array('nullable')], [array('marked')])).toEqual(['conditional pointer-markers s']);
  });
  test('a value that has to match, and a check', () => {
    expect(change([a], [{ ...a, info: 'uint32 equal' }])).toEqual(['conditional value-must-match a']);
    expect(change([{ ...a, info: 'uint32 equal' }], [a])).toEqual(['cosmetic type-differs a']);
    expect(change([a], [a, { name: 'sane', validates: true, exists: flag }])).toEqual([
      'conditional validation-added sane',
    ]);
  });
  test('a device that is missing, or cannot be migrated', () => {
    const gone = compareSides(side([{ name: 'dev', types: ['dev'] }]), side([{ name: 'other' }]));
    expect(lines(gone.findings)).toEqual(['conditional device-missing', 'conditional device-missing']);
    expect(change([a], [a], { unmigratable: true }, {})).toEqual(['conditional unmigratable']);
    expect(change([a], [b], { unmigratable: true })).toEqual([]);
  });
});

test('a version that the destination still takes is read as that version', () => {
  const old = { name: 'dev', version: 1, fields: [a, c] };
  const fresh = { name: 'dev', version: 2, minimum: 1, fields: [a, { ...b, version: 2 }, c] };
  expect(lines(compare(old, fresh))).toEqual(['certain version-too-new']);
});

test('what many devices share is one finding', () => {
  const device = (name: string, fields: readonly TableField[]): TableVmsd => ({
    name,
    types: [name],
    fields: [{ name: 'parent_obj', struct: { name: 'PCIDevice', fields } }, c],
  });
  const { findings } = compareSides(
    side(['x', 'y', 'z'].map((name) => device(name, [a, b]))),
    side(['x', 'y', 'z'].map((name) => device(name, [a]))),
    { direction: 'old-to-new', ignore: ['y'] },
  );
  expect(lines(findings)).toEqual(['certain field-not-read b -2']);
  expect(findings[0]).toMatchObject({
    vmsd: 'PCIDevice',
    devices: [
      { name: 'x', types: ['x'], path: ['parent_obj', 'b'] },
      { name: 'z', types: ['z'], path: ['parent_obj', 'b'] },
    ],
  });
});

test('VMSDs of one name are put together by what they send', () => {
  const small = { name: 'serial', fields: [a] };
  const large = { name: 'serial', fields: [a, b, c] };
  expect(compareSides(side([small, large]), side([large, small])).findings).toEqual([]);
});

test('selectors pick devices by VMSD, QOM type, and the VMSD inside', () => {
  const old = side([
    { name: 'dev', types: ['dev-pci'], fields: [{ name: 's', struct: { name: 'in', fields: [a] } }] },
  ]);
  const fresh = side([{ name: 'dev', types: ['dev-pci'], fields: [{ name: 's', struct: { name: 'in' } }] }]);
  const count = (options: CompatOptions) => compareSides(old, fresh, options).findings.length;
  for (const only of ['dev', 'dev-*', 'in']) expect(count({ only: [only] }), only).toBe(2);
  for (const only of ['de', 'x*']) expect(count({ only: [only] }), only).toBe(0);
  expect(count({ ignore: ['*-pci'] })).toBe(0);
});

test('tables that explode are left alone', () => {
  let struct: TableVmsd = { name: 'level0', fields: [a] };
  for (let i = 1; i < 40; i++) {
    const twice = [struct, struct].map((inner, k): TableField => ({ name: `s${k}`, struct: inner }));
    struct = { name: `level${i}`, fields: twice };
  }
  const bomb = { ...struct, name: 'dev' };
  expect(lines(compare(bomb, bomb))).toEqual(['conditional not-compared', 'conditional not-compared']);
});

describe('tables that were made to take long are compared all the same', () => {
  // Each of these took minutes, or ended in a stack overflow, where work grows with the square of the number.
  const MANY = 10_000;
  const many = <T>(make: (i: number) => T, count = MANY) => Array.from({ length: count }, (_, i) => make(i));
  const device = (more: Partial<TableVmsd>): TableVmsd => ({ name: 'dev', ...more });

  test('fields that all differ', () => {
    const fields = (name: string, info: string) =>
      device({ fields: many((i) => ({ name: `${name}${i}`, info }), 150_000) });
    const [finding, ...others] = compare(fields('a', 'uint8'), fields('b', 'uint16'), {
      direction: 'old-to-new',
    });
    expect(finding).toMatchObject({ rule: 'compat-fields-differ', bytes: 150_000 });
    expect(others).toEqual([]);
  });

  test('fields that all moved', () => {
    const fields = (order: (i: number) => number) =>
      device({
        fields: many((i) => [
          { ...c, name: `c${i}` },
          { ...b, name: `b${order(i)}` },
        ]).flat(),
      });
    const found = compare(
      fields((i) => i),
      fields((i) => MANY - 1 - i),
      { direction: 'old-to-new' },
    );
    expect(found.every(({ rank }) => rank !== 'certain')).toBe(true);
  });

  test('one field in as many places of a device', () => {
    const fields = (info: string) => {
      const struct = { name: 'in', fields: [{ name: 'x', info }] };
      return device({ fields: many((i) => ({ name: `s${i}`, num: 2, struct })) });
    };
    const found = compare(fields('uint8'), fields('uint16'), { direction: 'old-to-new' });
    expect(found.flatMap(({ devices }) => devices)).not.toEqual([]);
  });

  test('subsections of one name, of which the destination has a long one', () => {
    const found = compare(
      device({ subsections: many(() => ({ name: 'dev/s', needed: flag }), 1000) }),
      device({ subsections: [{ name: 'dev/s', fields: many((i) => ({ name: `f${i}` }), 2000) }] }),
      { direction: 'old-to-new' },
    );
    expect(found).toContainEqual(expect.objectContaining({ rule: 'compat-not-compared', vmsd: 'dev/s' }));
  });

  test('structs with subsections, one behind the other', () => {
    const struct: TableVmsd = { name: 'in', subsections: [{ name: 'in/s', fields: [a] }] };
    const all = device({ fields: many((i) => ({ name: `s${i}`, struct })) });
    expect(compare(all, all)).toEqual([]);
  });

  test('devices of one name, and VMSDs of as many types', () => {
    const devices = many((i) => device({ fields: [{ name: `f${i}` }], types: ['type'] }));
    expect(compareSides(side(devices), side(devices)).findings).toEqual([]);
    const types = many((i) => `type${i}`);
    const shared = many((i) => device({ fields: [{ name: `f${i}` }], types }), 20);
    expect(compareSides(side(shared), side(shared)).findings).toEqual([]);
  });
});

test('rules have codes of their own', () => {
  const codes = compatRules.map(([code]) => code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const [code, title] of compatRules) {
    expect(code).toMatch(/^compat(-[a-z]+)+$/);
    expect(title.length).toBeGreaterThan(10);
  }
});
