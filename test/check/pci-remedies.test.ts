import { expect, test } from 'vitest';
import { blocking, checkLoad, hasSaid, loads } from './recorded.ts';

/** A property that one side has and the other does not have, or has with another value. */
function settingOf(own: readonly string[], other: readonly string[]): string {
  const there = new Set(other.join(' ').split(/[ ,]/));
  const [setting = ''] = own
    .join(' ')
    .split(/[ ,]/)
    .filter((part) => part.includes('=') && !there.has(part));
  return setting;
}

const registers = loads.filter(({ kind }) => kind === 'PCI registers');

test.each(registers.map((load) => [load.id, load] as const))('%s', { timeout: 60_000 }, async (_, load) => {
  const [finding] = blocking(await checkLoad(load));
  expect(finding === undefined).toBe(load.loaded);
  if (!finding) return;
  expect(finding.rule).toBe('pci-config');
  expect(hasSaid(load.words, finding.says!), finding.says).toBe(true);
  // The destination with the properties of the source is one that loads.
  const source = settingOf(load.source.args, load.destination.args);
  const [, name] = /^(mac)=/.exec(source) ?? [];
  if (name) expect(finding.fix).toContain(`${name}=`);
  else if (source !== '') expect(finding.fix).toContain(`at the destination ${source}`);
});
