import type { Range } from '../../../src/bytes/range.ts';
import { memorySource } from '../../../src/bytes/source.ts';
import { layoutOf, type OpenedStream, openStream } from '../../../src/layout/open.ts';
import type { SchemaTables } from '../../../src/layout/tables.ts';
import { decode, violations } from '../../robustness/decode.ts';
import { specimens } from '../../robustness/specimens.ts';
import { wronglyExact } from '../../walk/wrongly-exact.ts';
import { tablesByNumber, tablesNumber, thinStreams } from '../stream-seeds.ts';
import type { Target } from '../target.ts';

/** Streams of more bytes take too long for each place of a cut. */
const MAX_STREAM = 60_000;
const HEADER = 4;

interface Whole {
  readonly bytes: Uint8Array;
  readonly tables: SchemaTables;
  readonly opened: OpenedStream;
  /** Where its vmdesc is. */
  readonly range: Range;
}

let wholes: Promise<readonly Whole[]> | undefined;

/** Real streams without pages of RAM whose QEMU's tables are at hand. */
function wholeStreams(): Promise<readonly Whole[]> {
  wholes ??= (async () => {
    const found: Whole[] = [];
    for (const [i, bytes] of (await thinStreams()).entries()) {
      const number = tablesNumber(specimens[i]!);
      if (number === undefined || bytes.length > MAX_STREAM) continue;
      const tables = await tablesByNumber(number);
      const opened = await openStream(memorySource(bytes), { tables });
      const { vmdescription } = opened.stream;
      if (vmdescription) found.push({ bytes, tables, opened, range: vmdescription.range });
    }
    return found;
  })();
  return wholes;
}

/** An input is the number of a stream in a byte, and three bytes that say where its vmdesc is cut off. */
export const cut: Target = {
  name: 'cut',
  about: 'real streams whose vmdesc is cut anywhere: what tables read in its place against the whole one',
  inPlace: true,
  seeds: async () => (await wholeStreams()).map((_, i) => Uint8Array.of(i, 0, 40, 0)),
  places: () => [
    { start: 0, end: 1 },
    { start: 1, end: HEADER },
    { start: 2, end: HEADER },
  ],
  async judge(input) {
    const all = await wholeStreams();
    const { bytes, tables, opened: whole, range } = all[(input[0] ?? 0) % all.length]!;
    const place = ((input[1] ?? 0) << 16) | ((input[2] ?? 0) << 8) | (input[3] ?? 0);
    const part = bytes.subarray(0, range.start + (place % (range.end - range.start)));
    const decoded = await decode(part, { tables });
    if (!decoded) return { problems: ['a cut stream is none'] };
    const problems = violations(decoded);
    const { sections } = decoded.opened.stream;
    if (sections.length !== whole.stream.sections.length)
      problems.push(`${sections.length} sections of ${whole.stream.sections.length}`);
    for (const [i, section] of whole.stream.sections.entries()) {
      const found = sections[i];
      if (!found || section.scanner) continue;
      const truth = await layoutOf(whole, section);
      const { root } = await layoutOf(decoded.opened, found);
      for (const wrong of wronglyExact(root, truth.root))
        problems.push(`wrong and said to be exact: ${section.idstr} ${wrong}`);
    }
    return { problems, result: decoded.diagnostics.map(({ message }) => message).join('\n') };
  },
  testRuns: 20,
};
