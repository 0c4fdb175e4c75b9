import { memorySource } from '../../../src/bytes/source.ts';
import { walk } from '../../../src/layout/children.ts';
import { layoutOf, type OpenOptions, openStream } from '../../../src/layout/open.ts';
import { diffStreams } from '../../../src/ops/diff.ts';
import { diffJson } from '../../../src/render/diff-json.ts';
import { diffText } from '../../../src/render/diff-text.ts';
import { toJson } from '../../../src/render/json.ts';
import { plainStyle } from '../../../src/render/style.ts';
import { readFixture } from '../../fixtures.ts';
import { contents, type Decoded, decode, violations } from '../../robustness/decode.ts';
import { print, printProblems } from '../../robustness/print.ts';
import { smallest } from '../../robustness/specimens.ts';
import { wronglyExact } from '../../walk/wrongly-exact.ts';
import { orRefused } from '../failure.ts';
import {
  deviceStreams,
  streamPlaces,
  tablesByNumber,
  tablesNumber,
  thinStreams,
  withLength,
} from '../stream-seeds.ts';
import type { Judgement, Target } from '../target.ts';

/** Whole streams up to this size are decoded some hundred times in a second. */
const SMALL = 60_000;
/** Values of sections with more bytes are not compared one by one. */
const MAX_COMPARED = 300_000;

async function judgeDecoding(bytes: Uint8Array, options?: OpenOptions): Promise<Judgement> {
  const decoded = await decode(bytes, options);
  if (!decoded) return { problems: [], result: 'no stream' };
  const lines = await print(decoded);
  const problems = printProblems('info and dump', lines);
  return { problems: [...violations(decoded), ...problems], result: textOf(decoded, lines) };
}

function textOf(decoded: Decoded, lines: readonly string[]): string {
  const messages = decoded.diagnostics.map(({ code, message }) => `${code} ${message}`);
  return [...contents(decoded).values(), ...messages, ...lines].join('\n');
}

/** Reads a stream by its own description. */
export const stream: Target = {
  name: 'stream',
  about: 'streams with a description, whole and cut: decoded and printed',
  seeds: async () => [...(await deviceStreams()).map(({ bytes }) => bytes), ...(await smallStreams())],
  places: (bytes) => streamPlaces(bytes),
  repair: withLength,
  judge: (bytes) => judgeDecoding(bytes),
  testRuns: 40,
};

async function smallStreams(): Promise<Uint8Array[]> {
  return (await thinStreams()).filter(({ length }) => length <= SMALL);
}

/** Inputs of these targets begin with the number of the tables. */
async function tabledSeeds(): Promise<Uint8Array[]> {
  return (await deviceStreams()).flatMap(({ fixture, bytes }) => {
    const number = tablesNumber(fixture);
    return number === undefined ? [] : [numbered(number, bytes)];
  });
}

function numbered(number: number, bytes: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + bytes.length);
  input[0] = number;
  input.set(bytes, 1);
  return input;
}

export const tables: Target = {
  name: 'tables',
  about: 'streams without a description, read by built-in tables; the first byte chooses them',
  seeds: async () => (await tabledSeeds()).map(withoutDescription),
  async places(input) {
    const found = await streamPlaces(input.subarray(1), await tablesByNumber(input[0] ?? 0));
    return found.map(({ start, end }) => ({ start: start + 1, end: end + 1 }));
  },
  judge: async (input) =>
    judgeDecoding(input.subarray(1), { tables: await tablesByNumber(input[0] ?? 0), ignoreVmdesc: true }),
  testRuns: 40,
};

function withoutDescription(input: Uint8Array): Uint8Array {
  const found = Buffer.from(input).lastIndexOf('{');
  return found < 0 ? input : input.subarray(0, input.lastIndexOf(6, Buffer.from(input).indexOf('{"')));
}

/** Types whose value says how the bytes behind it are to be read, whatever a description says. */
const STEERING: ReadonlySet<string> = new Set(['subsection header', 'nullptr', 'ptr-marker', 'capability']);

export const oracle: Target = {
  name: 'oracle',
  about: 'other values in real streams: what tables say is exact has to be what the description says',
  seeds: tabledSeeds,
  inPlace: true,
  async places(input) {
    const opened = await openStream(memorySource(input.subarray(1)));
    const places = [];
    for (const section of opened.stream.sections) {
      for (const { node } of walk((await layoutOf(opened, section)).root)) {
        if (node.kind === 'leaf' && !STEERING.has(node.type) && node.end > node.start)
          places.push({ start: node.start + 1, end: node.end + 1 });
      }
    }
    return places;
  },
  judge: async (input) => {
    const own = await tablesByNumber(input[0] ?? 0);
    const opened = await orRefused(() => openStream(memorySource(input.subarray(1))));
    if (!opened) return { problems: [], result: 'refused' };
    const problems: string[] = [];
    for (const section of opened.stream.sections) {
      if (section.scanner) continue;
      const truth = await layoutOf({ ...opened, tables: own }, section);
      const size = truth.root.end - truth.root.start;
      if (truth.diagnostics.length > 0 || size > MAX_COMPARED) continue;
      const found = await layoutOf({ ...opened, schema: undefined, tables: own }, section);
      // A value that steers makes other bytes of what follows it, which then do not add up: a load fails there, too.
      if (found.diagnostics.some(({ code }) => code === 'schema-mismatch')) continue;
      for (const wrong of wronglyExact(found.root, truth.root))
        problems.push(`${section.idstr} ${own.schema.qemuVersion} ${own.schema.target}: ${wrong}`);
    }
    return { problems };
  },
  testRuns: 40,
};

export const tail: Target = {
  name: 'tail',
  about: 'device state found from the end of a stream, against a full scan',
  seeds: () =>
    ['qemu-7.2-avr-uno', 'qemu-5.2-isapc', 'qemu-7.2-machine-2.0'].map((name) =>
      Uint8Array.from(readFixture(name)),
    ),
  places: (bytes) => streamPlaces(bytes),
  repair: withLength,
  async judge(bytes) {
    const whole = await decode(bytes);
    const part = await decode(bytes, { skipRamOver: 0 });
    if (!whole || !part) return { problems: whole || part ? ['one of both is no stream'] : [] };
    const problems = violations(part).map((problem) => `from the end: ${problem}`);
    // What is skipped is not seen: of an undamaged stream there is nothing to see.
    if (whole.diagnostics.length === 0) {
      const found = contents(part);
      for (const [key, content] of contents(whole)) {
        const unscanned = part.opened.stream.sections.some(
          (section) => section.unscanned && key.startsWith(`${section.idstr}/`),
        );
        if (!unscanned && found.get(key) !== content) problems.push(`from the end, ${key} is another`);
      }
    }
    return { problems, result: [...contents(part)].join('\n') };
  },
  testRuns: 40,
};

export const diff: Target = {
  name: 'diff',
  about: 'a stream compared with one that was changed: as text and JSON',
  seeds: async () => (await deviceStreams()).map(({ bytes }, i) => numbered(i & 0xff, bytes)),
  async places(input) {
    const found = await streamPlaces(input.subarray(1));
    return found.map(({ start, end }) => ({ start: start + 1, end: end + 1 }));
  },
  async judge(input) {
    const all = await deviceStreams();
    const other = all[(input[0] ?? 0) % all.length]!.bytes;
    const result = await orRefused(async () => {
      const a = await openStream(memorySource(other, 'a'));
      const b = await openStream(memorySource(input.subarray(1), 'b'));
      const found = await diffStreams(a, b);
      const display = { style: plainStyle, width: 100, sideBySide: (input[0] ?? 0) % 2 === 0, full: false };
      return { lines: [...diffText(found, display)], json: toJson(diffJson(found)) };
    });
    if (!result) return { problems: [], result: 'refused' };
    JSON.parse(result.json);
    const problems = [
      ...printProblems('diff', result.lines),
      ...printProblems('diff --json', result.json.split('\n')),
    ];
    return { problems, result: result.json };
  },
  testRuns: 40,
};

/** The smallest real stream, for targets that need any. */
export function anyStream(): Uint8Array {
  return Uint8Array.from(readFixture(smallest.name));
}
