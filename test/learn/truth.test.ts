import { describe, expect, it } from 'vitest';
import { walk } from '../../src/layout/children.ts';
import { layoutOf, openStream } from '../../src/layout/open.ts';
import { SchemaTables } from '../../src/layout/tables.ts';
import { builtinSchemas } from '../../src/node/builtin-schema-index.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { type QemuSchema, VMS_VARRAY } from '../../src/schema/qemu-schema.ts';
import { type Fixture, fixtures, openFixture } from '../fixtures.ts';
import { compare, learnFrom } from './learn.ts';

const described = fixtures.filter(({ size, script, capabilities = [] }) => {
  return script.desc !== null && size < 400_000 && !capabilities.includes('postcopy-ram');
});

/** Fixtures of one QEMU, by its version and target. */
const builds = new Map<string, Fixture[]>();
for (const fixture of described) {
  const key = `${fixture.qemuVersion.split(' ')[0]} ${fixture.target}`;
  builds.set(key, [...(builds.get(key) ?? []), fixture]);
}

describe('a schema learned from all fixtures of a build', () => {
  it.each([...builds])('reads them without their vmdesc: %s', async (_, streams) => {
    const learned = await learnFrom(streams.map(({ name }) => name));
    let sections = 0;
    for (const { name } of streams) {
      for (const { section, isSame, isSure } of await compare(learned, name)) {
        sections++;
        // Only where something had to be guessed it may be wrong.
        if (!isSame) expect({ name, section, isSure }).toEqual({ name, section, isSure: false });
      }
    }
    expect(sections).toBeGreaterThan(0);
  });
});

describe('a schema learned from other fixtures of the build', () => {
  let same = 0;
  let all = 0;
  const several = [...builds].filter(([, streams]) => streams.length > 2);

  it.each(several)('is not wrong and sure: %s', async (_, streams) => {
    for (const [i, { name }] of streams.entries()) {
      if (i % 2 === 1) continue;
      const others = streams.filter((other) => other.name !== name);
      const learned = await learnFrom(others.map((other) => other.name));
      for (const { section, isSame, isSure } of await compare(learned, name)) {
        all++;
        if (isSame) same++;
        else expect({ name, section, isSure }).toEqual({ name, section, isSure: false });
      }
    }
  });

  it('reads nearly all devices that were in them', () => {
    expect(all).toBeGreaterThan(100);
    expect(same / all).toBeGreaterThan(0.95);
  });
});

describe('a schema learned from the twin of a stream without a vmdesc', () => {
  const plain = fixtures.find(({ name }) => name.endsWith('-suppress-vmdesc'))!;
  const twin = fixtures.find(({ name }) => name.endsWith('-suppress-vmdesc-twin'))!;

  it('gives the fields that the twin has', async () => {
    const { schema } = await learnFrom([twin.name]);
    const opened = await openStream(openFixture(plain.name), { tables: new SchemaTables(schema) });
    const other = await openStream(openFixture(twin.name));
    expect(opened.stream.sections.length).toBe(other.stream.sections.length);
    for (const [i, section] of opened.stream.sections.entries()) {
      if (section.scanner) continue;
      const { root, diagnostics } = await layoutOf(opened, section);
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
      const truth = (await layoutOf(other, other.stream.sections[i]!)).root;
      const virtio = [...walk(truth)].some(({ node }) => node.type === 'virtio');
      // A custom info is opened up differently by tables and by a vmdesc.
      if (virtio) continue;
      const paths = (node: typeof root) =>
        [...walk(node)].flatMap((step) => (step.node.kind === 'leaf' ? [step.path.join('/')] : []));
      expect(paths(root)).toEqual(paths(truth));
    }
  });
});

describe('a count that is learned', () => {
  /** `VMSD/array`: name of the field that holds its count, where one does. */
  const counters = ({ vmsds }: QemuSchema): Map<string, string> => {
    const found = new Map<string, string>();
    for (const { name, fields } of vmsds) {
      for (const field of fields) {
        if ((field.flags & VMS_VARRAY) === 0) continue;
        const counter = fields.find(
          ({ offset, size }) => offset === field.numOffset && size === field.numSize,
        );
        if (counter) found.set(`${name}/${field.name}`, counter.name);
      }
    }
    return found;
  };

  it('is in the member that QEMU has it in', async () => {
    const index = await builtinSchemas();
    let compared = 0;
    for (const [build, streams] of builds) {
      const [version = '', target] = build.split(' ');
      const release = version.split('.').slice(0, 2).join('.');
      const entry = index.find((of) => of.qemuVersion.startsWith(`${release}.`) && of.target === target);
      if (!entry) continue;
      const truth = counters(await openSchema(entry.name));
      const { schema } = await learnFrom(streams.map(({ name }) => name));
      for (const [array, counter] of counters(schema)) {
        const expected = truth.get(array);
        if (expected === undefined) continue;
        expect(`${build} ${array} ${counter}`).toBe(`${build} ${array} ${expected}`);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(0);
  });
});

it('a VMSD that was only seen inside others is not surely that of a section', async () => {
  // Where pckbd is inside pckbd-mmio, nothing tells of the device pckbd, which has another pckbd inside.
  const { schema } = await learnFrom([builds.get('7.2.22 x86_64')![0]!.name]);
  const outer = schema.vmsds.findIndex(({ name, fields }) => name === 'pckbd' && fields[0]?.name === 'kbd');
  const inner = schema.vmsds[outer]!.fields[0]!.vmsd!;
  const wrapper = { ...schema.vmsds[outer]!, name: 'pckbd-mmio' };
  const vmsds = schema.vmsds.map((vmsd, i) => (i === outer ? wrapper : vmsd));
  expect(vmsds[inner]!.name).toBe('pckbd');
  const comparisons = await compare(
    { schema: { ...schema, vmsds }, diagnostics: [] },
    builds.get('7.2.22 x86_64')![0]!.name,
  );
  const keyboards = comparisons.filter(({ section }) => section === 'pckbd');
  expect(keyboards).toEqual([{ section: 'pckbd', isSame: false, isSure: false }]);
});
