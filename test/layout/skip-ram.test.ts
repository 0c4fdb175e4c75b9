import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type OpenedStream, type OpenOptions, openStream } from '../../src/layout/open.ts';
import type { Section, Stream } from '../../src/stream/stream.ts';
import { fixtures, openFixture, readFixture } from '../fixtures.ts';
import { contents, type Decoded, decode, violations } from '../robustness/decode.ts';
import { type Description, descriptionOf, withDescription } from '../robustness/description.ts';
import { campaign, cases, described, readSpecimen } from '../robustness/specimens.ts';
import { readBlob } from './blob-reader.ts';
import { grow, takeApart } from './grown-stream.ts';

const SKIP: OpenOptions = { skipRamOver: 0 };

function unscanned({ stream }: OpenedStream) {
  return stream.records.find(({ kind }) => kind === 'unscanned')?.range;
}

function isIterative({ records }: Section): boolean {
  return records[0]?.type === 'SECTION_START';
}

/** All that is said of a stream but the records of iterative sections. */
function framing({ stream, diagnostics }: OpenedStream): unknown {
  const { configuration, vmdescription, footers, sections } = stream;
  const framed = sections.map((section) => {
    const { id, idstr, instanceId, versionId, occurrence, records } = section;
    return [id, idstr, instanceId, versionId, occurrence, isIterative(section) ? records[0] : records];
  });
  // What is said of RAM's pages, the one or the other way.
  const problems = diagnostics.filter(({ code }) => code !== 'not-scanned' && code !== 'missing-pages');
  return { framed, problems, configuration, vmdescription, footers };
}

/** The same, and what is in the other sections. */
function deviceState(decoded: Decoded): unknown {
  const { opened, sections, diagnostics } = decoded;
  const iterative = new Set(opened.stream.sections.filter(isIterative).map(({ idstr }) => idstr));
  const devices = sections.filter(({ layout }) => !iterative.has(layout.section));
  return [framing({ ...opened, diagnostics }), contents({ ...decoded, sections: devices })];
}

function hasProblems({ opened }: Decoded): boolean {
  return opened.diagnostics.some(({ severity }) => severity !== 'note');
}

/**
 * Decodes with RAM skipped and without, and checks that this is the same, unless the full scan has something to say
 * of the stream. Returns the first.
 */
async function checkSkipping(bytes: Uint8Array): Promise<Decoded | undefined> {
  const [full, fast] = [await decode(bytes), await decode(bytes, SKIP)];
  expect(fast === undefined).toBe(full === undefined);
  if (!full || !fast) return undefined;
  expect(violations(fast)).toEqual([]);
  if (!unscanned(fast.opened) || !hasProblems(full)) expect(deviceState(fast)).toEqual(deviceState(full));
  return fast;
}

/** The first PART or END record, and the last. */
function iterativeRange({ records }: Stream): { start: number; end: number } | undefined {
  const ranges = records.flatMap((record) =>
    record.kind === 'section' && /PART|END/.test(record.type) ? [record.range] : [],
  );
  return ranges[0] && { start: ranges[0].start, end: ranges.at(-1)!.end };
}

describe('every fixture', () => {
  test.each(fixtures)('$name is framed alike without its RAM', async ({ name }) => {
    const full = await openStream(openFixture(name));
    const fast = await openStream(openFixture(name), SKIP);
    expect(framing(fast)).toEqual(framing(full));
    const { sections, footers } = full.stream;
    const isKnown = sections.every(({ records }) =>
      records.every(({ boundary }) => boundary === 'description' || boundary === 'scanner'),
    );
    const isSkipped = footers && isKnown && readBlob(Buffer.from(readFixture(name)));
    expect(unscanned(fast)).toEqual(isSkipped ? iterativeRange(full.stream) : undefined);
  });

  test('is skipped in nearly all of them, with other iterative sections, too', async () => {
    const skipped: string[] = [];
    for (const { name } of fixtures) {
      const { stream } = await openStream(openFixture(name), SKIP);
      for (const { idstr, unscanned: range } of stream.sections) if (range) skipped.push(idstr);
    }
    expect(skipped.filter((idstr) => idstr === 'ram').length).toBeGreaterThan(fixtures.length * 0.7);
    expect(new Set(skipped)).toEqual(
      new Set(['ram', 'spapr/htab', 'dirty-bitmap', 'block', 's390-storage_attributes']),
    );
  });
});

test('a section in front of RAM, of a device with early_setup, is left there', async () => {
  const { bytes, intact } = await readSpecimen('qemu-7.2-sparc-ss5');
  const { start, end } = iterativeRange(intact.opened.stream)!;
  const first = intact.opened.stream.sections.find(({ records }) => records[0]?.type === 'SECTION_FULL')!;
  const { range } = first.records[0]!;
  expect(range.start).toBe(end);
  const early = Buffer.concat([
    bytes.subarray(0, start),
    bytes.subarray(range.start, range.end),
    bytes.subarray(start, end),
    bytes.subarray(range.end),
  ]);
  const fast = (await checkSkipping(early))!;
  const length = range.end - range.start;
  expect(unscanned(fast.opened)).toEqual({ start: start + length, end: end + length });
});

describe('a stream with more RAM', () => {
  test.each(['qemu-7.2-pc-devices', 'qemu-10.0-ppc64-pseries'])('%s is read no further', async (name) => {
    const parts = await takeApart(name);
    const reads = await Promise.all(
      [2 ** 30, 2 ** 34].map(async (size) => {
        let read = 0;
        const source = grow(parts, Math.ceil(size / parts.part.length), (length) => {
          read += length;
        });
        const { stream } = await openStream(source, { skipRamOver: 16 << 20 });
        expect(stream.vmdescription?.range.end).toBe(source.size);
        return read;
      }),
    );
    expect(reads[1]).toBe(reads[0]);
    expect(reads[0]).toBeLessThan(3 * (parts.front.length + parts.rest.length) + (1 << 20));
  });

  test('is read in full up to the limit', async () => {
    const parts = await takeApart('qemu-7.2-pc-devices');
    const ram = async (skipRamOver: number) => {
      const { stream } = await openStream(
        grow(parts, 3, () => {}),
        { skipRamOver },
      );
      return stream.sections.find(({ idstr }) => idstr === 'ram')!;
    };
    const { start, end } = (await ram(0)).unscanned!;
    expect((await ram(end - start - 1)).unscanned).toEqual({ start, end });
    expect((await ram(end - start)).unscanned).toBeUndefined();
    expect((await ram(end - start)).records.length).toBeGreaterThan(3);
  });
});

describe.each(described)('$name, damaged', ({ name }) => {
  test('is never read in another way than by a full scan, unless that complains', async () => {
    const specimen = await readSpecimen(name);
    const { bytes, intact, devices } = specimen;
    const ramStart = intact.opened.stream.records.find(
      (record) => record.kind === 'section' && record.type !== 'SECTION_START',
    )!.range.start;
    // In front of RAM, in the device state, or in the description.
    const place = fc.oneof(
      fc.integer({ min: 8, max: ramStart - 1 }),
      fc.integer({ min: devices - 5, max: bytes.length - 1 }),
    );
    const damage = fc.record({
      place,
      removed: fc.integer({ min: 0, max: 40 }),
      inserted: fc.uint8Array({ maxLength: 40 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
        let damaged = bytes;
        for (const { place: at, removed, inserted } of damages)
          damaged = Buffer.concat([damaged.subarray(0, at), inserted, damaged.subarray(at + removed)]);
        await checkSkipping(damaged);
      }),
      { numRuns: Math.min(8 * campaign, cases(specimen)) },
    );
  });

  test('is not affected by damage in what is skipped', async () => {
    const { bytes } = await readSpecimen(name);
    const fast = (await decode(bytes, SKIP))!;
    const range = unscanned(fast.opened);
    if (!range) return;
    const damaged = Uint8Array.from(bytes).fill(0xa5, range.start + 5, range.end - 5);
    expect(deviceState((await decode(damaged, SKIP))!)).toEqual(deviceState(fast));
  });
});

describe('a description that lies', () => {
  type Device = Description['devices'][number];
  const field = (size: unknown) => ({ name: 'lie', type: 'buffer', size });
  const lies: Readonly<Record<string, (devices: Device[]) => unknown>> = {
    'leaves out the first device': (devices) => devices.shift(),
    'leaves out the last device': (devices) => devices.pop(),
    'leaves out a device between': (devices) => devices.splice(devices.length >> 1, 1),
    'has a device more in front': (devices) => devices.unshift({ name: 'lie', instance_id: 0, fields: [] }),
    'has a device more behind': (devices) => devices.push({ name: 'lie', instance_id: 0, fields: [] }),
    'is in another order': (devices) => devices.reverse(),
    'has no devices': (devices) => devices.splice(0),
    'leads into RAM': (devices) => devices[0]!.fields.push(field(1000)),
    'leads to the beginning': (devices) => devices[0]!.fields.push(field(1e9)),
    'leads in front of the beginning': (devices) => devices[0]!.fields.push(field(2 ** 53 - 1)),
    'leads nowhere': (devices) => devices[0]!.fields.push(...Array(9).fill(field(2 ** 53 - 1))),
    'has a device that is a byte longer': (devices) => devices.at(-2)!.fields.push(field(1)),
    'is of devices with other names': (devices) => {
      for (const device of devices) device.name += 'x';
    },
    'has two lengths wrong by as much': (devices) => {
      devices.at(-1)!.fields.push(field(1));
      devices.at(-2)!.fields.splice(0, 1);
    },
  };
  test.each(Object.entries(lies))('that %s', async (_, lie) => {
    for (const { name } of described) {
      const bytes = readFixture(name);
      const description = descriptionOf(bytes);
      lie(description.devices);
      const lying = withDescription(bytes, JSON.stringify(description));
      const [full, fast] = [await decode(lying), await decode(lying, SKIP)];
      expect(deviceState(fast!), name).toEqual(deviceState(full!));
    }
  });

  test('that leads to a footer in the content of RAM', async () => {
    for (const { name } of described) {
      const { bytes, intact } = await readSpecimen(name);
      const { sections, footers } = intact.opened.stream;
      const { start = 0, end = 0 } = unscanned((await decode(bytes, SKIP))!.opened) ?? {};
      const before = (end - start) >> 1;
      if (!footers || before < 100) continue;
      const description = descriptionOf(bytes);
      description.devices[0]!.fields.push(field(before));
      const lying = Buffer.from(withDescription(bytes, JSON.stringify(description)));
      lying.writeUInt8(0x7e, end - before - 5);
      lying.writeUInt32BE(sections.find(({ idstr }) => idstr === 'ram')!.id, end - before - 4);
      const [full, fast] = [await decode(lying), await decode(lying, SKIP)];
      expect(deviceState(fast!), name).toEqual(deviceState(full!));
    }
  });
});

describe.each(described)('$name, written over a longer stream', ({ name }) => {
  const bytes = readFixture(name);
  const older = described.filter(({ size }) => size > bytes.length);
  const leftovers = older.map((fixture) =>
    Buffer.concat([bytes, readFixture(fixture.name).subarray(bytes.length)]),
  );

  test('is read by its own description, as RAM is scanned that is not large', async () => {
    for (const leftover of leftovers) {
      const [full, fast] = [await decode(leftover), await decode(leftover, { skipRamOver: 16 << 20 })];
      expect(deviceState(fast!)).toEqual(deviceState(full!));
    }
  });

  test('is the one thing that only a full scan sees', async () => {
    for (const leftover of leftovers) {
      const [full, fast] = [await decode(leftover), await decode(leftover, SKIP)];
      if (unscanned(fast!.opened))
        expect(full!.diagnostics.map(({ code }) => code)).toContain('trailing-bytes');
      else expect(deviceState(fast!)).toEqual(deviceState(full!));
    }
  });
});
