import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { compareSides } from '../../src/compat/compat.ts';
import { sideOfSchema } from '../../src/compat/side-of-schema.ts';
import { openStream } from '../../src/layout/open.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { compileSelectors } from '../../src/ops/select.ts';
import { fieldsOf } from '../../src/ops/where.ts';
import { parseSchema } from '../../src/schema/parse-schema.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';
import { openFixture } from '../fixtures.ts';

/** Of an unstripped QEMU 10.0.13 by scripts/truth/thin-schema.mjs: fdc, pckbd and virtio-scsi, each the name of two VMSDs. */
const file = join(import.meta.dirname, '../../fixtures/symbols/qemu-10.0-same-names.json.gz');
const schema = parseSchema(String(gunzipSync(readFileSync(file))));
/** Where the source of QEMU 10.0.13 has them. */
const places: Readonly<Record<string, string>> = {
  vmstate_fdc: 'hw/block/fdc.c:1021',
  vmstate_isa_fdc: 'hw/block/fdc-isa.c:276',
  vmstate_kbd: 'hw/input/pckbd.c:615',
  vmstate_kbd_isa: 'hw/input/pckbd.c:779',
};

const indexOf = (variable: string) => schema.symbols!.vmsds.findIndex((symbol) => symbol?.name === variable);

/** The schema of a QEMU whose VMSD has one field less, and which is of another build. */
function without(variable: string, field: string): QemuSchema {
  const at = indexOf(variable);
  const vmsds = schema.vmsds.map((vmsd, i) =>
    i === at ? { ...vmsd, fields: vmsd.fields.filter(({ name }) => name !== field) } : vmsd,
  );
  return { ...schema, vmsds };
}

/** The same with a VMSD of a version that others do not know. */
function newer(variable: string): QemuSchema {
  const at = indexOf(variable);
  const vmsds = schema.vmsds.map((vmsd, i) =>
    i === at ? { ...vmsd, versionId: vmsd.versionId + 1, minimumVersionId: vmsd.versionId + 1 } : vmsd,
  );
  return { ...schema, vmsds };
}

/** The schema without the name of one variable, as of one that the schema never had. */
function unnamed(tables: QemuSchema, variable: string): QemuSchema {
  const symbols = tables.symbols!;
  const vmsds = symbols.vmsds.map((symbol) => (symbol?.name === variable ? undefined : symbol));
  return { ...tables, symbols: { ...symbols, vmsds } };
}

function symbolsOf(old: QemuSchema, fresh: QemuSchema): (string | undefined)[][] {
  const { findings } = compareSides(sideOfSchema(old, 'a'), sideOfSchema(fresh, 'b'));
  return findings.map(({ symbols }) =>
    [symbols?.old, symbols?.new].map((symbol) => symbol && `${symbol.name} ${symbol.file}:${symbol.line}`),
  );
}

describe('of VMSDs that share a name', () => {
  test.for([
    ['vmstate_fdc', without('vmstate_fdc', 'sra')],
    ['vmstate_kbd', without('vmstate_kbd', 'status')],
    ['vmstate_isa_fdc', newer('vmstate_isa_fdc')],
    ['vmstate_kbd_isa', newer('vmstate_kbd_isa')],
  ] as const)('compat names the one that differs: %s', ([variable, changed]) => {
    const name = `${variable} ${places[variable]}`;
    const [found, reversed] = [symbolsOf(schema, changed), symbolsOf(changed, schema)];
    expect(found.length).toBeGreaterThan(0);
    for (const sides of [...found, ...reversed]) expect(sides).toEqual([name, name]);
  });

  test('the other one is never named in its place', () => {
    const changed = without('vmstate_fdc', 'sra');
    for (const variable of ['vmstate_fdc', 'vmstate_isa_fdc']) {
      const found = symbolsOf(unnamed(schema, variable), unnamed(changed, variable));
      expect(found.length).toBeGreaterThan(0);
      for (const side of found.flat())
        expect(side).toBe(variable === 'vmstate_fdc' ? undefined : `vmstate_fdc ${places['vmstate_fdc']}`);
    }
  });

  async function variablesAt(tables: QemuSchema, stream: string, path: string) {
    for (const ignoreVmdesc of [false, true]) {
      const opened = await openStream(openFixture(stream), {
        tables: new SchemaTables(tables),
        ignoreVmdesc,
      });
      for await (const { vmsds } of fieldsOf(opened, compileSelectors([path])!)) {
        const named = vmsds.map(({ symbol }) => symbol && `${symbol.name} ${symbol.file}:${symbol.line}`);
        if (ignoreVmdesc) return named;
      }
    }
    return undefined;
  }
  const named = (...variables: string[]) => variables.map((variable) => `${variable} ${places[variable]}`);

  test('where names each by what it has', async () => {
    expect(await variablesAt(schema, 'qemu-10.0-pc-devices', 'fdc/state/sra')).toEqual(
      named('vmstate_isa_fdc', 'vmstate_fdc'),
    );
    expect(await variablesAt(schema, 'qemu-10.0-pc-devices', 'pckbd/kbd/status')).toEqual(
      named('vmstate_kbd_isa', 'vmstate_kbd'),
    );
  });

  test('where names none that another could be', async () => {
    // Both are all of one field, `virtio`.
    const field = '*/virtio-scsi/virtio';
    const scsi = await variablesAt(schema, 'qemu-10.0-q35-devices', field);
    expect(scsi?.[0]).toBeUndefined();
    // A schema of the inner one alone, which does not say what is around it.
    const { types } = schema;
    const inner = indexOf('vmstate_fdc');
    const thin = {
      ...schema,
      vmsds: schema.vmsds.map((vmsd, i) =>
        i === indexOf('vmstate_isa_fdc') ? { ...vmsd, name: 'none', fields: [] } : vmsd,
      ),
      types: types.map((type) => ({ ...type, vmsds: type.vmsds.filter((index) => index !== inner) })),
    };
    const opened = await openStream(openFixture('qemu-10.0-pc-devices'), { tables: new SchemaTables(thin) });
    const found = [];
    for await (const { vmsds } of fieldsOf(opened, compileSelectors(['fdc/state/sra'])!))
      found.push(...vmsds.map(({ symbol }) => symbol?.name));
    expect(new Set(found)).toEqual(new Set([undefined, 'vmstate_fdc']));
  });
});
