import { memorySource } from '../../../src/bytes/source.ts';
import { checkStream } from '../../../src/check/check.ts';
import { Destination } from '../../../src/check/destination.ts';
import { checkHeader } from '../../../src/check/header.ts';
import { openStream } from '../../../src/layout/open.ts';
import { checkJunit } from '../../../src/render/check-junit.ts';
import { checkSarif } from '../../../src/render/check-sarif.ts';
import { checkText } from '../../../src/render/check-text.ts';
import { toJson } from '../../../src/render/json.ts';
import { plainStyle } from '../../../src/render/style.ts';
import { soundnessProblems } from '../../check/sound.ts';
import { printProblems } from '../../robustness/print.ts';
import { orRefused } from '../failure.ts';
import { deviceStreams, streamPlaces, tablesByNumber, tablesNumber } from '../stream-seeds.ts';
import type { Target } from '../target.ts';

/** A changed stream against the destination that the device in it is from: the first two bytes say which. */
export const check: Target = {
  name: 'check',
  about: 'changed streams, checked against the QEMU that wrote them; the first byte chooses it',
  async seeds() {
    const all = await deviceStreams();
    return all.flatMap(({ bytes, fixture }, i) =>
      tablesNumber(fixture) === undefined || i > 0xffff ? [] : [input(i, bytes)],
    );
  },
  async places(bytes) {
    const found = await streamPlaces(bytes.subarray(2));
    return found.map(({ start, end }) => ({ start: start + 2, end: end + 2 }));
  },
  async judge(bytes) {
    const all = await deviceStreams();
    const number = (bytes[0] ?? 0) * 256 + (bytes[1] ?? 0);
    const { fixture, bytes: own } = all[number % all.length]!;
    const tables = await tablesByNumber(tablesNumber(fixture) ?? 0);
    const stream = bytes.subarray(2);
    const source = memorySource(stream, 'stream');
    const opened = await orRefused(() => openStream(source));
    const report = opened
      ? await checkStream(
          opened,
          new Destination({
            tables,
            own: await openStream(memorySource(own), { tables }),
            qemuVersion: tables.schema.qemuVersion,
          }),
        )
      : await checkHeader(source);
    if (!report) return { problems: [], result: 'no stream' };
    const lines = [...checkText(report, { style: plainStyle, notes: true })];
    const sarif = toJson(checkSarif([report], '0'));
    return {
      problems: [
        ...soundnessProblems(report, stream.length),
        ...printProblems('check', lines),
        ...printProblems('check --junit', checkJunit([report]).split('\n')),
        ...printProblems('check --sarif', sarif.split('\n')),
      ],
      result: lines.join('\n'),
    };
  },
  testRuns: 40,
};

function input(number: number, bytes: Uint8Array): Uint8Array {
  const made = new Uint8Array(2 + bytes.length);
  made.set([number >> 8, number & 0xff]);
  made.set(bytes, 2);
  return made;
}
