import { describe, expect, test } from 'vitest';
import { blocking, checkLoad, hasSaid, recorded } from './recorded.ts';

/** Two machines that differ in one capability (spapr_caps.c). */
const idOf = (what: string) => `pseries-cap-${what}`;

describe('a capability that is higher than at the destination', () => {
  test.each([
    'cfpc ba 7.2 to 7.2',
    'ibs ba 7.2 to 7.2',
    'large-decr ab 7.2 to 7.2',
    'ccf-assist ab 11.1 to 11.1',
    'hpt-page ab 7.2 to 7.2',
    'hpt-page ab 11.1 to 11.1',
    'vsx ab 7.2 to 7.2',
    'nested ba 10.0 to 11.1',
  ])('%s', async (what) => {
    const load = recorded(idOf(what));
    expect(load.loaded).toBe(false);
    const found = blocking(await checkLoad(load));
    expect(found).toMatchObject([{ rule: 'spapr-capability', section: 'spapr' }]);
    expect(hasSaid(load.words, found[0]!.says!), found[0]!.says).toBe(true);
  });
});

describe('a capability that is lower: QEMU loads it', () => {
  test.each([
    'cfpc ab 7.2 to 7.2',
    'ibs ab 7.2 to 7.2',
    'large-decr ba 7.2 to 7.2',
    'hpt-page ba 7.2 to 7.2',
    'vsx ba 7.2 to 7.2',
    'nested ab 11.1 to 11.1',
  ])('%s', async (what) => {
    const load = recorded(idOf(what));
    expect(load.loaded).toBe(true);
    const { findings } = await checkLoad(load);
    expect(findings.filter(({ rule }) => rule === 'spapr-capability')).toEqual([]);
  });

  test('of a level between the lowest and the highest it cannot be told, where the other is not sent', async () => {
    const load = recorded(idOf('sbbc ab 11.1 to 11.1'));
    expect(load.loaded).toBe(true);
    const { verdict, findings } = await checkLoad(load);
    expect(verdict).toBe('no blocker found');
    expect(findings.filter(({ rule }) => rule === 'spapr-capability')).toMatchObject([
      { severity: 'suspicious' },
    ]);
  });
});
