import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OpenOptions } from '../../src/layout/open.ts';
import { openStream } from '../../src/layout/open.ts';
import { fixtures, readFixture } from '../fixtures.ts';
import { contents, type Decoded, decode, violations } from '../robustness/decode.ts';
import { type Description, descriptionOf, withDescription } from '../robustness/description.ts';
import { campaign, described, readSpecimen } from '../robustness/specimens.ts';
import { readBlob } from './blob-reader.ts';
import { grow, takeApart } from './grown-stream.ts';

const SKIP: OpenOptions = { skipRamOver: 0 };

function unscanned({ opened }: Decoded) {
  return opened.stream.records.find(({ kind }) => kind === 'unscanned')?.range;
}

/** All but the records of iterative sections, and what is said of them. */
function deviceState(decoded: Decoded): unknown {
  const { opened, sections, diagnostics } = decoded;
  const { configuration, vmdescription, sections: framed, footers } = opened.stream;
  const isIterative = ({ records }: (typeof framed)[number]) => records[0]?.type === 'SECTION_START';
  const iterative = new Set(framed.filter(isIterative).map(({ idstr }) => idstr));
  const devices = sections.filter(({ layout }) => !iterative.has(layout.section));
  return {
    content: contents({ ...decoded, sections: devices }),
    framing: framed.map((section) => {
      const { id, idstr, instanceId, versionId, occurrence, records } = section;
      return [id, idstr, instanceId, versionId, occurrence, isIterative(section) ? records[0] : records];
    }),
    stream: [configuration, vmdescription, footers],
    diagnostics: diagnostics.filter(({ code }) => code !== 'not-scanned'),
  };
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
  if (!unscanned(fast) || !hasProblems(full)) expect(deviceState(fast)).toEqual(deviceState(full));
  return fast;
}

describe('every fixture', () => {
  test.each(fixtures)('$name has the same device state without its RAM', async ({ name }) => {
    const fast = await checkSkipping(readFixture(name));
    const full = (await decode(readFixture(name)))!;
    const { records, sections, footers } = full.opened.stream;
    const first = records.find((record) => record.kind === 'section' && /PART|END/.test(record.type));
    const isKnown = sections.every(({ records: own }) =>
      own.every(({ boundary }) => boundary === 'description' || boundary === 'scanner'),
    );
    const blob = readBlob(Buffer.from(readFixture(name)));
    if (!first || !footers || !blob || !isKnown) {
      expect(unscanned(fast!)).toBeUndefined();
      return;
    }
    const last = records.findLast((record) => record.kind === 'section' && /PART|END/.test(record.type))!;
    expect(unscanned(fast!)).toEqual({ start: first.range.start, end: last.range.end });
  });

  test('is skipped in nearly all of them, and in those with other iterative sections, too', async () => {
    const skipped: string[] = [];
    for (const { name } of fixtures) {
      const { stream } = await openStream(
        {
          name,
          size: readFixture(name).length,
          read: (at, length) => Promise.resolve(readFixture(name).subarray(at, at + length)),
        },
        SKIP,
      );
      for (const { idstr, unscanned: range } of stream.sections) if (range) skipped.push(idstr);
    }
    expect(skipped.filter((idstr) => idstr === 'ram').length).toBeGreaterThan(fixtures.length * 0.7);
    expect(new Set(skipped)).toEqual(
      new Set(['ram', 'spapr/htab', 'dirty-bitmap', 'block', 's390-storage_attributes']),
    );
  });
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
    const { bytes, intact, devices } = await readSpecimen(name);
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
      { numRuns: 15 * campaign },
    );
  });

  test('is not affected by damage in what is skipped', async () => {
    const { bytes } = await readSpecimen(name);
    const fast = (await decode(bytes, SKIP))!;
    const range = unscanned(fast);
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
    'is of devices with other names': (devices) => devices.forEach((device) => (device.name += 'x')),
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
});

describe('a stream that was written over a longer one', () => {
  test.each(described)('of another machine, $name, is read by its own description', async ({ name }) => {
    const bytes = readFixture(name);
    for (const older of fixtures) {
      const whole = Buffer.concat([bytes, readFixture(older.name).subarray(bytes.length)]);
      if (whole.length > bytes.length) await checkSkipping(whole);
    }
  });
});
