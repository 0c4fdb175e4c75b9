import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { checkStream } from '../../src/check/check.ts';
import type { Finding } from '../../src/check/finding.ts';
import { walk } from '../../src/layout/children.ts';
import { layoutOf, openStream } from '../../src/layout/open.ts';
import { blocking, checkLoad, destinationOf, hasSaid, openBytes, recorded } from './recorded.ts';
import { splice } from './splice.ts';

test.each(['7.2 to 7.2', '11.1 to 11.1'])(
  'a codec without the stream that another one has, %s',
  async (versions) => {
    const load = recorded(`device-hda ab ${versions}`);
    const [finding] = blocking(await checkLoad(load));
    expect(finding?.rule).toBe('null-pointer');
    expect(hasSaid(load.words, finding!.says!), finding!.says).toBe(true);
    expect(blocking(await checkLoad(recorded('device-hda ba 7.2 to 7.2')))).toEqual([]);
  },
);

/** Findings that block the stream that a machine sends, at one whose device does not send a subsection anywhere. */
async function blocksWithout(
  own: Uint8Array,
  version: string,
  device: string,
  subsection: string,
): Promise<readonly Finding[]> {
  const opened = await openStream(memorySource(own));
  const section = opened.stream.sections.find(({ idstr }) => idstr.endsWith(device))!;
  const { root } = await layoutOf(opened, section);
  const found = [...walk(root)].flatMap(({ node }) => (node.name === subsection ? [node] : []));
  expect(found.length).toBeGreaterThan(0);
  // The description of the stream tells of them.
  let without = own.subarray(0, opened.stream.vmdescription!.range.start);
  for (const { start, end } of found.reverse()) without = splice(without, start, end);
  const destination = await destinationOf(without, version, 'x86_64');
  expect(blocking(await checkStream(await openBytes(without), destination))).toEqual([]);
  return blocking(await checkStream(await openBytes(own), destination));
}

describe('the timer of a watchdog that the chipset of the destination has not', () => {
  // QEMU aborted with these words when -global ICH9-LPC.enable_tco=off was added to the command line of the destination;
  // such a machine sends the same section without that subsection, and loads its own.
  test.each([
    ['10.0', "vmstate_load_state: Assertion `first_elem || !n_elems || !size' failed."],
    ['11.1', "vmstate_load_vmsd: Assertion `first_elem || !n_elems || !size' failed."],
  ])('%s', async (version, words) => {
    const own = recorded(`q35-bare@7.2 ${version} to ${version}`).profile();
    const found = await blocksWithout(own, version, '/ICH9LPC', 'ich9_pm/tco');
    expect(found).toMatchObject([{ rule: 'null-pointer', path: ['pm'] }]);
    expect(found[0]!.section?.endsWith('/ICH9LPC')).toBe(true);
    expect(hasSaid([words], found[0]!.says!), found[0]!.says).toBe(true);
  });
});

test('a codec that makes timers without sending them', async () => {
  // QEMU 7.2 loaded it when use-timer=off was added to the codec, which then sends the section without them.
  const stream = recorded('device-hda ab 7.2 to 7.2').stream();
  expect(await blocksWithout(stream, '7.2', 'hda-audio', 'hda-audio-stream/buffer')).toEqual([]);
});
