import { describe, expect, test } from 'vitest';
import { contents, decode, hasError, violations } from './decode.ts';
import {
  campaign,
  cases,
  described,
  places,
  readSpecimen,
  readTables,
  type Specimen,
  specimens,
  tabled,
} from './specimens.ts';

/** Where to cut: all over the device state, a little in RAM and the description, and at every record's ends. */
function cuts(specimen: Specimen): number[] {
  const { bytes, intact, devices, eof } = specimen;
  const most = cases(specimen);
  const edges = intact.opened.stream.records.flatMap(({ range }) => [
    range.end - 1,
    range.end,
    range.end + 1,
  ]);
  return [
    ...places(0, devices, 97, most),
    ...places(devices, eof, 1, most),
    ...places(eof, bytes.length, 97, most),
    ...(edges.length > most ? edges.filter((_, i) => i % Math.ceil(edges.length / most) === 0) : edges),
  ].filter((cut) => cut < bytes.length);
}

describe.each(specimens)('$name cut short', ({ name }) => {
  test('decodes up to the cut, with an error', async () => {
    const specimen = await readSpecimen(name);
    const { footers } = specimen.intact.opened.stream;
    for (const cut of cuts(specimen)) {
      const decoded = await decode(specimen.bytes.subarray(0, cut));
      if (cut < 8) {
        expect(decoded, `cut at ${cut}`).toBeUndefined();
        continue;
      }
      expect(violations(decoded!), `cut at ${cut}`).toEqual([]);
      // Without footers, a zero where a section may end cannot be told from an end-of-file record.
      if (!footers && specimen.bytes[cut - 1] === 0 && cut !== specimen.eof) continue;
      // Without its description a stream is complete.
      expect(hasError(decoded!), `cut at ${cut}`).toBe(cut !== specimen.eof);
    }
  });
});

describe.each(described)('$name cut short in front of its description', ({ name }) => {
  test('keeps every section before the cut', async () => {
    const specimen = await readSpecimen(name);
    const { bytes, intact, devices, eof } = specimen;
    const description = bytes.subarray(eof);
    const before = contents(intact);
    // A section without a footer ends where a record follows.
    const behind = intact.opened.stream.footers ? 5 : 300;
    for (const cut of places(devices, eof, 1, cases(specimen))) {
      const decoded = (await decode(Buffer.concat([bytes.subarray(0, cut), description])))!;
      expect(violations(decoded), `cut at ${cut}`).toEqual([]);
      expect(hasError(decoded), `cut at ${cut}`).toBe(true);
      const after = contents(decoded);
      for (const { key, bodies } of intact.sections) {
        if (bodies.at(-1)!.end + behind <= cut)
          expect(after.get(key), `${key}, cut at ${cut}`).toBe(before.get(key));
      }
    }
  });
});

describe.each(tabled)('$name cut short and without its description', (fixture) => {
  test('has every byte up to the cut in one leaf or gap', async () => {
    const tables = await readTables(fixture);
    const { bytes, devices, eof } = await readSpecimen(fixture.name);
    for (const cut of places(devices, eof, 1, 25 * campaign)) {
      const decoded = (await decode(bytes.subarray(0, cut), { tables, ignoreVmdesc: true }))!;
      expect(violations(decoded), `cut at ${cut}`).toEqual([]);
    }
  });
});
