import { describe, expect, test } from 'vitest';
import { fixtureFile, pickFixture, vmwalk } from '../cli/run.ts';

const fixture = pickFixture(({ name }) => name === 'qemu-7.2-pc-devices');

describe('a selector that matches nothing', () => {
  test.each([
    ['globalstat', ['globalstate']],
    ['GlobalState', ['globalstate']],
    ['cpu/env.rges[0]', ['cpu/env.regs[0]']],
    ['globalstate/runstat', ['globalstate/runstate']],
    ['mc14681rtc/cmos', ['mc146818rtc/cmos']],
    ['146818', ['mc146818rtc']],
    ['nothing-of-the-kind', []],
  ])('%s', async (selector, nearest) => {
    const { status, stdout, stderr } = await vmwalk(['dump', fixtureFile(fixture), selector]);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`nothing matches '${selector}'`);
    if (nearest.length === 0) expect(stderr).toContain('info lists the sections');
    for (const name of nearest) expect(stderr.split('did you mean ')[1]).toContain(name);
  });

  test('beside one that matches: both are said, and what matches is shown', async () => {
    const args = ['dump', fixtureFile(fixture), 'globalstate', 'globalstatt'];
    const { status, stdout, stderr } = await vmwalk(args);
    expect([status, stdout.split('  ')[0]]).toEqual([0, 'globalstate']);
    expect(stderr).toBe("vmwalk: nothing matches 'globalstatt'; did you mean globalstate?\n");
  });

  test('one inside of what another picks matches', async () => {
    const args = ['dump', fixtureFile(fixture), 'globalstate', 'globalstate/runstate'];
    expect(await vmwalk(args)).toMatchObject({ status: 0, stderr: '' });
  });

  test('of diff --only', async () => {
    const file = fixtureFile(fixture);
    const { status, stderr } = await vmwalk(['diff', file, file, '--only', 'globalstat']);
    expect([status, stderr]).toEqual([2, expect.stringContaining('did you mean globalstate?')]);
  });
});
