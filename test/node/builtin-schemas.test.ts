import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { openStream } from '../../src/layout/open.ts';
import { builtinTablesOfWriter } from '../../src/node/builtin-schemas.ts';
import { loads } from '../check/recorded.ts';

/** The own state of a destination of a set of loads, by the QEMU that wrote it. */
function stateOf(set: string, version: string): Uint8Array {
  const found = loads.find(({ id, destination }) => id.startsWith(set) && destination.version === version);
  if (!found) throw new Error(`no QEMU ${version} is recorded for ${set}`);
  return found.profile();
}

test.each([
  ['property-i8042', '7.2', 'x86_64'],
  ['property-i8042', '10.0', 'x86_64'],
  ['property-i8042', '11.1', 'x86_64'],
  ['i386-pc@5.2', '5.2', 'i386'],
  ['i386-pc@5.2', '11.1', 'i386'],
  ['arm-its', '7.2', 'aarch64'],
])('%s of QEMU %s, %s: told from the others by its description', async (set, version, target) => {
  const writer = await builtinTablesOfWriter(await openStream(memorySource(stateOf(set, version))));
  expect(writer?.qemuVersion?.startsWith(`${version}.`)).toBe(true);
  expect(writer?.tables.schema.target).toBe(target);
});

test('a state that several versions describe alike is of none for certain', async () => {
  const writer = await builtinTablesOfWriter(await openStream(memorySource(stateOf('s390-missing', '7.2'))));
  expect(writer?.qemuVersion).toBeUndefined();
  expect(writer?.tables.schema.target).toBe('s390x');
});
