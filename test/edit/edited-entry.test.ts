import { expect, test } from 'vitest';
import { readExactly } from '../../src/bytes/source.ts';
import { applyEdits } from '../../src/edit/apply-edits.ts';
import { type Edit, planEdits } from '../../src/edit/edit.ts';
import { editedEntry, formOf } from '../../src/edit/edited-entry.ts';
import { shapeOf } from '../../src/edit/edited-node.ts';
import { encodeSection } from '../../src/edit/encode.ts';
import { parseDecodedSection } from '../../src/edit/read-decoded.ts';
import type { StructNode } from '../../src/layout/node.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { describe } from '../../src/ops/describe.ts';
import { decodedSectionJson } from '../../src/render/decoded-json.ts';
import { deviceKey } from '../../src/schema/schema.ts';
import { deviceEntries, type JsonObject } from '../../src/schema/vmdesc.ts';
import { openVm } from '../../src/vm/vm.ts';
import { openFixture } from '../fixtures.ts';

const NAMES = ['qemu-5.2-pc-devices', 'qemu-7.2-pc-devices', 'qemu-10.0-q35-devices'];

const PC = 'qemu-7.2-pc-devices';
const drop = (selector: string): Edit => ({ edit: 'drop', selector });

test.each(NAMES)('what was decoded and encoded is described as QEMU did: %s', async (name) => {
  const vm = await openVm(openFixture(name), { schemas: packagedSchemas });
  const entries = new Map(deviceEntries(vm.vmdesc!).map((each) => [deviceKey(each), each.entry]));
  const form = formOf(vm.vmdesc!, undefined);
  let each = 0;
  for (const section of vm.sections) {
    const entry = entries.get(deviceKey(section));
    const layout = await vm.layout(section);
    if (!entry || section.occurrence > 0 || layout.root.vmsdName === undefined) continue;
    const { start, end } = layout.root;
    const bytes = await readExactly(vm.source, start, end - start);
    const text = [
      ...decodedSectionJson(layout, (node) => bytes.subarray(node.start - start, node.end - start)),
    ];
    const encoded = await encodeSection(parseDecodedSection(text.join(''), section.idstr), undefined);
    const made = editedEntry(entry, layout.root, shapeOf(encoded) as StructNode, form);
    expect([section.idstr, made]).toEqual([section.idstr, entry]);
    if (JSON.stringify(entry).includes('"index":')) each++;
  }
  expect(each).toBeGreaterThan(0);
});

test.each([
  ['a subsection less in one of several elements', PC, drop('fdc/state/drives[0]/fdrive/media_rate'), 'fdc'],
  ['elements less', PC, drop('hpet/timer[1]'), 'hpet'],
])('%s is described as the tables of its QEMU do', async (_, name, change, idstr) => {
  const vm = await openVm(openFixture(name), { schemas: packagedSchemas });
  const edits = await planEdits(vm, [change]);
  // An HPET has three timers at least: QEMU would not load one of two.
  const { source } = await applyEdits(vm, edits, { force: true });
  const tables = new SchemaTables(await openSchema('7.2-x86_64'));
  const [own, made] = [await openVm(source), await openVm(source, { tables, ignoreVmdesc: true })];
  const entry = (vmdesc: JsonObject | undefined) =>
    deviceEntries(vmdesc!).find((each) => each.idstr === idstr)!.entry;
  expect(entry(own.vmdesc)).not.toEqual(entry(vm.vmdesc));
  expect(entry(own.vmdesc)).toEqual(entry((await describe(made)).vmdesc));
});
