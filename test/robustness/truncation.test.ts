import { describe, expect, test } from 'vitest';
import { contents, decode, hasError, violations } from './decode.ts';
import { places, readSpecimen, type Specimen, smallest, specimens } from './specimens.ts';

/** Where to cut: all over the device state, a little in RAM and the description, and at every record's ends. */
function cuts({ bytes, intact, devices, eof }: Specimen, most: number): number[] {
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
  const most = name === smallest.name ? Number.POSITIVE_INFINITY : 60;

  test('decodes up to the cut, with an error', async () => {
    const specimen = await readSpecimen(name);
    for (const cut of cuts(specimen, most)) {
      const decoded = await decode(specimen.bytes.subarray(0, cut));
      if (cut < 8) {
        expect(decoded, `cut at ${cut}`).toBeUndefined();
        continue;
      }
      expect(violations(decoded!), `cut at ${cut}`).toEqual([]);
      // Without its description a stream is complete.
      expect(hasError(decoded!), `cut at ${cut}`).toBe(cut !== specimen.eof);
    }
  });

  test('keeps every section before the cut, when its description is known', async () => {
    const specimen = await readSpecimen(name);
    const { bytes, intact, devices, eof } = specimen;
    const description = bytes.subarray(eof);
    const before = contents(intact);
    for (const cut of places(devices, eof, 1, most)) {
      const decoded = (await decode(Buffer.concat([bytes.subarray(0, cut), description])))!;
      expect(violations(decoded), `cut at ${cut}`).toEqual([]);
      expect(hasError(decoded), `cut at ${cut}`).toBe(true);
      const after = contents(decoded);
      for (const { key, bodies } of intact.sections) {
        if (bodies.at(-1)!.end + 5 <= cut)
          expect(after.get(key), `${key}, cut at ${cut}`).toBe(before.get(key));
      }
    }
  });
});
