import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { compareSides } from '../../src/compat/compat.ts';
import { sideOfDump } from '../../src/compat/side-of-dump.ts';
import { sideOfSchema } from '../../src/compat/side-of-schema.ts';
import { extractSchemaOfFile } from '../../src/node/schema-file.ts';
import { parseDumpVmstate } from '../../src/schema/dump-vmstate.ts';

interface Field {
  readonly field: string;
  readonly version_id?: number;
  readonly field_exists?: boolean;
  readonly num?: number;
  readonly size: number;
  readonly Description?: object;
}

/** A VMSD as QEMU prints it. */
function description(
  name: string,
  version: number,
  minimum: number,
  fields: readonly Field[],
  more: object = {},
) {
  return {
    name,
    version_id: version,
    minimum_version_id: minimum,
    Fields: fields.map((field) => ({ version_id: 0, field_exists: false, ...field })),
    ...more,
  };
}

function device(type: string, vmsd: ReturnType<typeof description>, version = vmsd.version_id) {
  return {
    [type]: {
      Name: type,
      version_id: version,
      minimum_version_id: vmsd.minimum_version_id,
      Description: vmsd,
    },
  };
}

const u = (field: string, size: number, more: Partial<Field> = {}): Field => ({ field, size, ...more });

function dumpText(...devices: readonly object[]): string {
  return JSON.stringify(Object.assign({ vmschkmachine: { Name: 'none' } }, ...devices), undefined, 2);
}

const sideOf = (text: string) => sideOfDump(parseDumpVmstate(text), 'dump');

/** Findings, old to new, of one device in two states: rank, rule, fields. */
function change(old: object, fresh: object): string[] {
  const { findings } = compareSides(sideOf(dumpText(old)), sideOf(dumpText(fresh)), {
    direction: 'old-to-new',
  });
  return findings.map(({ rank, rule, fields }) =>
    [rank, rule.replace('compat-', ''), fields.join('+')].join(' ').trim(),
  );
}

const count = u('count', 4, { num: 1 });
const regs = u('regs', 4, { num: 8 });
const irq = u('irq', 4);
const base = description('dev', 2, 1, [count, regs, irq]);
const old = device('dev-pci', base);
const inner = description('inner', 1, 1, [u('a', 4), u('b', 2)]);
const nested = (name: string, vmsd: object) => u(name, 64, { Description: vmsd });

describe('the kinds of fault that vmstate-static-checker.py finds', () => {
  test.each<readonly [string, object, object, readonly string[]]>([
    [
      'a device that is gone',
      old,
      device('else', description('else', 1, 1, [])),
      ['conditional device-missing'],
    ],
    [
      'a version that is too new',
      old,
      device('dev-pci', description('dev', 1, 1, [count, regs, irq])),
      ['certain version-too-new'],
    ],
    ['… of the section only', old, device('dev-pci', base, 1), ['certain version-too-new']],
    [
      'a version that is too old',
      old,
      device('dev-pci', description('dev', 4, 3, [count, regs, irq])),
      ['certain version-too-old'],
    ],
    [
      'another field in its place',
      old,
      device('dev-pci', description('dev', 2, 1, [count, u('x', 2), regs])),
      ['certain field-not-sent x', 'certain field-not-read irq'],
    ],
    [
      'no further fields',
      old,
      device('dev-pci', description('dev', 2, 1, [count, regs])),
      ['certain field-not-read irq'],
    ],
    [
      'no fields at all',
      old,
      device('dev-pci', { ...base, Fields: [] }),
      ['certain field-not-read count+regs+irq'],
    ],
    [
      'no description',
      old,
      { 'dev-pci': { Name: 'dev-pci', version_id: 2, minimum_version_id: 1 } },
      ['certain field-not-read count+regs+irq'],
    ],
    [
      'a struct without description',
      device('dev-pci', description('dev', 1, 1, [nested('pci', inner), regs])),
      device('dev-pci', description('dev', 1, 1, [u('pci', 64), regs])),
      ['certain fields-differ a+b+pci'],
    ],
    ['another name', old, device('dev-pci', { ...base, name: 'dev2' }), ['certain name-changed']],
    [
      'another size',
      old,
      device('dev-pci', description('dev', 2, 1, [count, regs, u('irq', 2)])),
      ['certain size-changed irq'],
    ],
    [
      'no subsections',
      device('dev-pci', { ...base, Subsections: [description('dev/more', 1, 1, [irq])] } as typeof base),
      old,
      ['conditional subsection-unknown'],
    ],
    [
      'a subsection with another version',
      device('dev-pci', { ...base, Subsections: [description('dev/more', 2, 1, [irq])] } as typeof base),
      device('dev-pci', { ...base, Subsections: [description('dev/more', 1, 1, [irq])] } as typeof base),
      ['conditional version-too-new'],
    ],
  ])('%s', (_, before, after, found) => expect(change(before, after)).toEqual(found));
});

describe('what is no fault, as the bytes stay the same', () => {
  const renewed = (...fields: readonly Field[]) => device('dev-pci', description('dev', 2, 1, fields));
  test('a field with another name', () =>
    expect(change(old, renewed(count, regs, u('line', 4)))).toEqual(['cosmetic field-renamed irq']));
  test('fields in a struct', () =>
    expect(change(old, renewed(nested('parent_obj', description('base', 1, 1, [count, regs])), irq))).toEqual(
      ['cosmetic struct-changed count+regs'],
    ));
  test('unused bytes', () =>
    expect(change(old, renewed(count, u('unused', 1, { num: 36 })))).toEqual([
      'cosmetic bytes-regrouped regs+irq+unused',
    ]));
  test('a struct with another version, which is not on the wire', () =>
    expect(
      change(renewed(nested('s', { ...inner, version_id: 2 }), irq), renewed(nested('s', inner), irq)),
    ).toEqual([]));
  test('a device with another QOM type', () =>
    expect(change(device('ICH9 LPC', base), device('ICH9-LPC', base))).toEqual(['cosmetic type-missing']));
  test('a lower version of a field that is still loaded', () =>
    expect(change(renewed(count, u('x', 4, { version_id: 2 })), renewed(count, u('x', 4)))).toEqual([]));
});

test('a dump that breaks off, as QEMU crashed, is read up to there', () => {
  const text = dumpText(old, device('other', description('other', 1, 1, [irq, irq])));
  const whole = parseDumpVmstate(text);
  expect(whole).toMatchObject({ isCut: false, hasCounts: true, machineType: 'none' });
  expect(whole.devices.map(({ type }) => type)).toEqual(['dev-pci', 'other']);
  const cut = parseDumpVmstate(text.slice(0, text.lastIndexOf('irq') + 2));
  expect(cut.isCut).toBe(true);
  expect(cut.devices).toEqual(whole.devices.slice(0, 1));
  const { findings } = compareSides(sideOfDump(whole, 'whole'), sideOfDump(cut, 'cut'));
  expect(findings).toEqual([]);
});

describe('a file that is no dump', () => {
  const refusal = (text: string): string => {
    try {
      parseDumpVmstate(text, 'x.json');
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError);
      return (error as DecodeError).message;
    }
    return 'taken';
  };
  test.each([
    ['{"vmschkmachine":', /not valid JSON/],
    ['[]', /: the file is not an object/],
    ['{"a":1}', /"a" is not an object/],
    [
      '{"a":{"version_id":1.5,"minimum_version_id":1}}',
      /"a.version_id" is no integer from -2147483648 to 2147483647/,
    ],
    [`${'['.repeat(300)}${']'.repeat(300)}`, /nests deeper than/],
    [dumpText(device('d', description('d', 1, 1, [u('x', -1)]))), /Fields\[0\].size" is no size/],
    [
      dumpText(device('d', description('d', 1, 1, [{ ...irq, num: 1e10 }]))),
      /num" is no integer from -2147483648 to 2147483647/,
    ],
    [dumpText(device('d', description('x'.repeat(2000), 1, 1, []))), /has 2000 characters, more than 1024/],
  ])('%.60s', (text, reason) => expect(refusal(text)).toMatch(reason));

  test('is refused, or read, whatever was changed in it', () => {
    const text = dumpText(
      device('a', description('a', 1, 1, [count, nested('s', inner)], { Subsections: [inner] })),
      old,
    );
    const change = fc.tuple(
      fc.nat(text.length - 1),
      fc.constantFrom('', '"', '{', '}', '[', ']', '0', '-', ',', 'é'),
    );
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        let changed = text;
        for (const [at, put] of changes) changed = changed.slice(0, at) + put + changed.slice(at + 1);
        try {
          compareSides(sideOf(changed), sideOf(text));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
          expect((error as DecodeError).code).toBe('bad-schema');
        }
      }),
    );
  });
});

test("a QEMU's dump says the same as the tables in its binary", async () => {
  const binary = '/usr/bin/qemu-system-x86_64';
  const folder = await mkdtemp(join(tmpdir(), 'compat-'));
  try {
    const file = join(folder, 'dump.json');
    await promisify(execFile)(binary, ['-M', 'none', '-display', 'none', '-dump-vmstate', file]);
    const dump = sideOf(await readFile(file, 'utf8'));
    const tables = sideOfSchema(await extractSchemaOfFile(binary), 'binary');
    const { compared, findings } = compareSides(tables, dump);
    expect(findings).toEqual([]);
    expect(compared).toBeGreaterThan(100);
    expect(compareSides(dump, tables).findings).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
