import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { childrenOf } from '../../src/layout/children.ts';
import type { LayoutNode } from '../../src/layout/node.ts';
import { layoutOf, type OpenedStream, openStream, undescribedSections } from '../../src/layout/open.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { describe as describeStream } from '../../src/ops/describe.ts';
import { openVm } from '../../src/vm/vm.ts';
import { vmwalk } from '../cli/run.ts';
import { readFixture } from '../fixtures.ts';
import { descriptionOf, withDescription } from './description.ts';

/** Leaves and gaps of a section with paths, places and values. */
function* contents(node: LayoutNode, path = ''): Generator<string> {
  if (node.kind === 'leaf' || node.kind === 'gap')
    yield `${path} ${node.kind} ${node.type} ${node.start} ${node.end} ${String(node.value)}`;
  else for (const child of childrenOf(node)) yield* contents(child, `${path}/${child.name}`);
}

/** By the offset of the section: what is in it, and whether it was read by tables in the place of a description. */
async function readSections(opened: OpenedStream) {
  const sections = new Map<number, { idstr: string; contents: string[]; byTables: boolean }>();
  for (const section of opened.stream.sections) {
    if (section.scanner) continue;
    const { root, diagnostics } = await layoutOf(opened, section);
    sections.set(section.records[0]!.range.start, {
      idstr: section.idstr,
      contents: [...contents(root)],
      byTables: diagnostics.some(({ code }) => code === 'not-described'),
    });
  }
  return sections;
}

const open = (bytes: Uint8Array) => openVm(memorySource(bytes), { schemas: packagedSchemas });

describe.each(['qemu-7.2-s390x-ccw', 'qemu-10.0-s390x-ccw'])('the vmdesc of %s', (name) => {
  const bytes = readFixture(name);
  const intact = async () => {
    const opened = await open(bytes);
    const description = opened.stream.vmdescription!;
    return { opened, description, truth: await readSections(opened) };
  };

  test('cut anywhere: all sections are read as with the whole one', async () => {
    const { description, truth } = await intact();
    const { range, json } = description;
    const { devices } = descriptionOf(bytes);
    const text = Buffer.from(bytes.subarray(json.start, json.end)).toString('latin1');
    const second = text.lastIndexOf('{', text.indexOf(`"${devices[1]!.name}"`));
    expect(second).toBeGreaterThan(0);
    const places = [0.3, 0.7].map((part) => Math.floor(text.length * part));
    // Around the ends of a device, and of the last one.
    places.push(second - 3, second - 2, second - 1, second + 10, text.length - 2, text.length - 1);
    const cuts = [
      range.start,
      range.start + 1,
      range.start + 3,
      json.start,
      ...places.map((place) => json.start + place),
    ];
    const counts: number[] = [];
    for (const cut of cuts) {
      const opened = await open(bytes.subarray(0, cut));
      const left = new Set(undescribedSections(opened).map(({ records }) => records[0]!.range.start));
      const found = await readSections(opened);
      expect([...found.keys()], `cut at ${cut}`).toEqual([...truth.keys()]);
      for (const [offset, section] of found) {
        expect(section.contents, `${section.idstr}, cut at ${cut}`).toEqual(truth.get(offset)!.contents);
        expect(section.byTables, `${section.idstr}, cut at ${cut}`).toBe(
          opened.schema !== undefined && left.has(offset),
        );
      }
      counts.push(found.size - left.size);
    }
    // Behind the comma, the first device is whole; in front of its last brace, it is not.
    expect(counts.slice(6, 10)).toEqual([0, 1, 1, 1]);
    // The last device is whole, too, where only the end of the array and of the text are cut off.
    expect(counts.slice(10)).toEqual([truth.size, truth.size]);
  });

  test('with damaged devices, or without some: these are read by tables', async () => {
    const { opened, truth } = await intact();
    const whole = descriptionOf(bytes);
    const last = whole.devices.length - 1;
    const damaged = [
      { ...whole, devices: whole.devices.filter((_, i) => i % 3 !== 1) },
      {
        ...whole,
        devices: whole.devices.map((device, i) => (i % 3 === 1 ? { ...device, fields: 7 } : device)),
      },
      { ...whole, devices: whole.devices.map((device, i) => (i === last ? null : device)) },
    ].map((description) => JSON.stringify(description));
    const text = JSON.stringify(whole);
    const middle = text.indexOf('{', Math.floor(text.length / 2));
    damaged.push(`${text.slice(0, middle)}}${text.slice(middle + 1)}`);
    for (const description of damaged) {
      const found = await open(withDescription(bytes, description));
      expect(undescribedSections(found).length).toBeGreaterThan(0);
      const sections = await readSections(found);
      for (const [offset, section] of sections)
        expect(section.contents, section.idstr).toEqual(truth.get(offset)!.contents);
      expect([...sections.values()].filter(({ byTables }) => byTables).length).toBe(
        undescribedSections(found).length,
      );
    }
    expect(undescribedSections(opened)).toEqual([]);
  });

  test('is completed by `describe`', async () => {
    const { description, opened } = await intact();
    const { start, end } = description.json;
    const cut = await open(bytes.subarray(0, start + Math.floor((end - start) / 2)));
    const { vmdesc } = await describeStream(cut);
    expect(vmdesc!['devices']).toEqual(opened.vmdesc!['devices']);
  });
});

test('the commands say what was read by which tables, and the error is still one', async () => {
  const bytes = readFixture('qemu-10.0-s390x-ccw');
  const { json } = (await openStream(memorySource(bytes))).stream.vmdescription!;
  const input = bytes.subarray(0, Math.floor((json.start + json.end) / 2));
  const dump = await vmwalk(['dump', '-'], { input });
  expect(dump.status).toBe(1);
  expect(dump.stderr).toMatch(
    /error: .*the vmdesc should be \d+ bytes long, but the stream ends \d+ bytes before/,
  );
  expect(dump.stderr).toMatch(
    /what the vmdesc does not describe, \d+ of \d+ sections, is read by the built-in tables of QEMU 10\.0\S* .*s390x/,
  );
  expect(dump.stderr).not.toMatch(/nothing describes/);
  expect(dump.stdout).not.toMatch(/gap: no description/);
  const info = await vmwalk(['info', '-'], { input });
  expect(info.stdout).toMatch(
    /schema +vmdesc of the stream: \d+ devices, .*; \d+ sections by tables of QEMU 10\.0/,
  );
  expect(info.stdout).toMatch(/note: .*the vmdesc has nothing for this section: it is read by tables/);
});
