import { describe, expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import { Destination } from '../../src/check/destination.ts';
import type { CheckReport } from '../../src/check/finding.ts';
import {
  blocking,
  checkLoad,
  destinationOf,
  hasSaid,
  loads,
  openBytes,
  recorded,
  tablesOf,
} from './recorded.ts';
import { fullSection, sectionRecord, splice } from './splice.ts';

const SAME = 'pc-nics@5.2 7.2 to 7.2 damaged framing: command-unknown';
const own = recorded(SAME).profile();

async function check(stream: Uint8Array, destination: Uint8Array, version = '7.2'): Promise<CheckReport> {
  return checkStream(await openBytes(stream), await destinationOf(destination, version, 'x86_64'));
}

/** A stream without one of its sections. */
async function without(bytes: Uint8Array, idstr: string, instanceId = 0): Promise<Uint8Array> {
  const { range } = await sectionRecord(bytes, idstr, instanceId);
  return splice(bytes, range.start, range.end);
}

/** A stream with a section's header changed, its footer as it was. */
async function renamed(
  bytes: Uint8Array,
  from: readonly [idstr: string, instanceId: number],
  to: readonly [idstr: string, instanceId: number],
): Promise<Uint8Array> {
  const record = await sectionRecord(bytes, ...from);
  const body = bytes.subarray(record.body.start, record.body.end);
  return splice(
    bytes,
    record.range.start,
    record.range.end,
    fullSection(record.id, to[0], to[1], record.versionId, body),
  );
}

describe('devices that are not there', () => {
  const cases = new Map(
    loads
      .filter(
        ({ kind, words }) =>
          !kind.startsWith('damaged') && /nknown (savevm )?section or instance/.test(words[0] ?? ''),
      )
      // One of each set and wording.
      .map((load) => [`${load.set} ${load.words[0]!.includes('savevm')}`, load.id]),
  );

  test('there are cases', () => expect(cases.size).toBeGreaterThan(30));

  test.each([...cases.values()].filter((_, i) => i % 3 === 0))('%s', async (id) => {
    const load = recorded(id);
    const report = await checkLoad(load, { tables: false });
    const said = report.findings.filter(({ rule }) => rule === 'unknown-section');
    expect(said.length).toBeGreaterThan(0);
    expect(hasSaid(load.words, said[0]!.says!), said[0]!.says).toBe(true);
    expect(report.verdict).toBe('will be rejected');
  });

  test('a device of the destination only is a note', async () => {
    const load = recorded('missing-rtl8139 ba 7.2 to 7.2');
    expect(load.loaded).toBe(true);
    const report = await checkLoad(load);
    const found = report.findings.filter(({ rule }) => rule === 'missing-section');
    expect(found.map(({ severity, section }) => [severity, section])).toContainEqual([
      'note',
      '0000:00:02.0/rtl8139',
    ]);
    expect(report.verdict).toBe('no blocker found');
  });

  test('another instance: the ones that are there are named', async () => {
    const [finding] = blocking(await checkLoad(recorded('missing-second-serial ab 7.2 to 7.2')));
    expect(finding).toMatchObject({ rule: 'unknown-section', section: 'serial', instanceId: 1 });
    expect(finding!.message).toMatch(/it has instances 0 of it/);
  });
});

describe('find_se (migration/savevm.c)', () => {
  test('a device that was registered without its path: by its name, instances in order', async () => {
    const bytes = await renamed(own, ['0000:00:02.0/e1000', 0], ['e1000', 0]);
    const report = await check(bytes, own);
    expect(blocking(report)).toEqual([]);
    expect(report.findings.filter(({ rule }) => rule === 'missing-section')).toEqual([]);
    // There is but one of it.
    const second = await check(await renamed(own, ['0000:00:02.0/e1000', 0], ['e1000', 1]), own);
    expect(blocking(second).map(({ rule }) => rule)).toEqual(['unknown-section']);
  });

  test('with a path it is that device and no other', async () => {
    const bytes = await renamed(own, ['0000:00:02.0/e1000', 0], ['0000:00:09.0/e1000', 0]);
    expect(blocking(await check(bytes, own))).toMatchObject([
      { rule: 'unknown-section', section: '0000:00:09.0/e1000' },
    ]);
    const instance = await renamed(own, ['0000:00:02.0/e1000', 0], ['0000:00:02.0/e1000', 1]);
    expect(blocking(await check(instance, own)).map(({ rule }) => rule)).toEqual(['unknown-section']);
  });

  test('a section that comes twice is loaded twice', async () => {
    const load = recorded('pc-nics@5.2 7.2 to 7.2 damaged framing: section-twice');
    const report = await checkLoad(load);
    expect(report.verdict === 'will be rejected').toBe(!load.loaded);
  });

  test('sections that are only sent at times are no unknown devices', async () => {
    const { range } = await sectionRecord(own, 'globalstate');
    const dirty = splice(
      own,
      range.start,
      range.start,
      fullSection(999, 'dirty-bitmap', 0, 1, new Uint8Array([1, 0, 0, 0])),
    );
    const found = (await check(dirty, own)).findings.filter(({ rule }) => rule === 'unknown-section');
    expect(found.map(({ severity }) => severity)).toEqual(['note']);
  });

  test('what a destination that sends no such section would read of it', async () => {
    const load = recorded('s390-cpu-z900 ba 5.2 to 10.0');
    expect(load.loaded).toBe(false);
    const [finding] = blocking(await checkLoad(load));
    expect(finding).toMatchObject({ rule: 'section-layout', section: 'qemu-s390-flic', path: ['simm'] });
    expect(hasSaid(load.words, finding!.says!)).toBe(true);
  });

  test('a missing section blocks nothing', async () => {
    for (const idstr of ['globalstate', '0000:00:02.0/e1000', 'cpu']) {
      const report = await check(await without(own, idstr), own);
      expect(report.verdict).toBe('no blocker found');
      expect(report.findings.map(({ rule, section }) => [rule, section])).toContainEqual([
        'missing-section',
        idstr,
      ]);
    }
    const load = recorded('pc-nics@5.2 7.2 to 7.2 damaged framing: section-missing');
    expect(load.loaded).toBe(true);
  });
});

describe('versions', () => {
  test.each(['newer', 'older', '1'])('section-version-%s', async (what) => {
    for (const versions of ['7.2 to 7.2', '11.1 to 11.1', '5.2 to 10.0']) {
      const load = recorded(`pc-nics@5.2 ${versions} damaged framing: section-version-${what}`);
      const [first] = blocking(await checkLoad(load));
      expect(first === undefined).toBe(load.loaded);
      if (!first) continue;
      expect(first).toMatchObject({
        rule: what === 'newer' ? 'section-too-new' : expect.stringMatching(/^section-/),
      });
      // QEMU before 10.2 has two blanks there.
      const words = load.words.map((line) => line.replace(/ +/g, ' '));
      expect(hasSaid(words, first.says!), first.says).toBe(true);
    }
  });

  test.each(['pc-misc@5.2 11.1 to 5.2', 'pc-misc@5.2 11.1 to 7.2', 'pc-misc@5.2 11.1 to 10.0'])(
    '%s',
    async (id) => {
      const load = recorded(id);
      const [first] = blocking(await checkLoad(load, { tables: false }));
      expect(first).toMatchObject({ rule: 'section-too-new', section: 'ipmi-bmc-sim' });
      expect(hasSaid(load.words, first!.says!)).toBe(true);
    },
  );
});

test.each([
  ['globalstate', 0x80000000],
  ['PCIHost', 0x20000],
])('an instance of %s that no VM has', async (idstr, instanceId) => {
  // Both were refused as unknown sections by real QEMUs; neither is sent by all of them.
  const bytes = await renamed(own, [idstr, 0], [idstr, instanceId]);
  expect(blocking(await check(bytes, own))).toMatchObject([
    { rule: 'unknown-section', section: idstr, instanceId },
  ]);
});

describe('a QEMU of which nothing but its tables is known', () => {
  test('devices that it does not have at all', async () => {
    const { range } = await sectionRecord(own, 'globalstate');
    const bytes = splice(
      own,
      range.start,
      range.start,
      fullSection(999, '0000:00:09.0/warp-drive', 0, 1, new Uint8Array(9)),
    );
    const destination = new Destination({ tables: await tablesOf('7.2', 'x86_64') });
    const report = await checkStream(await openBytes(bytes), destination);
    expect(blocking(report)).toMatchObject([{ rule: 'unknown-device', section: '0000:00:09.0/warp-drive' }]);
    expect(blocking(await checkStream(await openBytes(own), destination))).toEqual([]);
  });

  test('a version that it does not load', async () => {
    const load = recorded('pc-misc@5.2 11.1 to 7.2');
    const destination = new Destination({ tables: await tablesOf('7.2', 'x86_64') });
    const found = blocking(await checkStream(await openBytes(load.stream()), destination));
    expect(found.map(({ rule, section }) => [rule, section])).toContainEqual([
      'section-too-new',
      'ipmi-bmc-sim',
    ]);
  });

  test('nothing at all is known: nothing can be told', async () => {
    const report = await checkStream(await openBytes(own), new Destination({}));
    expect(report).toMatchObject({ verdict: 'cannot tell', reason: 'nothing is known of the destination' });
  });
});

describe('two subsections of one name, of which a load takes the first', () => {
  test.each([
    ['ppc-bamboo 5.2 to 7.2', 'cpu', 'cpu/tlb6xx'],
    ['ppc-bamboo 7.2 to 7.2', 'cpu', 'cpu/tlb6xx'],
    ['ppc-bamboo 7.2 to 10.0', 'cpu', undefined],
    // Both are sent.
    ['q35-emmc@7.2 11.1 to 11.1', 'sd-card', 'sd-card/ext_csd_modes-state'],
    // Each has a name of its own.
    ['ppc-bamboo 10.0 to 10.0', undefined, undefined],
  ])('%s', async (id, section, twin) => {
    const load = recorded(id);
    expect(load.loaded).toBe(section === undefined);
    const [finding] = blocking(await checkLoad(load));
    expect(finding?.section).toBe(section);
    if (finding) expect(hasSaid(load.words, finding.says!), finding.says).toBe(true);
    if (twin) expect(finding?.message).toContain(`${twin} is the name of two subsections`);
  });
});
