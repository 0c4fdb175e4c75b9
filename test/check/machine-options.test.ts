import { describe, expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import { cpusOfCommandLine } from '../../src/check/cpus-of-command-line.ts';
import { readFixture } from '../fixtures.ts';
import {
  blocking,
  checkLoad,
  destinationOf,
  hasSaid,
  loads,
  NO_FACTS,
  openBytes,
  recorded,
} from './recorded.ts';

describe('CPUs of a command line (hw/core/machine-smp.c)', () => {
  test.each<[string, number | undefined]>([
    ['', 1],
    ['-smp 4', 4],
    ['--smp cpus=4', 4],
    ['-smp 1,maxcpus=8', 8],
    ['-smp 1 -smp maxcpus=3', 3],
    ['-M q35,smp.cpus=2,smp.max-cpus=6', 6],
    ['-smp 4,sockets=2,cores=2,threads=1', 4],
    // QEMU 5.2 takes 2, 7.2 takes 4.
    ['-smp 2,sockets=4,cores=1,threads=1', undefined],
    ['-smp 4,sockets=2', undefined],
    ['-readconfig vm.cfg', undefined],
  ])('%s', (words, cpus) => {
    expect(cpusOfCommandLine(['qemu-system-x86_64', ...words.split(' ').filter(Boolean)])).toBe(cpus);
  });
});

describe('the state of CPU hotplug, where the destination does not send it', () => {
  // QEMU 11.1 sends it always, older ones once the guest has switched to it.
  const cases = loads.filter(({ id }) => id.startsWith('hotplug-max-cpus'));

  test.each(cases.map(({ id }) => id))('%s', async (id) => {
    const load = recorded(id);
    const report = await checkLoad(load);
    expect(report.verdict).toBe(load.loaded ? 'no blocker found' : 'will be rejected');
    for (const { rule, path, says, fix } of blocking(report)) {
      expect([rule, path?.at(-1)]).toEqual(['array-length', 'devs']);
      expect(fix).toContain(load.source.args.at(-1)?.split(',')[1]);
      expect(hasSaid(load.words, says!)).toBe(true);
    }
  });

  test('there are both', () => {
    expect(cases.map(({ loaded }) => loaded)).toContain(true);
    expect(cases.map(({ loaded }) => loaded)).toContain(false);
  });

  test('a number that makes more bytes fit is not what is wrong where a name of a subsection is', async () => {
    const own = await destinationOf(readFixture('qemu-5.2-q35-devices'), '5.2', 'x86_64');
    const report = await checkStream(await openBytes(readFixture('qemu-11.1-q35-devices')), own);
    const found = blocking(report).find(({ section }) => section?.endsWith('/ICH9LPC'));
    expect(found?.rule).toBe('unknown-subsection');
    // What 5.2 says of a guest of 7.2 whose machine type was changed.
    expect(found?.says).toBe("VM subsection 'ich9_pm/pcihp' in 'ich9_pm' does not exist");
  });

  test('what the monitor told counts, and not the command line', async () => {
    const load = recorded('hotplug-max-cpus pc-q35 4 to 4 11.1 to 10.0');
    const report = await checkLoad(load, { facts: { ...NO_FACTS, possibleCpus: 3 } });
    expect(blocking(report).map(({ rule }) => rule)).toEqual(['array-length']);
  });

  test('a number that nobody told', async () => {
    const load = recorded('hotplug-max-cpus pc-q35 4 to 4 11.1 to 10.0');
    const { verdict, findings } = await checkLoad(load, { facts: NO_FACTS, commandLine: undefined });
    expect(verdict).toBe('cannot tell');
    expect(findings.filter(({ severity }) => severity !== 'note').map(({ rule }) => rule)).toEqual([
      'not-checked',
    ]);
  });
});

describe('remedies where there is no -device', () => {
  test.each([
    ['memory-slots ab 7.2 to 7.2', '-m …,slots='],
    ['memory-maxmem ba 7.2 to 7.2', '-m …,slots='],
    ['count-max-cpus ab 11.1 to 11.1', '-smp …,maxcpus='],
    ['pseries-max-cpus ab 7.2 to 7.2', '-smp …,maxcpus='],
    ['property-hotplug-bridges ab 7.2 to 7.2', '-global PIIX4_PM.acpi-pci-hotplug-with-bridge-support='],
  ])('%s', async (id, fix) => {
    const [first] = blocking(await checkLoad(recorded(id)));
    expect(first?.fix).toContain(fix);
  });
});
