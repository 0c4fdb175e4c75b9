import { describe, expect, test } from 'vitest';
import type { Range } from '../../src/bytes/range.ts';
import { contents, type Decoded, decode, violations } from './decode.ts';
import { cases, places, readSpecimen, type Specimen, specimens } from './specimens.ts';

/** All bits of a byte, its lowest and its highest. */
const MASKS = [0xff, 0x01, 0x80];

function holds(ranges: readonly Range[], place: number): boolean {
  return ranges.some(({ start, end }) => place >= start && place < end);
}

/** The section whose body holds a place; undefined in what frames the sections. */
function sectionAt({ intact }: Specimen, place: number): string | undefined {
  return intact.sections.find(({ bodies }) => holds(bodies, place))?.key;
}

/** What a flipped byte must leave alone: keys of the sections whose leaves stay the same. */
function untouched(specimen: Specimen, place: number): string[] {
  const { intact } = specimen;
  // Without footers the end of RAM, and of whatever is not described, is found by what follows it.
  if (!intact.opened.stream.footers) return [];
  const hit = sectionAt(specimen, place);
  // The configuration says how RAM is written, so that it alone spoils another section.
  if (hit !== undefined && !hit.startsWith('configuration/'))
    return intact.sections.map(({ key }) => key).filter((key) => key !== hit);
  if (place >= specimen.eof) return [];
  return intact.sections.filter(({ bodies }) => bodies.at(-1)!.end + 5 <= place).map(({ key }) => key);
}

/** Where the headers of sections say how long their idstr is: a header with another length is none. */
function idstrLengths({ intact }: Specimen): number[] {
  return intact.opened.stream.sections.map(({ records }) => records[0]!.range.start + 5);
}

async function decodeFlipped(bytes: Uint8Array, place: number, mask: number): Promise<Decoded | undefined> {
  const flipped = Uint8Array.from(bytes);
  flipped[place]! ^= mask;
  return decode(flipped);
}

describe.each(specimens)('$name with a byte changed', ({ name }) => {
  test('loses nothing outside the section that the byte is in', async () => {
    const specimen = await readSpecimen(name);
    const { bytes, intact } = specimen;
    const before = contents(intact);
    const anywhere = places(0, bytes.length, 1, cases(specimen));
    for (const [i, place] of [...anywhere, ...idstrLengths(specimen)].entries()) {
      const mask = MASKS[i % MASKS.length]!;
      const decoded = await decodeFlipped(bytes, place, mask);
      expect(decoded === undefined, `byte ${place}`).toBe(place < 8);
      if (!decoded) continue;
      expect(violations(decoded), `byte ${place} ^ ${mask}`).toEqual([]);
      const after = contents(decoded);
      for (const key of untouched(specimen, place)) {
        expect(after.get(key), `${key}, byte ${place} ^ ${mask}`).toBe(before.get(key));
      }
    }
  });

  test('shows the change in the leaf that the byte is in', async () => {
    const specimen = await readSpecimen(name);
    const { bytes, intact, devices, eof } = specimen;
    const before = contents(intact);
    for (const place of places(devices, eof, 1, cases(specimen))) {
      const hit = sectionAt(specimen, place);
      if (hit === undefined) continue;
      const after = contents((await decodeFlipped(bytes, place, 0xff))!)
        .get(hit)
        ?.split('\n');
      const leaf = before
        .get(hit)
        ?.split('\n')
        .findIndex((line) => holds([rangeOf(line)], place));
      expect(leaf, `byte ${place}`).toBeGreaterThanOrEqual(0);
      const values = [before.get(hit)!.split('\n')[leaf!], after?.[leaf!]];
      // Any byte but 0 is true.
      if (!/ leaf bool /.test(values[0]!)) expect(values[1], `byte ${place}`).not.toBe(values[0]);
    }
  });
});

function rangeOf(line: string): Range {
  const [, start, end] = / (\d+)-(\d+) /.exec(line)!;
  return { start: Number(start), end: Number(end) };
}
