import { describe, expect, test } from 'vitest';
import { cpusOfCommandLine } from '../../src/check/cpus-of-command-line.ts';
import { blocking, checkLoad, hasSaid, NO_FACTS, recorded } from './recorded.ts';

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
  // QEMU 11.1 sends it always, older ones once the guest has switched to it. Both sides have maxcpus=4.
  const load = recorded('q35-hotplug@5.2 11.1 to 7.2');
  const check = (possibleCpus: number | undefined) =>
    checkLoad(load, { facts: { ...NO_FACTS, possibleCpus } });

  test('as many CPUs as QEMU loaded it with', async () => {
    expect(load.loaded).toBe(true);
    expect(load.destination.args.join(' ')).toContain('maxcpus=4');
    const report = await check(4);
    expect(report.verdict).toBe('no blocker found');
  });

  test('another number of them', async () => {
    for (const possible of [1, 3, 5]) {
      const found = blocking(await check(possible));
      expect(found.map(({ rule, path }) => [rule, path?.at(-1)])).toEqual([['array-length', 'devs']]);
      expect(found[0]?.fix).toContain('maxcpus=4');
      // What QEMU 11.1 said of the same.
      const { words } = recorded('count-max-cpus ab 11.1 to 11.1');
      expect(hasSaid(words, found[0]!.says!)).toBe(true);
    }
  });

  test('a number that nobody told', async () => {
    const { verdict, findings } = await check(undefined);
    expect(verdict).toBe('cannot tell');
    expect(findings.filter(({ severity }) => severity !== 'note').map(({ rule }) => rule)).toEqual([
      'not-checked',
    ]);
  });
});
