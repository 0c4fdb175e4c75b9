import { memorySource } from '../../../src/bytes/source.ts';
import { knowledgeOfCapture } from '../../../src/check/capture.ts';
import { checkStream } from '../../../src/check/check.ts';
import { Destination } from '../../../src/check/destination.ts';
import { factsOfProfile } from '../../../src/check/facts.ts';
import { type Profile, parseProfile, serializeProfile } from '../../../src/check/profile.ts';
import { unwrap } from '../../../src/containers/open.ts';
import { openStream } from '../../../src/layout/open.ts';
import { nodeEnvironment } from '../../../src/node/decompress.ts';
import { diffStreams } from '../../../src/ops/diff.ts';
import { checkText } from '../../../src/render/check-text.ts';
import { diffText } from '../../../src/render/diff-text.ts';
import { plainStyle } from '../../../src/render/style.ts';
import { bytes as joined } from '../../ram/section-bytes.ts';
import { decode, violations } from '../../robustness/decode.ts';
import { print, printProblems } from '../../robustness/print.ts';
import { orRefused } from '../failure.ts';
import { thinStreams } from '../stream-seeds.ts';
import type { Target } from '../target.ts';
import { anyStream } from './streams.ts';
import { avrSchema, smallProfile } from './texts.ts';

/** The device state of a specimen as `xen-save-devices-state` would have written it, with what its monitor told. */
async function captureOf(bytes: Uint8Array): Promise<Profile> {
  const { stream } = await openStream(memorySource(bytes));
  const parts = [bytes.subarray(0, 8)];
  for (const record of stream.records)
    if (record.kind === 'section' && record.type === 'SECTION_FULL')
      parts.push(bytes.subarray(record.range.start, record.range.end));
  const all = await smallProfile();
  return { ...all, kind: 'capture', schema: undefined, stream: joined(...parts, Uint8Array.of(0)) };
}

/** Longer ones take longer, and consist of more of the same. */
const MAX_CAPTURED = 20_000;

export const capture: Target = {
  name: 'capture',
  about: 'captures of VMs: read, printed, compared with another, and checked as source and as destination',
  words: ['"capture"', '"profile"', '"kind"', '2', '"mapped-ram"', '"validate-uuid"', '"schema"', '"stream"'],
  async seeds() {
    const made: Profile[] = [];
    for (const bytes of await thinStreams()) {
      const one = await captureOf(bytes);
      if (one.stream.length < MAX_CAPTURED) made.push(one, { ...one, schema: await avrSchema() });
    }
    return made.map((one) => Buffer.from(serializeProfile(one)));
  },
  async judge(bytes) {
    const lines = await orRefused(async () => {
      const source = memorySource(bytes, 'capture');
      const unwrapped = await unwrap(source, nodeEnvironment());
      const text = unwrapped.layers.find(({ capture }) => capture !== undefined)?.capture;
      if (text === undefined) return ['no capture'];
      const told = parseProfile(text);
      const known = knowledgeOfCapture(told);
      const state = await unwrapped.source.read(0, unwrapped.source.size);
      const decoded = await decode(state, known);
      if (!decoded) return ['no stream'];
      const opened = await openStream(unwrapped.source, known);
      const other = await openStream(memorySource(anyStream(), 'stream'));
      const own = new Destination({
        tables: known.tables,
        own: opened,
        facts: factsOfProfile(told),
        qemuVersion: told.qemu.version,
      });
      return [
        ...violations(decoded).map((problem) => `\u0000 ${problem}`),
        ...(await print(decoded)),
        ...checkText(await checkStream(opened, own), { style: plainStyle, notes: true }),
        ...checkText(await checkStream(other, own), { style: plainStyle, notes: true }),
        ...diffText(await diffStreams(opened, other), { style: plainStyle }),
      ];
    });
    return { problems: printProblems('a capture', lines ?? []), result: lines?.join('\n') ?? 'refused' };
  },
  testRuns: 30,
};
