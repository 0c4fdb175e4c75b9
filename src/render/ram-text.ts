import { printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { Elsewhere, RamReport, RoundReport } from '../ops/ram-report.ts';
import type { ChannelSummary } from '../ram/channels.ts';
import { type PageKind, pageKinds } from '../ram/page-sink.ts';
import { formatShare, formatSize } from './size.ts';
import { plainStyle, type Style } from './style.ts';
import { type Column, formatTable } from './text-table.ts';

/** Rounds that are shown: so many of the first, and of the last. */
const SHOWN_ROUNDS = 8;

const right = (title: string): Column => ({ title, align: 'right' });
const left = (title: string): Column => ({ title, align: 'left' });

const remarks: Readonly<Record<Elsewhere, string>> = {
  multifd:
    'pages of this migration are in its other channels (multifd), not in this stream: counts are incomplete',
  'ignore-shared': 'shared memory is not in the stream (x-ignore-shared): its pages count as never sent',
  'left-out': 'this is a profile: its pages of RAM were left out on purpose, and count as never sent',
  cut: 'the stream ends before the last pages: counts are incomplete',
};

/** What `ram` prints. */
export function* ramText(report: RamReport, style: Style = plainStyle): Generator<string> {
  yield style.heading(`${printable(report.name)}  ${formatSize(report.size)}`);
  for (const [name, value] of facts(report)) yield `  ${style.name(name.padEnd(14))}${value}`;
  yield '';
  yield style.heading('Blocks');
  yield* indented(blockTable(report));
  if (report.blocks.some(({ missingPages }) => missingPages > 0)) {
    yield '';
    yield style.heading('Missing pages (discarded by postcopy, not sent again)');
    yield* indented(missingTable(report));
  }
  const kinds = pageKinds.filter((kind) => report.pages[kind].pages > 0);
  if (kinds.length > 0) {
    yield '';
    yield style.heading('Pages sent');
    yield* indented(kindTable(report, kinds));
  }
  if (report.channels.length > 0) {
    yield '';
    yield style.heading(`Channels (${report.channels.length})`);
    yield* indented(channelTable(report.channels));
  }
  if (report.rounds.length > 1) {
    yield '';
    yield style.heading(`Rounds (${report.rounds.length})`);
    yield* indented(roundTable(report.rounds));
  }
  if (report.times.some(({ most }) => most > 1)) {
    yield '';
    yield style.heading('How often pages were sent');
    yield* indented(timesTable(report));
  }
  if (report.hottest.length > 0) {
    yield '';
    yield style.heading('Ranges sent again most');
    yield* indented(hottestTable(report));
  }
  yield* notes(report, style);
}

function facts(report: RamReport): [string, string][] {
  const { blocks, pages, channels, totalLength, pageSize, machineType } = report;
  const rows: [string, string][] = [
    ['machine type', machineType === undefined ? 'not sent' : printable(machineType)],
    ['page size', pageSize === undefined ? 'not known' : String(pageSize)],
    ['RAM', `${formatSize(totalLength)} in ${blocks.length} block${blocks.length === 1 ? '' : 's'}`],
  ];
  const counts = [...Object.values(pages), ...channels.map(channelCount)];
  const all = counts.reduce((sum, count) => sum + count.pages, 0);
  const bytes = counts.reduce((sum, count) => sum + count.bytes, 0);
  const different = blocks.reduce((sum, { sentPages }) => sum + sentPages, 0);
  const again = all - different;
  rows.push(['sent', `${all} pages in ${formatSize(bytes)}`]);
  if (again > 0)
    rows.push([
      'sent again',
      `${again} of them (${formatShare(again, all)}): of pages that had been sent before`,
    ]);
  if (pages.xbzrle.pages > 0) rows.push(['XBZRLE saved', formatSize(report.xbzrleSaved)]);
  return rows;
}

function blockTable({ blocks, totalLength }: RamReport): string[] {
  return formatTable(
    [
      right('size'),
      right('share'),
      right('pages'),
      right('sent'),
      right('repeatedly'),
      right('never'),
      left('block'),
    ],
    blocks.map((block) => [
      formatSize(block.length),
      formatShare(block.length, totalLength),
      String(block.pageCount),
      String(block.sentPages),
      String(block.repeatedPages),
      String(block.neverSentPages),
      printable(block.idstr),
    ]),
  );
}

function missingTable({ blocks }: RamReport): string[] {
  const missing = blocks.filter(({ missingPages }) => missingPages > 0);
  return formatTable(
    [right('pages'), left('block'), left('first ranges')],
    missing.map(({ idstr, missingPages, missingRanges }) => [
      String(missingPages),
      printable(idstr),
      missingRanges
        .slice(0, 4)
        .map(({ start, end }) => `${hexOffset(start)} to ${hexOffset(end)}`)
        .join(', '),
    ]),
  );
}

/** By block and kind, repetitions included. */
function kindTable({ blocks }: RamReport, kinds: readonly PageKind[]): string[] {
  return formatTable(
    [...kinds.map(right), right('bytes'), left('block')],
    blocks.map(({ idstr, pages }) => [
      ...kinds.map((kind) => String(pages[kind].pages)),
      formatSize(kinds.reduce((sum, kind) => sum + pages[kind].bytes, 0)),
      printable(idstr),
    ]),
  );
}

function channelTable(channels: readonly ChannelSummary[]): string[] {
  return formatTable(
    [right('pages'), right('bytes'), left('kind'), left('channel')],
    channels.map((channel) => {
      const { pages, bytes } = channelCount(channel);
      const kind =
        channel.kind === 'multifd'
          ? `multifd ${channel.id}, ${channel.encoding ?? 'no pages'}`
          : channel.kind;
      return [String(pages), formatSize(bytes), kind, printable(channel.name)];
    }),
  );
}

/** Pages of a channel, and the bytes that they take there. */
function channelCount(channel: ChannelSummary): { readonly pages: number; readonly bytes: number } {
  return channel.kind === 'multifd'
    ? { pages: channel.normalPages + channel.zeroPages, bytes: channel.payloadBytes }
    : { pages: channel.pages, bytes: channel.size };
}

function roundTable(rounds: readonly RoundReport[]): string[] {
  const kinds = pageKinds.filter((kind) => rounds.some(({ pages }) => pages[kind] > 0));
  const rows = rounds.map((round, i) => [
    String(i + 1),
    ...kinds.map((kind) => String(round.pages[kind])),
    String(round.total),
    round.phase,
  ]);
  if (rows.length > 2 * SHOWN_ROUNDS + 1) {
    rows.splice(SHOWN_ROUNDS, rows.length - 2 * SHOWN_ROUNDS, ['…', ...kinds.map(() => '…'), '…', '']);
  }
  return formatTable([right('round'), ...kinds.map(right), right('pages'), left('phase')], rows);
}

function timesTable({ times }: RamReport): string[] {
  return formatTable(
    [right('times'), right('pages'), right('sends')],
    times.map(({ least, most, pages, sends }) => [
      least === most ? String(least) : `${least}-${most}`,
      String(pages),
      String(sends),
    ]),
  );
}

function hottestTable({ hottest }: RamReport): string[] {
  return formatTable(
    [right('times'), right('sends'), right('length'), right('offset'), left('block')],
    hottest.map(({ times, sends, length, offset, block }) => [
      String(times),
      String(sends),
      formatSize(length),
      hexOffset(offset),
      printable(block),
    ]),
  );
}

function* notes({ blocks, elsewhere, unfollowed }: RamReport, style: Style): Generator<string> {
  const texts = elsewhere.map((what) => remarks[what]);
  if (blocks.some(({ mapped }) => mapped))
    texts.push(
      'mapped-ram holds the last version of each page; pages that it does not hold are zeros, or were never sent',
    );
  if (unfollowed > 0)
    texts.push(
      `${unfollowed} pages were counted in total, but not one by one: there are too many to remember`,
    );
  if (texts.length > 0) yield '';
  for (const text of texts) yield `${style.faint('note:')} ${text}`;
}

function* indented(lines: Iterable<string>): Generator<string> {
  for (const line of lines) yield `  ${line}`;
}
