import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { readDebugFile } from '../../src/extract/debug-files.ts';
import { type DebugLayouts, readDebugLayouts } from '../../src/extract/debug-layouts.ts';
import { loadProgram } from '../../src/extract/elf/load.ts';
import { findInfos } from '../../src/extract/find-infos.ts';
import { fitKnownLayout, fitLayout } from '../../src/extract/fit-layout.ts';
import { inferLayout } from '../../src/extract/infer-layout.ts';
import { PropertyReader } from '../../src/extract/qdev-properties.ts';
import { findTypes } from '../../src/extract/qom-types.ts';
import { extractSchemaOfFile } from '../../src/node/schema-file.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';
import { sectionOf, withoutSections } from './elf/edit-sections.ts';
import { symbolFixture } from './symbol-fixtures.ts';

// How structs lie in memory here is what `ptype /o` of gdb says of the file.
const tables = symbolFixture('qemu-10.0-tables');
const stripped = withoutSections(tables, /^\.(debug|symtab|strtab)/);

const warnings: string[] = [];
let at: string;
beforeEach(() => {
  at = mkdtempSync(join(tmpdir(), 'vmwalk-layouts-'));
  warnings.splice(0);
});
afterEach(() => rmSync(at, { recursive: true }));

function extract(bytes: Uint8Array): Promise<QemuSchema> {
  const path = join(at, 'qemu-system-x86_64');
  writeFileSync(path, bytes);
  return extractSchemaOfFile(path, [], { onWarning: (message) => warnings.push(message) });
}

async function layoutsOf(bytes: Uint8Array): Promise<DebugLayouts | undefined> {
  const file = await readDebugFile(memorySource(bytes, 'qemu'), undefined, {
    decompress: () => Promise.reject(new Error('nothing is compressed')),
    open: () => Promise.resolve(undefined),
    crc32: () => Promise.resolve(0),
    warn: (message) => warnings.push(message),
  });
  return readDebugLayouts([file]);
}

/** The file, whose debug information has other names for members. */
function renamed(names: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const file = Uint8Array.from(tables);
  const { offset, size } = sectionOf(file, '.debug_str');
  const texts = Buffer.from(tables.subarray(offset, offset + size));
  for (const [name, other] of Object.entries(names)) {
    const found = texts.indexOf(`\0${name}\0`);
    if (found < 0 || other.length !== name.length) throw new Error(`cannot rename ${name}`);
    file.set(Buffer.from(other), offset + found + 1);
  }
  return file;
}

function tablesOf({ symbols: _, ...rest }: QemuSchema): Omit<QemuSchema, 'symbols'> {
  return rest;
}

test('debug information describes the layouts that gdb shows', async () => {
  const layouts = await layoutsOf(tables);
  expect(layouts?.others).toEqual([]);
  expect(layouts?.table?.field).toEqual({
    stride: 104,
    name: 0,
    errHint: 8,
    offset: 16,
    size: 24,
    start: 32,
    num: 40,
    numOffset: 48,
    numSize: undefined,
    sizeOffset: 56,
    sizeSize: undefined,
    info: 64,
    flags: 72,
    vmsd: 80,
    versionId: 88,
    structVersionId: 92,
    fieldExists: 96,
  });
  expect(layouts?.table?.vmsd).toEqual({
    size: 88,
    unmigratable: 8,
    earlySetup: 9,
    versionId: 12,
    minimumVersionId: 16,
    priority: 20,
    callbacks: new Map([
      ['preLoad', 24],
      ['postLoad', 32],
      ['preSave', 40],
      ['postSave', 48],
      ['needed', 56],
      ['devUnplugPending', 64],
    ]),
    fields: 72,
    subsections: 80,
  });
  expect(layouts?.property).toEqual({
    stride: 72,
    bit: 64,
    setDefault: 65,
    defaultValue: 40,
    pointers: [48, 24],
  });
  expect(layouts?.type).toEqual({
    instanceAlign: 24,
    functions: [32, 40, 48, 72, 80],
    abstract: 56,
    classInit: 72,
  });
  // A layout that releases have is called after the first of them.
  expect(layouts?.table?.name).toBe('8.0');
});

test('what is worked out from the stripped file agrees with what debug information describes', async () => {
  const { image } = await loadProgram(memorySource(stripped));
  const infos = findInfos(image);
  const described = (await layoutsOf(tables))?.table;
  // No field here has a hint or a start: inference cannot know of them.
  const comparable = { ...described?.field, errHint: undefined, start: undefined };
  const inferred = inferLayout(image, infos);
  expect(inferred?.field).toEqual(comparable);
  expect(inferred?.vmsd).toEqual(described?.vmsd);
  expect(fitKnownLayout(image, new Set(infos.keys()), undefined)?.layout).toBe(described);
  const schema = await extract(tables);
  expect(schema.vmsds.length).toBeGreaterThan(30);
  expect(tablesOf(schema)).toEqual(tablesOf(await extract(stripped)));
  expect(warnings).toEqual([]);
});

test('a described layout that no release has is used', async () => {
  const bytes = renamed({ dev_unplug_pending: 'dev_unplug_waiting' });
  const schema = await extract(bytes);
  expect(schema.layout).toBe('described');
  expect(schema.vmsds).toEqual((await extract(stripped)).vmsds);
  expect(warnings).toEqual([]);
});

test.for([
  // The lists are where these point to functions.
  [{ fields: 'needed', needed: 'fields' }, 'VMStateField or VMStateDescription'],
  [{ field_exists: 'field_is_set' }, undefined],
  [{ unmigratable: 'untransmittd' }, undefined],
  [{ num_offset: 'num_office' }, 'VMStateField'],
  [{ instance_finalize: 'instance_finalist' }, 'TypeInfo'],
] as const)('one that is not that of the tables is not: %o', async ([names, struct]) => {
  const schema = await extract(renamed(names as Record<string, string>));
  expect(tablesOf(schema)).toEqual(tablesOf(await extract(stripped)));
  expect(warnings).toEqual(
    struct === undefined
      ? []
      : [
          expect.stringMatching(
            new RegExp(`: its debug information describes another ${struct} than the binary has$`),
          ),
        ],
  );
});

test('of two layouts that explain as little the described one is used', async () => {
  const program = await loadProgram(memorySource(stripped));
  const infos = findInfos(program.image);
  const described = fitKnownLayout(program.image, new Set(infos.keys()), undefined)!.layout;
  const same = { ...described, name: 'same' };
  expect(fitLayout(program, infos, undefined, same)).toMatchObject({
    contradictsDescription: false,
    reader: { layout: { name: 'same' } },
  });
  const wrong = { ...described, field: { ...described.field, info: 24 } };
  expect(fitLayout(program, infos, undefined, wrong)).toMatchObject({
    contradictsDescription: true,
    reader: { layout: { name: '8.0' } },
  });
});

test('described layouts of properties and types are not used where others find more', async () => {
  const { image } = await loadProgram(memorySource(stripped));
  const layouts = (await layoutsOf(tables))!;
  expect(new PropertyReader(image, layouts.property).layout).toBe(layouts.property);
  expect(new PropertyReader(image, { ...layouts.property!, stride: 96 }).layout).toEqual(layouts.property);
  expect(findTypes(image, layouts.type).layout).toBe(layouts.type);
  expect(findTypes(image, { ...layouts.type!, classInit: 16, abstract: 0 }).layout).toEqual(layouts.type);
});
