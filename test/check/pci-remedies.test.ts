import { expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import { blocking, checkLoad, destinationOf, hasSaid, loads, openBytes } from './recorded.ts';

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
  expect(finding.fix).not.toContain('a machine type that both');
  // The destination with the properties of the source is one that loads.
  const source = settingOf(load.source.args, load.destination.args);
  const [, name] = /^(mac)=/.exec(source) ?? [];
  if (name) expect(finding.fix).toContain(`${name}=`);
  else if (source !== '') expect(finding.fix).toContain(`at the destination ${source}`);
});

// Without vectors there is no MSI-X, and other capabilities are first; virtio-net of pc-q35-5.2 has three.
test.each(
  loads.filter(({ id }) => id.startsWith('count-net-no-msix')).map((load) => [load.id, load] as const),
)('%s', async (_, load) => {
  const [finding] = blocking(await checkLoad(load));
  expect(hasSaid(load.words, finding!.says!), finding!.says).toBe(true);
  const [, count = '3'] = /vectors=(\d)/.exec(load.source.args.at(-1)!) ?? [];
  expect(finding!.fix).toContain(`at the destination vectors=${count};`);
});

test.each([
  // By what pcie_cap_init and pcie_cap_fill_link_ep_usp write, and no property: the speed of a link is 1 to 6, its width a power of 2 or 12.
  ['register-speed ab 7.2 to 7.2', 0x60, 0xf0, 0x00],
  ['register-speed ab 7.2 to 7.2', 0x60, 0xf0, 0x0f],
  ['register-width ab 7.2 to 7.2', 0x60, 0x0f, 0x30],
  // Errors that no device has (PCI_ERR_UNC_SUPPORTED).
  ['register-error-mask ab 10.0 to 10.0', 0x108, 0x00, 0x01],
])('%s, byte %i damaged: no property is named', async (id, at, keep, value) => {
  const load = loads.find((one) => one.id === id)!;
  const bytes = Buffer.from(load.stream());
  const [found] = blocking(await checkLoad(load));
  const start = found!.range!.start - Number.parseInt(/byte 0x([0-9a-f]+)/.exec(found!.message)![1]!, 16);
  bytes[start + at] = (bytes[start + at]! & keep) | value;
  const { version, target } = load.destination;
  const report = await checkStream(
    await openBytes(bytes),
    await destinationOf(load.profile(), version, target),
  );
  const [finding] = blocking(report);
  expect(finding).toMatchObject({ rule: 'pci-config', range: { start: start + at } });
  expect(finding?.fix).toContain('damaged');
  expect(finding?.fix).not.toMatch(/[a-z_-]+=/);
});
