import { describe, expect, it } from 'vitest';
import { VmsdLearner } from '../../src/schema/learn-vmsds.ts';
import { learnedSchema } from '../../src/schema/learned-schema.ts';
import type { ObservedField, ObservedStruct } from '../../src/schema/observed.ts';
import {
  type QemuSchema,
  VMS_ARRAY_OF_POINTER,
  VMS_POINTER,
  VMS_VBUFFER,
} from '../../src/schema/qemu-schema.ts';

function u32(name: string, value = 0): ObservedField {
  return { ...array(name, 1), value };
}

function array(name: string, count: number): ObservedField {
  const nothing = { nullType: undefined, marked: false, each: false, value: undefined, structs: [] };
  return { name, type: 'uint32', count, size: 4, sized: false, ...nothing };
}

function buffer(name: string, size: number): ObservedField {
  return { ...array(name, 1), type: 'buffer', size, sized: true };
}

function inner(name: string, ...structs: ObservedStruct[]): ObservedField {
  return { ...array(name, structs.length), type: 'struct', structs };
}

function struct(name: string, fields: ObservedField[], subsections: ObservedStruct[] = []): ObservedStruct {
  return { name, versionId: 1, at: { object: 0, address: 0 }, fields, subsections };
}

function learn(...structs: ObservedStruct[]): QemuSchema {
  const learner = new VmsdLearner();
  for (const observed of structs) learner.learn(observed);
  return learnedSchema(learner.vmsds, [{ name: 'vm.qevm', buildId: undefined }], []);
}

function fieldsOf({ vmsds }: QemuSchema, name: string, variant = 0) {
  const { fields } = vmsds.filter((vmsd) => vmsd.name === name)[variant]!;
  return Object.fromEntries(fields.map((field) => [field.name, field]));
}

describe('fields that are not in all structs', () => {
  it('have one test when they always come together', () => {
    const schema = learn(
      struct('d', [u32('a'), u32('b'), u32('c')]),
      struct('d', [u32('a')]),
      struct('d', [u32('a'), u32('x')]),
    );
    const { a, b, c, x } = fieldsOf(schema, 'd');
    expect(a!.fieldExists).toBeUndefined();
    expect(b!.fieldExists).toBeDefined();
    expect(c!.fieldExists).toBe(b!.fieldExists);
    expect(x!.fieldExists).not.toBe(b!.fieldExists);
  });

  it('come in an order that agrees with all structs', () => {
    const schema = learn(
      struct('d', [u32('a'), u32('d')]),
      struct('d', [u32('c'), u32('d')]),
      struct('d', [u32('a'), u32('b'), u32('c')]),
    );
    expect(Object.keys(fieldsOf(schema, 'd'))).toEqual(['a', 'b', 'c', 'd']);
  });

  it('make two VMSDs when no order agrees', () => {
    const schema = learn(struct('d', [u32('a'), u32('b')]), struct('d', [u32('b'), u32('a')]));
    expect(schema.vmsds.filter(({ name }) => name === 'd').length).toBe(2);
  });
});

describe('VMSDs of one name', () => {
  it('are two when they share no field, as serial is', () => {
    const schema = learn(
      struct('serial', [inner('state', struct('serial', [u32('divider'), u32('rbr')]))]),
      struct('serial', [inner('state', struct('serial', [u32('divider'), u32('ier')]))]),
    );
    expect(schema.vmsds.filter(({ name }) => name === 'serial').length).toBe(2);
  });

  it('are two when a field has two types, and that is reported for different streams', () => {
    const learner = new VmsdLearner();
    learner.learn(struct('d', [u32('a')]));
    learner.learn({ ...struct('d', [{ ...u32('a'), type: 'uint16' }]), at: { object: 1, address: 0 } });
    expect(learner.vmsds.length).toBe(2);
    expect(learner.conflicts).toEqual([{ name: 'd', versionId: 1, object: 1, field: 'a' }]);
  });

  it('do not contain themselves, whatever a stream claims', () => {
    const lie = (depth: number): ObservedStruct =>
      struct('d', depth === 0 ? [u32('a')] : [u32('a'), inner('s', lie(depth - 1))]);
    const learner = new VmsdLearner();
    learner.learn(lie(3));
    learner.learn(struct('d', [u32('a')], [struct('d/sub', [inner('s', lie(2))])]));
    for (const vmsd of learner.vmsds) {
      const below = new Set([...vmsd.fields.values()].flatMap(({ vmsd: next }) => next ?? []));
      for (const next of below) {
        expect(next).not.toBe(vmsd);
        for (const field of next.fields.values()) if (field.vmsd) below.add(field.vmsd);
        for (const subsection of next.subsections) below.add(subsection);
      }
    }
  });
});

describe('counts', () => {
  it('are of the integer that told them in every struct', () => {
    const schema = learn(
      struct('d', [u32('m', 3), u32('n', 2), array('regs', 2)]),
      struct('d', [u32('m', 3), u32('n', 5), array('regs', 5)]),
      struct('d', [u32('m', 3), u32('n', 0)]),
    );
    const { n, regs } = fieldsOf(schema, 'd');
    expect(regs!.fieldExists).toBeUndefined();
    expect([regs!.numOffset, regs!.numSize]).toEqual([n!.offset, 4]);
  });

  it('may be a multiple of it, or a member of the object that a subsection is of', () => {
    const schema = learn(
      struct('d', [u32('n', 2)], [struct('d/s', [array('regs', 6)])]),
      struct('d', [u32('n', 5)], [struct('d/s', [array('regs', 15)])]),
    );
    const { n } = fieldsOf(schema, 'd');
    const { regs } = fieldsOf(schema, 'd/s');
    expect([regs!.numOffset, regs!.num]).toEqual([n!.offset, 3]);
  });

  it('are to be found where nothing told them, with those seen as defaults', () => {
    const schema = learn(
      struct('d', [u32('n', 2), array('regs', 2), array('irqs', 2)]),
      struct('d', [u32('n', 2), array('regs', 4), array('irqs', 4)]),
    );
    const { n, regs, irqs } = fieldsOf(schema, 'd');
    expect(regs!.numOffset).not.toBe(n!.offset);
    // Arrays that were always as long as each other have one counter.
    expect(irqs!.numOffset).toBe(regs!.numOffset);
    const defaults = schema.propertyLists.flatMap(({ properties }) => properties);
    expect(defaults.filter(({ offset }) => offset === regs!.numOffset).map((p) => p.defaultValue)).toEqual(
      expect.arrayContaining([2n, 4n]),
    );
  });

  it('are fixed where they never differed', () => {
    const schema = learn(
      struct('d', [u32('n', 4), array('regs', 4)]),
      struct('d', [u32('n', 4), array('regs', 4)]),
    );
    const { regs } = fieldsOf(schema, 'd');
    expect([regs!.num, regs!.numSize]).toEqual([4, 0]);
  });

  it('can be sizes of buffers', () => {
    const schema = learn(
      struct('d', [u32('len', 7), buffer('data', 7)]),
      struct('d', [u32('len', 9), buffer('data', 9)]),
    );
    const { len, data } = fieldsOf(schema, 'd');
    expect(data!.flags & VMS_VBUFFER).toBe(VMS_VBUFFER);
    expect(data!.sizeOffset).toBe(len!.offset);
  });
});

it('pointers that were NULL make an array of pointers', () => {
  const pointers = { ...inner('p', struct('e', [u32('x')])), count: 3, nullType: 'nullptr' };
  const { p } = fieldsOf(learn(struct('d', [pointers])), 'd');
  expect(p!.flags & VMS_ARRAY_OF_POINTER).toBe(VMS_ARRAY_OF_POINTER);
  expect(p!.num).toBe(3);
});

it('members do not overlap, those of subsections neither', () => {
  const schema = learn(
    struct(
      'd',
      [u32('a'), inner('s', struct('e', [u32('x'), buffer('y', 100)])), array('r', 9), buffer('b', 33)],
      [struct('d/s', [u32('c'), buffer('z', 5)]), struct('d/t', [u32('f')])],
    ),
  );
  const ranges = ['d', 'd/s', 'd/t']
    .flatMap((name) => Object.values(fieldsOf(schema, name)))
    .map(({ offset, size, flags }) => ({ offset, end: offset + (flags & VMS_POINTER ? 8 : size) }))
    .sort((a, b) => a.offset - b.offset);
  expect(ranges.length).toBe(7);
  for (const [i, { offset }] of ranges.entries())
    expect(offset).toBeGreaterThanOrEqual(ranges[i - 1]?.end ?? 0);
});
