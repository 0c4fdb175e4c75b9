import { memorySource } from '../../../src/bytes/source.ts';
import { Window } from '../../../src/bytes/window.ts';
import { openStream } from '../../../src/layout/open.ts';
import { applyXbzrle } from '../../../src/memory/encodings/xbzrle.ts';
import { hashPages } from '../../../src/memory/page-hashes.ts';
import { nodeInflater } from '../../../src/node/inflater.ts';
import { ramReport } from '../../../src/ops/ram-report.ts';
import { findIterativeScanner } from '../../../src/ram/iterative.ts';
import { PageUsage } from '../../../src/ram/page-usage.ts';
import { ramText } from '../../../src/render/ram-text.ts';
import { plainStyle } from '../../../src/render/style.ts';
import { readFixture } from '../../fixtures.ts';
import { channelSources, memoryFixtures, readChannels, readMain } from '../../ram/memory-fixtures.ts';
import { bytes, footer, hex, SECTION_ID, text8, u8, u32 } from '../../ram/section-bytes.ts';
import { sectionSpecimens } from '../../ram/section-specimens.ts';
import { decode, violations } from '../../robustness/decode.ts';
import { printProblems } from '../../robustness/print.ts';
import { orRefused } from '../failure.ts';
import { streamPlaces } from '../stream-seeds.ts';
import type { Judgement, Target } from '../target.ts';

/** Of a channel, so many bytes are a few packets. */
const CHANNEL_PART = 20_000;
/** Records of RAM with more bytes are left out of what is made of real streams. */
const MAX_RECORD = 10_000;

/** Iterative sections one by one: the first byte says which. */
export const iterative: Target = {
  name: 'iterative',
  about: 'bodies of ram, dirty-bitmap, htab, vfio and other iterative sections; the first byte says which',
  seeds: () => sectionSpecimens.map(([, , body], i) => bytes(u8(i), body, footer(SECTION_ID))),
  async judge(input) {
    const [, context] = sectionSpecimens[(input[0] ?? 0) % sectionSpecimens.length]!;
    const scanner = findIterativeScanner(context.idstr)!(context);
    const body = input.subarray(1);
    const window = new Window(memorySource(body));
    await orRefused(() => scanner.scan(window, 'SECTION_FULL'));
    const problems = window.offset > body.length ? [`the scan ends behind the end: ${window.offset}`] : [];
    return { problems, result: asText(scanner.summary()) };
  },
  testRuns: 40,
};

export const xbzrle: Target = {
  name: 'xbzrle',
  about: 'XBZRLE deltas of pages',
  seeds: () => [hex('000124ff01026253'), hex('0001aa'), hex('8001041122334400')],
  async judge(delta) {
    const page = Uint8Array.from({ length: 1024 }, (_, i) => i);
    const end = await orRefused(() => applyXbzrle(delta, page));
    return {
      problems: (end ?? 0) > page.length ? [`a delta that ends at ${end}`] : [],
      result: `${end} ${page}`,
    };
  },
  testRuns: 40,
};

/** Opens a stream, counts and hashes its pages, and prints the report. */
async function judgeRam(main: Uint8Array, channels: readonly Uint8Array[] = []): Promise<Judgement> {
  const problems: string[] = [];
  const result = await orRefused(async () => {
    const usage = new PageUsage();
    const opened = await openStream(memorySource(main, 'main'), {
      ...(channels.length > 0 ? { channels: channelSources(channels) } : {}),
      sink: usage,
      memory: { inflater: nodeInflater },
    });
    const { pages: hashes, diagnostics } = await hashPages(opened.memory!);
    const report = ramReport(opened, usage, { ranges: 8 });
    const lines = report ? [...ramText(report, plainStyle)] : [];
    const messages = [...opened.diagnostics, ...diagnostics].map(({ message }) => message);
    problems.push(...printProblems('ram', [...lines, ...messages]));
    for (const block of report?.blocks ?? []) {
      if (block.sentPages > block.pageCount) problems.push('a block has more pages sent than it has');
    }
    const hashed = (report?.blocks ?? []).flatMap(({ idstr }) =>
      [...hashes.chunkIndexes(idstr)].sort().join(),
    );
    return [...lines, ...messages, ...hashed].join('\n');
  });
  const decoded = await decode(main);
  if (decoded) problems.push(...violations(decoded));
  return { problems, result: result ?? 'refused' };
}

/** A stream of a RAM section and nothing else, with these migration capabilities. */
function ramStream(body: Uint8Array, capabilities: readonly string[] = []): Uint8Array {
  const names = capabilities.map((name) => text8(name));
  const told = bytes(u8(5), text8('configuration/capabilities'), u32(1), u32(names.length), ...names);
  return bytes(
    hex('5145564d00000003'),
    bytes(u8(7), u32(4), Buffer.from('none'), capabilities.length > 0 ? told : new Uint8Array(0)),
    bytes(u8(1), u32(SECTION_ID), text8('ram'), u32(0), u32(4), body, footer(SECTION_ID)),
    u8(0),
  );
}

/** A real stream with some records of RAM only. */
async function fewPages(stream: Uint8Array): Promise<Uint8Array> {
  const { records } = (await openStream(memorySource(stream))).stream;
  const kept = records.filter(
    ({ kind, range }) => kind !== 'section' || range.end - range.start <= MAX_RECORD,
  );
  return bytes(...kept.map(({ range }) => stream.subarray(range.start, range.end)));
}

export const mappedRam: Target = {
  name: 'mapped-ram',
  about: 'streams that keep pages at their place in the file',
  seeds: () => {
    const [, , body] = sectionSpecimens.find(([name]) => name === 'mapped-ram')!;
    const [, , shared] = sectionSpecimens.find(([name]) => name === 'ram with x-ignore-shared')!;
    return [ramStream(body, ['mapped-ram']), ramStream(shared, ['x-ignore-shared'])];
  },
  places: (input) => streamPlaces(input),
  judge: (input) => judgeRam(input),
  testRuns: 40,
};

export const pages: Target = {
  name: 'pages',
  about: 'streams with plain, zero, compressed and XBZRLE pages: counted, hashed, reported',
  seeds: async () => {
    const bodies = sectionSpecimens
      .filter(([name]) => name.startsWith('ram'))
      .map(([, , body]) => ramStream(body));
    const names = ['qemu-7.2-avr-uno', 'qemu-5.2-isapc', 'qemu-7.2-machine-2.0'];
    return [...bodies, ...names.map((name) => Uint8Array.from(readFixture(name)))];
  },
  places: (input) => streamPlaces(input),
  judge: (input) => judgeRam(input),
  testRuns: 40,
};

export const postcopy: Target = {
  name: 'postcopy',
  about: 'streams with commands and a package, before and after the switch to postcopy',
  seeds: () =>
    Promise.all(
      ['qemu-5.2-postcopy', 'qemu-11.1-postcopy', 'qemu-7.2-postcopy-advised'].map((name) =>
        fewPages(readFixture(name)),
      ),
    ),
  places: (input) => streamPlaces(input),
  judge: (input) => judgeRam(input),
  testRuns: 40,
};

/** The channels of a migration: the first byte says of which one, and which of them is the rest of the input. */
export const channels: Target = {
  name: 'channels',
  about: 'multifd and preempt channels; the first byte chooses the rest of their migration',
  seeds: () =>
    Promise.all(
      memoryFixtures.flatMap(({ channels: count }, i) =>
        Array.from({ length: count + 1 }, async (_, which) => {
          const parts = await migration(i);
          return bytes(u8(4 * i + which), parts[which]!);
        }),
      ),
    ),
  async judge(input) {
    const first = input[0] ?? 0;
    const parts = [...(await migration((first >> 2) % memoryFixtures.length))];
    parts[(first & 3) % parts.length] = input.subarray(1);
    return judgeRam(parts[0]!, parts.slice(1));
  },
  places: (input) => {
    // Fields of a packet's header, and the offsets of its first pages (migration/multifd.h, MultiFDPacket_t).
    const places = [];
    for (let start = 1; start + 8 <= Math.min(input.length, 480); start += 4) {
      places.push({ start, end: start + 4 }, { start, end: start + 8 });
    }
    return places;
  },
  testRuns: 40,
};

const migrations = new Map<number, Promise<readonly Uint8Array[]>>();

/** Main stream and channels of a fixture, with few pages. */
function migration(index: number): Promise<readonly Uint8Array[]> {
  const fixture = memoryFixtures[index]!;
  const made =
    migrations.get(index) ??
    fewPages(readMain(fixture)).then((main) => [
      main,
      ...readChannels(fixture).map((channel) => channel.subarray(0, CHANNEL_PART)),
    ]);
  migrations.set(index, made);
  return made;
}

function asText(value: unknown): string {
  return JSON.stringify(value, (_, member) =>
    typeof member === 'bigint' || member instanceof Set ? String(member) : member,
  );
}
