import { describe, expect, test } from 'vitest';
import { blocking, checkLoad, hasSaid, recorded } from './recorded.ts';

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
