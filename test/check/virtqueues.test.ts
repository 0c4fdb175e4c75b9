import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { checkStream } from '../../src/check/check.ts';
import type { Finding } from '../../src/check/finding.ts';
import { openStream } from '../../src/layout/open.ts';
import type { SectionRecord } from '../../src/stream/records.ts';
import { blocking, checkLoad, destinationOf, hasSaid, openBytes, recorded } from './recorded.ts';
import { command, splice } from './splice.ts';

/** From which QEMU to which: a Linux that uses its virtio devices. */
const VERSIONS = ['7.2 to 7.2', '11.1 to 11.1', '5.2 to 10.0'] as const;

const loadOf = (versions: string, what: string) =>
  recorded(`linux-pc-virtio@5.2 ${versions} damaged virtio: ${what}`);

const ofQueues = ({ rule }: { readonly rule: string }) => rule === 'virtio-queues';

describe.each(VERSIONS)("rings in the guest's memory, %s", (versions) => {
  // Without its features a device is a legacy one, whose used ring is looked for elsewhere.
  test.each(['last-avail-back', 'features-none'])(
    '%s: refused, with the numbers that QEMU says',
    async (what) => {
      const load = loadOf(versions, what);
      expect(load.loaded).toBe(false);
      const [first, ...others] = blocking(await checkLoad(load)).filter(ofQueues);
      expect(hasSaid(load.words, first?.says ?? 'nothing')).toBe(true);
      expect(others.every(({ says }) => says?.includes('last_avail_idx'))).toBe(true);
    },
  );

  test('last-avail: loaded, and the device stops', async () => {
    const load = loadOf(versions, 'last-avail');
    expect(load.loaded).toBe(true);
    const { verdict, findings } = await checkLoad(load);
    expect(verdict).toBe('no blocker found');
    const stopped = findings.filter(ofQueues);
    expect(stopped.map(({ severity }) => severity)).toEqual(['suspicious']);
    expect(hasSaid(load.words, stopped[0]?.says ?? 'nothing')).toBe(true);
  });

  test('queue-size: loaded, without a word', async () => {
    const load = loadOf(versions, 'queue-size');
    expect(load.loaded).toBe(true);
    const { findings } = await checkLoad(load);
    expect(findings.filter(ofQueues)).toEqual([]);
  });
});

describe('rings whose pages are not in the stream', () => {
  const load = loadOf('7.2 to 7.2', 'last-avail-back');
  /** MIG_CMD_POSTCOPY_ADVISE, and MIG_CMD_POSTCOPY_RAM_DISCARD of all of pc.ram (migration/savevm.c). */
  const advise = command(3, Buffer.from('00000000000010000000000000001000', 'hex'));
  const discard = command(
    6,
    Buffer.concat([Buffer.from('\0\x06pc.ram\0'), Buffer.alloc(8), Buffer.from('0000000100000000', 'hex')]),
  );

  async function ofRings(change: (bytes: Uint8Array, ram: readonly SectionRecord[]) => Uint8Array) {
    const bytes = load.stream();
    const { stream } = await openStream(memorySource(bytes));
    const { records } = stream.sections.find(({ idstr }) => idstr === 'ram')!;
    const opened = await openBytes(change(bytes, records));
    const { findings } = await checkStream(opened, await destinationOf(load.profile(), '7.2', 'x86_64'));
    return findings.filter((one) => ofQueues(one) || one.message.includes('virtqueue'));
  }
  const brief = ({ severity, rule, section, says }: Finding) => ({ severity, rule, section, says });

  test('discarded, and sent again: the same is said as without', async () => {
    const found = await ofRings((bytes, [, part]) =>
      splice(bytes, part!.range.start, part!.range.start, advise, discard),
    );
    expect(found.filter(ofQueues).map(brief)).toEqual(
      blocking(await checkLoad(load))
        .filter(ofQueues)
        .map(brief),
    );
    expect(found.length).toBeGreaterThan(0);
  });

  test.each([
    [
      'discarded, and not sent again',
      'were discarded by postcopy',
      (bytes: Uint8Array, records: readonly SectionRecord[]) => {
        const { end } = records.at(-1)!.range;
        return splice(bytes, end, end, advise, discard);
      },
    ],
    [
      'not sent',
      'are not in this stream',
      (bytes: Uint8Array, records: readonly SectionRecord[]) =>
        splice(bytes, records[1]!.range.start, records.at(-1)!.range.start),
    ],
  ])('%s: a device says once that it is not checked', async (_, why, change) => {
    const found = await ofRings(change);
    expect(found.length).toBeGreaterThan(0);
    expect(new Set(found.map(({ section }) => section)).size).toBe(found.length);
    for (const { rule, severity, message } of found) {
      expect({ rule, severity }).toEqual({ rule: 'not-checked', severity: 'note' });
      expect(message).toContain(why);
    }
  });
});
