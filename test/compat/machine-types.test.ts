import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type CompatReport, compareSides } from '../../src/compat/compat.ts';
import { sideOfSchema } from '../../src/compat/side-of-schema.ts';
import type { Expression } from '../../src/expressions/expression.ts';
import { openSide } from '../../src/node/compat-side.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { compatText } from '../../src/render/compat-text.ts';
import type { GlobalProperty, Property, QemuSchema } from '../../src/schema/qemu-schema.ts';
import { type MachineTables, parseQueryMachines } from '../../src/schema/query-machines.ts';
import { tables } from './tables.ts';

/** What a QEMU answered to query-machines, of some of its machine types. */
function answer(name: string): string {
  const path = fileURLToPath(new URL(`../../fixtures/query-machines/${name}.json.gz`, import.meta.url));
  return gunzipSync(readFileSync(path)).toString();
}

function about(report: CompatReport, device: string): string[] {
  return report.findings
    .filter(({ rank, devices }) => rank !== 'cosmetic' && devices.some(({ name }) => name === device))
    .map(({ rank, rule, fields, vmsd, conditions }) =>
      [rank, rule.replace('compat-', ''), fields[0] ?? vmsd, ...conditions].join(' '),
    );
}

describe('what VMs of a machine type send', () => {
  // migrate-timadj is new in 8.0, and off up to 7.2 (hw/core/machine.c).
  test('e1000e of 7.2 with that of 10.0', async () => {
    const [old, fresh] = [await openSide('7.2-x86_64'), await openSide('10.0-x86_64')];
    expect(about(compareSides(old, fresh), 'e1000e')).toEqual([
      'conditional field-not-sent core.timadj property migrate-timadj',
      'conditional field-not-read core.timadj property migrate-timadj',
    ]);
    const report = compareSides(old, fresh, { machines: ['pc-q35-7.2'], only: ['e1000e'] });
    expect(about(report, 'e1000e')).toEqual([]);
    expect(report.machines).toEqual([
      {
        machineType: 'pc-q35-7.2',
        undecided: [],
        counts: [
          { direction: 'old-to-new', certain: 0, conditional: 0, gated: 1 },
          { direction: 'new-to-old', certain: 0, conditional: 0, gated: 1 },
        ],
      },
    ]);
  });

  // x-early-migration is new in 8.2, and off up to 8.1 (hw/i386/pc.c).
  test('virtio-mem of 7.2 with that of 10.0', async () => {
    const [old, fresh] = [await openSide('7.2-x86_64'), await openSide('10.0-x86_64')];
    const anyVm = about(compareSides(old, fresh), 'virtio-mem-device');
    expect(anyVm).toHaveLength(4);
    expect(anyVm.every((line) => /^conditional .*property x-early-migration$/.test(line))).toBe(true);
    expect(about(compareSides(old, fresh, { machines: ['pc-q35-7.2'] }), 'virtio-mem-device')).toEqual([]);
  });

  test('what is not gated is certain', async () => {
    // As if a machine type of 7.2 had what is new since.
    const schema = await openSchema('7.2-x86_64');
    const old = sideOfSchema({ ...schema, machineTypes: ['pc-q35-8.2', 'pc-q35-7.2'] }, 'old');
    const report = compareSides(old, await openSide('10.0-x86_64'), {
      machines: ['pc-q35-7.2', 'pc-q35-8.2'],
      direction: 'old-to-new',
    });
    expect(about(report, 'virtio-mem-device')).toEqual([
      'certain field-not-read size',
      'certain field-not-read addr',
      'conditional field-not-read bitmap bitmap is not empty',
    ]);
    const finding = report.findings.find(({ fields }) => fields[0] === 'size');
    expect(finding?.machineTypes).toEqual(['pc-q35-8.2']);
    expect(report.machines.map(({ undecided }) => undecided)).toEqual([[], ['old']]);
    expect([...compatText(report)].join('\n')).toContain('for pc-q35-8.2\n');
  });

  test('all machine types that both have, and know of', async () => {
    const report = compareSides(await openSide('10.0-x86_64'), await openSide('11.1-x86_64'));
    const names = report.machines.map(({ machineType }) => machineType);
    // From 5.2, the oldest of 11.1, to 10.0.
    expect(names).toHaveLength(28);
    expect([names[0], names[13], names[14], names[27]]).toEqual([
      'pc-i440fx-5.2',
      'pc-i440fx-10.0',
      'pc-q35-5.2',
      'pc-q35-10.0',
    ]);
    const old = report.machines[14];
    const [forward] = old!.counts;
    const own = compareSides(await openSide('10.0-x86_64'), await openSide('11.1-x86_64'), {
      machines: ['pc-q35-5.2'],
      direction: 'old-to-new',
    });
    expect(own.findings.filter(({ rank }) => rank === 'certain')).toHaveLength(forward!.certain);
    expect(own.findings.filter(({ rank }) => rank === 'conditional')).toHaveLength(forward!.conditional);
    // pvscsi without x-disable-pcie, pcie-root-port with x-migrate-msix.
    expect(forward!.gated).toBe(4);
    const lines = [...compatText(report)];
    const table = lines.slice(lines.findIndex((line) => line.startsWith('machine type')));
    expect(table.map((line) => line.replace(/ {2}.*/, ''))).toEqual([
      'machine type',
      'pc-i440fx-5.2 \u2026 pc-i440fx-6.0',
      'pc-i440fx-6.1 \u2026 pc-i440fx-10.0',
      'pc-q35-5.2 \u2026 pc-q35-6.0',
      'pc-q35-6.1 \u2026 pc-q35-10.0',
    ]);
  });

  test('one that is not there is refused, with what is near', async () => {
    const [old, fresh] = [await openSide('10.0-x86_64'), await openSide('11.1-x86_64')];
    const compare = (machines: string[]) => () => compareSides(old, fresh, { machines });
    expect(compare(['pc-q35-10.O'])).toThrow(/^no machine type of both is pc-q35-10\.O; near: pc-q35-10\.0/);
    expect(compare(['pc-q35-2.4'])).toThrow(/^NEW has no machine type pc-q35-2\.4/);
    expect(compare(['pc-q35-11.1'])).toThrow(/^OLD has no machine type pc-q35-11\.1/);
    expect(compare(['virt-*'])).toThrow(/^no machine type of both is virt-\*$/);
  });
});

/** Of `struct { …; bool x_old; }` at 0x100. */
const property: Property = { name: 'x-old', type: 'bool', offset: 0x100, bit: undefined, defaultValue: 1n };
const asksOld: Expression = ['ne', ['load', 'opaque', 0x100, 1], 0];

interface Given {
  readonly property?: Partial<Property>;
  readonly test?: Expression;
  readonly settings: readonly GlobalProperty[];
  readonly types?: QemuSchema['types'];
}

/** Ranks of what an older QEMU finds of a field that hangs on the property, for a VM of machine type `m-1`. */
function ranks({ property: changed = {}, test: exists = asksOld, settings, types }: Given): string[] {
  const plain = tables([{ name: 'dev', types: ['dev'], fields: [{ name: 'a' }] }]);
  const schema = tables([{ name: 'dev', types: ['dev'], fields: [{ name: 'a' }, { name: 'b', exists }] }]);
  const made: QemuSchema = {
    ...schema,
    types: types ?? schema.types.map((type) => ({ ...type, propertyLists: [0] })),
    propertyLists: [{ object: 0, address: 0, properties: [{ ...property, ...changed }] }],
    machineTypes: ['m-1', 'm-2'],
    // Some machine type sets it: the property is one of those.
    globalPropertyLists: [[{ driver: 'dev', property: 'x-old', value: 'off' }], settings],
    machineProperties: [
      { machineType: 'm-2', globalPropertyLists: [0] },
      { machineType: 'm-1', globalPropertyLists: [1] },
    ],
  };
  const old = sideOfSchema({ ...plain, machineTypes: ['m-1'] }, 'old');
  const report = compareSides(old, sideOfSchema(made, 'new'), { machines: ['m-1'], direction: 'new-to-old' });
  return report.findings.map(({ rank, rule }) => `${rank} ${rule}`);
}

const sent = ['certain compat-field-not-read'];
const open = ['conditional compat-field-not-read'];
const set = (value: string, driver = 'dev'): GlobalProperty => ({ driver, property: 'x-old', value });
const type = { parent: 'device', instanceSize: 0, abstract: false, vmsds: [], propertyLists: [] };

describe('a property', () => {
  test('is what the machine type sets, else the default', () => {
    expect(ranks({ settings: [set('off')] })).toEqual([]);
    expect(ranks({ settings: [] })).toEqual(sent);
    expect(ranks({ settings: [], property: { defaultValue: 0n } })).toEqual([]);
    expect(ranks({ settings: [], property: { defaultValue: undefined } })).toEqual(open);
  });

  test('is what is set last', () => {
    expect(ranks({ settings: [set('off'), set('on')] })).toEqual(sent);
    expect(ranks({ settings: [set('on'), set('false')] })).toEqual([]);
  });

  test('is not known of a text that QEMU would refuse', () => {
    expect(ranks({ settings: [set('maybe')] })).toEqual(open);
  });

  test('may be set for a parent', () => {
    const types = [
      { ...type, name: 'base', abstract: true },
      { ...type, name: 'dev', parent: 'base', vmsds: [0], propertyLists: [0] },
    ];
    expect(ranks({ settings: [set('off', 'base')], types })).toEqual([]);
  });

  test('is not known where the devices of a VMSD differ', () => {
    const types = [
      { ...type, name: 'dev', abstract: true, vmsds: [0], propertyLists: [0] },
      { ...type, name: 'dev-a', parent: 'dev' },
      { ...type, name: 'dev-b', parent: 'dev' },
    ];
    expect(ranks({ settings: [set('off', 'dev-a')], types })).toEqual(open);
    expect(ranks({ settings: [set('off', 'dev-a'), set('off', 'dev-b')], types })).toEqual([]);
  });

  test('is not known where a device around may hand it on, unless that has it itself', () => {
    const dev = { ...type, name: 'dev', vmsds: [0], propertyLists: [0] };
    expect(ranks({ settings: [set('off', 'dev-pci')], types: [dev, { ...type, name: 'dev-pci' }] })).toEqual(
      open,
    );
    expect(ranks({ settings: [set('off', 'made-at-run-time')], types: [dev] })).toEqual(open);
    const other = { ...type, name: 'other', propertyLists: [0] };
    expect(ranks({ settings: [set('off', 'other')], types: [dev, other] })).toEqual(sent);
  });

  test('may be a bit, or a number', () => {
    const bit: Expression = ['ne', ['and', ['load', 'opaque', 0x100, 4], 8], 0];
    expect(ranks({ settings: [set('off')], property: { bit: 3 }, test: bit })).toEqual([]);
    expect(ranks({ settings: [], property: { bit: 3 }, test: bit })).toEqual(sent);
    expect(ranks({ settings: [set('off')], property: { bit: 4 }, test: bit })).toEqual(open);
    const number: Expression = ['ltu', 1, ['load', 'opaque', 0x100, 1]];
    expect(
      ranks({ settings: [set('1')], property: { type: 'uint8', defaultValue: 2n }, test: number }),
    ).toEqual([]);
    expect(ranks({ settings: [set('0x2')], property: { type: 'uint8' }, test: number })).toEqual(sent);
    // The byte behind it is another member.
    const wider: Expression = ['ltu', 1, ['load', 'opaque', 0x100, 2]];
    expect(ranks({ settings: [set('1')], property: { type: 'uint8' }, test: wider })).toEqual(open);
  });
});

describe('what is read from the binary is what its QEMU answers', () => {
  test.each([
    '10.0-x86_64',
    '10.0-aarch64',
    '10.0-ppc64',
    '10.0-s390x',
    '11.1-x86_64',
    '11.1-aarch64',
    '11.1-s390x',
  ])('%s', async (name) => {
    const schema = await openSchema(name);
    const machines = JSON.parse(answer(name)).return;
    expect(machines.length).toBeGreaterThan(0);
    for (const machine of machines)
      expect(settingsOf(schema, machine.name)).toEqual(machine['compat-props'] ?? []);
    expect(schema.machineProperties.map(({ machineType }) => machineType)).toEqual(schema.machineTypes);
  });
});

/** What a machine type sets, as QEMU says it. */
function settingsOf({ globalPropertyLists, machineProperties }: MachineTables, name: string) {
  return machineProperties
    .find(({ machineType }) => machineType === name)
    ?.globalPropertyLists.flatMap((list) => globalPropertyLists[list]!)
    .map(({ driver, property, value }) => ({ 'qom-type': driver, property, value }));
}

describe('an answer to query-machines', () => {
  test('is the list, what QMP sends, or a session', () => {
    const text = answer('10.0-x86_64');
    const tablesOf = parseQueryMachines(text);
    expect(parseQueryMachines(JSON.stringify(JSON.parse(text).return))).toEqual(tablesOf);
    expect(parseQueryMachines(`{"QMP": {}}\n{"return": {}}\n${text}\n`)).toEqual(tablesOf);
    // In whatever lists, in the order of QEMU's.
    for (const { name, 'compat-props': properties = [] } of JSON.parse(text).return) {
      expect(settingsOf(tablesOf, name)).toEqual(properties);
    }
  });

  test('that is none is refused, with the reason', () => {
    const refuse = (text: string) => () => parseQueryMachines(text, 'q.json');
    const start = 'q.json is no answer to query-machines {"compat-props": true}: ';
    expect(refuse('{')).toThrow(start);
    expect(refuse('{"error": {"class": "GenericError", "desc": "Parameter x is unexpected"}}')).toThrow(
      `${start}QEMU refused it (Parameter x is unexpected)`,
    );
    expect(refuse('{}')).toThrow(`${start}"return" is not an array`);
    expect(refuse('[{"name": "pc"}]')).toThrow(`${start}no machine type in it has "compat-props"`);
    expect(refuse('[{"name": "pc", "compat-props": [{"property": "a", "value": "b"}]}]')).toThrow(
      `${start}"[0].compat-props[0].qom-type" is not a string`,
    );
    // A property may be there twice: QEMU 11.1 sets unplugged-inaccessible of virtio-mem for pc-q35-6.2 so, and the last holds.
    const property = (value: string) => ({
      'qom-type': 'virtio-mem',
      property: 'unplugged-inaccessible',
      value,
    });
    const machine = (...values: string[]) => ({ name: 'pc-q35-6.2', 'compat-props': values.map(property) });
    expect(refuse(JSON.stringify([machine('auto', 'off')]))).not.toThrow();
    expect(refuse(JSON.stringify([machine('auto'), machine('off')]))).toThrow(
      `${start}"[1].name": pc-q35-6.2 is in it twice`,
    );
  });
});

describe('an alias of a machine type', () => {
  test('is the newest of its family, where both sides mean the same', async () => {
    for (const [name, alias, machineType] of [
      ['10.0-x86_64', 'q35', 'pc-q35-10.0'],
      ['10.0-x86_64', 'pc', 'pc-i440fx-10.0'],
      ['10.0-s390x', 's390-ccw-virtio', 's390-ccw-virtio-10.0'],
    ] as const) {
      const { machines } = compareSides(await openSide(name), await openSide(name), { machines: [alias] });
      expect(machines.map((each) => each.machineType)).toEqual([machineType]);
    }
  });

  test('that is another one on each side is refused, with what both have', async () => {
    const [old, fresh] = [await openSide('10.0-x86_64'), await openSide('11.1-x86_64')];
    expect(() => compareSides(old, fresh, { machines: ['q35'] })).toThrow(
      'q35 stands for pc-q35-10.0 in OLD and pc-q35-11.1 in NEW; both have pc-q35-10.0',
    );
    expect(() => compareSides(old, fresh, { machines: ['q3'] })).toThrow('no machine type of both is q3');
  });
});
