import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { FieldReader } from '../../src/infos/field-reader.ts';
import { builtInInfos, withInfos } from '../../src/infos/infos.ts';
import { childNamed, walk } from '../../src/layout/children.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import type { SchemaProvider } from '../../src/vm/schema-provider.ts';
import { openVm, type Vm } from '../../src/vm/vm.ts';
import { openFixture, readFixture } from '../fixtures.ts';

const LINUX = 'qemu-7.2-aarch64-linux';

/** What a browser has: schemas that come over the network. */
const { now: _, ...remote } = packagedSchemas;

async function meanings(vm: Vm): Promise<string[]> {
  const found: string[] = [];
  for await (const layout of vm.layouts()) {
    for (const { node } of walk(layout.root))
      if (node.kind === 'leaf' && node.meaning !== undefined) found.push(`${layout.section} ${node.meaning}`);
  }
  return found;
}

/** The stream without its description. */
async function withoutVmdesc(name: string): Promise<Uint8Array> {
  const bytes = readFixture(name);
  const { stream } = await openVm(memorySource(bytes));
  return bytes.subarray(0, stream.vmdescription!.range.start);
}

describe('what a vmdesc leaves closed', () => {
  test('is opened by the schemas that are at hand, however they come', async () => {
    const closed = await meanings(await openVm(openFixture(LINUX)));
    const open = await meanings(await openVm(openFixture(LINUX), { schemas: packagedSchemas }));
    expect(closed.some((meaning) => meaning.includes('VERSION_1'))).toBe(false);
    expect(open.some((meaning) => meaning.includes('VERSION_1'))).toBe(true);
    expect(await meanings(await openVm(openFixture(LINUX), { schemas: remote }))).toEqual(open);
  });

  test('takes no schema where there is nothing of the kind', async () => {
    const loaded: string[] = [];
    const schemas: SchemaProvider = {
      list: () => packagedSchemas.list(),
      load(entry) {
        loaded.push(entry.target);
        return packagedSchemas
          .list()
          .then((all) => packagedSchemas.load(all.find(({ target }) => target === entry.target)!));
      },
    };
    await openVm(openFixture('qemu-10.0-arm-lm3s6965evb'), { schemas });
    expect(loaded).toEqual([]);
  });
});

test('what nothing describes is read by the schemas that are at hand', async () => {
  const bytes = await withoutVmdesc(LINUX);
  const bare = await openVm(memorySource(bytes));
  expect(bare.diagnostics.map(({ code }) => code)).toContain('no-schema');
  const vm = await openVm(memorySource(bytes), { schemas: remote });
  expect(vm.diagnostics.map(({ code }) => code)).toContain('builtin-schema');
  expect(vm.diagnostics.map(({ code }) => code)).not.toContain('no-schema');
  const described = await openVm(openFixture(LINUX), { schemas: packagedSchemas });
  const features = (all: string[]) => all.filter((meaning) => meaning.includes('VERSION_1'));
  expect(features(await meanings(vm))).toEqual(features(await meanings(described)));
});

test('the tree of a section is had by the section', async () => {
  const vm = await openVm(openFixture('qemu-7.2-pc-devices'));
  const rtc = vm.sections.find(({ idstr }) => idstr === 'mc146818rtc')!;
  expect((await vm.layout(rtc)).section).toBe('mc146818rtc');
  let count = 0;
  for await (const _layout of vm.layouts()) count++;
  expect(count).toBe(vm.sections.length + (vm.stream.configuration ? 1 : 0));
});

describe("an info of the user's own", () => {
  const infos = withInfos([
    {
      ...builtInInfos.get('buffer'),
      names: ['buffer'],
      open({ section }, place) {
        if (place.name !== 'cmos_data') return undefined;
        const reader = new FieldReader(section, place);
        reader.uint8('seconds', (byte) => `${byte >> 4}${byte & 15}`);
        reader.buffer('rest', reader.left);
        return reader.finish(place);
      },
    },
  ]);

  test.each([
    ['with a vmdesc', async () => readFixture('qemu-7.2-pc-devices')],
    ['without', () => withoutVmdesc('qemu-7.2-pc-devices')],
  ] as const)('opens up fields of its name, %s', async (_name, bytes) => {
    const vm = await openVm(memorySource(await bytes()), { schemas: packagedSchemas, infos });
    const rtc = vm.sections.find(({ idstr }) => idstr === 'mc146818rtc')!;
    const { root } = await vm.layout(rtc);
    const data = childNamed(root, 'cmos_data');
    const seconds = data && childNamed(data, 'seconds');
    const byte = readFixture('qemu-7.2-pc-devices')[seconds!.start]!;
    expect(seconds).toMatchObject({ value: byte, meaning: byte.toString(16).padStart(2, '0') });
    // Others are as they were.
    const plain = await openVm(memorySource(await bytes()), { schemas: packagedSchemas });
    for (const section of plain.sections.filter(({ idstr }) => idstr !== 'mc146818rtc').slice(0, 20))
      expect((await vm.layout(vm.sections[plain.sections.indexOf(section)]!)).root).toEqual(
        (await plain.layout(section)).root,
      );
  });
});

test('all that is done with a VM can be stopped', async () => {
  const stop = new AbortController();
  const vm = await openVm(openFixture('qemu-7.2-pc-devices'), { signal: stop.signal });
  stop.abort(new Error('enough'));
  await expect(vm.layout(vm.sections.at(-1)!)).rejects.toThrow('enough');
  await expect(openVm(openFixture(LINUX), { signal: stop.signal })).rejects.toThrow('enough');
});
