import { describe, expect, it } from 'vitest';
import { walk } from '../../src/layout/children.ts';
import type { LayoutNode } from '../../src/layout/node.ts';
import { layoutOf, openStream } from '../../src/layout/open.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { builtinSchemas } from '../../src/node/builtin-schema-index.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { describe as describeStream } from '../../src/ops/describe.ts';
import { hexBytes } from '../../src/render/value.ts';
import { openVm } from '../../src/vm/vm.ts';
import { fixtures, openFixture } from '../fixtures.ts';
import { wronglyExact } from './wrongly-exact.ts';

/** Values by path, type and place; a field with a custom info is one value, whatever is inside. */
function values(root: LayoutNode): string[] {
  const lines: string[] = [];
  let covered = -1;
  for (const { node, path } of walk(root)) {
    if (node.kind === 'array' || node.start < covered || (node.kind === 'struct' && !node.value)) continue;
    if (node.kind === 'struct') covered = node.end;
    const value = node.value instanceof Uint8Array ? hexBytes(node.value) : String(node.value);
    lines.push(`${path.join('/')} ${node.type} ${node.start} ${node.end} ${value}`);
  }
  return lines;
}

const index = await builtinSchemas();

/** The built-in tables of the very QEMU that wrote a fixture. */
async function tablesFor(qemuVersion: string, target: string): Promise<SchemaTables | undefined> {
  const release = qemuVersion.split('.').slice(0, 2).join('.');
  const entry = index.find(
    (schema) => schema.qemuVersion.startsWith(`${release}.`) && schema.target === target,
  );
  if (!entry) return undefined;
  return new SchemaTables(await openSchema(entry.name));
}

const described = fixtures.filter(({ script }) => script.desc !== null);

describe('reading by VMSD tables, against the vmdesc of the same bytes', () => {
  let allSections = 0;
  let allIdentical = 0;

  it.each(described.map((fixture) => [fixture.name, fixture] as const))('%s', async (name, fixture) => {
    const tables = await tablesFor(fixture.qemuVersion, fixture.target);
    if (!tables) {
      // Only targets that Debian's users meet have built-in tables.
      expect(index.some(({ target }) => target === fixture.target)).toBe(false);
      return;
    }
    const opened = await openStream(openFixture(name));
    expect(opened.schema).toBeDefined();
    let sections = 0;
    let identical = 0;
    for (const section of opened.stream.sections) {
      if (section.scanner) continue;
      // The tables open up what the vmdesc leaves closed.
      const truth = await layoutOf({ ...opened, tables }, section);
      // An array of a million words says no more than a short one, and takes long.
      if (truth.root.vmsdName === undefined || truth.root.end - truth.root.start > 300_000) continue;
      const found = await layoutOf({ ...opened, schema: undefined, tables }, section);
      const same = values(found.root).join('\n') === values(truth.root).join('\n');
      sections++;
      if (same) identical++;
      // What is not marked as chosen among several, or as not understood, must be right.
      if (found.diagnostics.length === 0)
        expect({ section: section.idstr, same }).toEqual({ section: section.idstr, same: true });
      expect(wronglyExact(found.root, truth.root), section.idstr).toEqual([]);
    }
    expect(sections).toBeGreaterThan(0);
    allSections += sections;
    allIdentical += identical;
  });

  it('nearly all sections are identical', () => {
    expect(allIdentical / allSections).toBeGreaterThan(0.985);
  });
});

describe('a stream without a vmdesc', () => {
  const plain = fixtures.find(({ name }) => name.endsWith('-suppress-vmdesc'))!;
  const twin = fixtures.find(({ name }) => name.endsWith('-suppress-vmdesc-twin'))!;

  it('is read by built-in tables without being told which', async () => {
    const opened = await openVm(openFixture(plain.name), { schemas: packagedSchemas });
    expect(opened.tables?.schema.qemuVersion?.startsWith(plain.qemuVersion.split(' ')[0]!)).toBe(true);
    expect(opened.tables?.schema.target).toBe(plain.target);
    for (const section of opened.stream.sections) {
      const { root, diagnostics } = await layoutOf(opened, section);
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
      for (const { node } of walk(root)) expect(node.kind).not.toBe('gap');
    }
  });

  it('gets the vmdesc that QEMU wrote for its twin', async () => {
    const opened = await openVm(openFixture(plain.name), { schemas: packagedSchemas });
    const { vmdesc } = await describeStream(opened);
    const { vmdesc: truth } = await openStream(openFixture(twin.name));
    expect(vmdesc).toEqual(truth);
  });
});
