import { describe, expect, test } from 'vitest';
import { formatPath } from '../../src/bytes/diagnostic.ts';
import { walk } from '../../src/layout/children.ts';
import { layouts, openStream } from '../../src/layout/open.ts';
import { compileSelectors } from '../../src/ops/select.ts';
import { byteAt, fieldsOf, isInRam, PageFinder, type PlacedField } from '../../src/ops/where.ts';
import { openFixture, readFixture } from '../fixtures.ts';

test('the first byte of each value is of that value, and so is its last', async () => {
  const opened = await openStream(openFixture('qemu-11.1-pc-devices'));
  let values = 0;
  for await (const { section, root } of layouts(opened)) {
    if (section === 'ram') continue;
    for (const { node, path } of walk(root)) {
      if (node.kind !== 'leaf' || node.start === node.end || values++ % 37 !== 0) continue;
      for (const offset of [node.start, node.end - 1]) {
        const { field } = (await byteAt(opened, offset))!;
        expect([field?.section, formatPath(field?.path ?? [])]).toEqual([section, formatPath(path)]);
        expect(field?.node).toEqual(node);
      }
    }
  }
  expect(values).toBeGreaterThan(5000);
});

test('a selection leads to the place of a field, and that back to it', async () => {
  const opened = await openStream(openFixture('qemu-7.2-pc-devices'));
  const found: PlacedField[] = [];
  for await (const each of fieldsOf(opened, compileSelectors(['timer/cpu_clock_offset'])!)) found.push(each);
  const [field, ...others] = found;
  expect(others).toEqual([]);
  expect(field!.vmsds).toEqual([{ name: 'timer', versionId: 2 }]);
  const byte = await byteAt(opened, field!.node.start);
  expect(byte!.field).toEqual(field);
  expect(byte!.part).toBe('body');
});

test('all bytes of a stream are in a record', async () => {
  const name = 'qemu-7.2-postcopy-advised';
  const opened = await openStream(openFixture(name));
  const { length } = readFixture(name);
  for (let offset = 0; offset < length; offset += 997)
    expect((await byteAt(opened, offset))!.records.length).toBeGreaterThan(0);
  for (const outside of [-1, length, 0.5, Number.NaN]) expect(await byteAt(opened, outside)).toBeUndefined();
  const kinds = [0, 8, length - 1].map(async (offset) => (await byteAt(opened, offset))!.records[0]!.kind);
  expect(await Promise.all(kinds)).toEqual(['header', 'configuration', 'vmdescription']);
});

describe.each(['qemu-11.1-rounds', 'qemu-10.0-mapped-ram', 'qemu-5.2-pc-devices'])('pages of %s', (name) => {
  test('are those that memory has there', async () => {
    const bytes = readFixture(name);
    const offsets: number[] = [];
    for (let offset = 11; offset < bytes.length; offset += Math.ceil(bytes.length / 500))
      offsets.push(offset);
    const pages = new PageFinder(offsets);
    const opened = await openStream(openFixture(name), { sink: pages, memory: {} });
    let same = 0;
    let found = 0;
    for (const offset of offsets) {
      const page = (await byteAt(opened, offset, pages))!.page;
      if (!page) continue;
      expect(isInRam(opened, offset)).toBe(true);
      found++;
      const at = page.offset + offset - page.start;
      const read = await opened.memory!.read(page.block, at, 1);
      if (read.bytes[0] === bytes[offset]) same++;
    }
    expect(found).toBeGreaterThan(10);
    // Pages that were sent again have other content at the end.
    expect(same / found).toBeGreaterThan(name === 'qemu-11.1-rounds' ? 0.2 : 0.999);
  });
});
