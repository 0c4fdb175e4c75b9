import { expect, test } from 'vitest';
import { checkDeviceState, encodeDeviceState } from '../../src/edit/encode-device-state.ts';
import type { DecodedSection } from '../../src/edit/read-decoded.ts';
import { decodeStream, openDecoded } from '../../src/node/decode.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { deviceEntries } from '../../src/schema/vmdesc.ts';
import { openVm } from '../../src/vm/vm.ts';
import { temporaryFolder } from '../cli/run.ts';
import { openFixture } from '../fixtures.ts';

const NAMES = ['qemu-5.2-mips-malta', 'qemu-10.0-ide-in-flight', 'qemu-11.1-s390x-ccw'];

async function decoded(name: string) {
  const vm = await openVm(openFixture(name), { schemas: packagedSchemas });
  const folder = temporaryFolder();
  await decodeStream(vm, folder);
  return { vm, ...(await openDecoded(folder)) };
}

test.each(NAMES)('without a base, sections are described as QEMU described them: %s', async (name) => {
  const { vm, manifest, read } = await decoded(name);
  const state = await encodeDeviceState(manifest, read);
  const made = await openVm(state.source, { schemas: packagedSchemas });
  expect(made.diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  await checkDeviceState(made, state);
  const isWritten = (entry: { idstr: string; instanceId: number }) =>
    state.sections.some((each) => each.section === entry.idstr && each.instanceId === entry.instanceId);
  expect(deviceEntries(made.vmdesc!)).toEqual(deviceEntries(vm.vmdesc!).filter(isWritten));
  expect(made.vmdesc!['configuration']).toEqual(vm.vmdesc!['configuration']);
});

test('without a base, a count that does not agree with its elements is refused', async () => {
  const { manifest, read } = await decoded('qemu-7.2-pc-devices');
  const changed = async (file: string): Promise<DecodedSection> => {
    const section = await read(file);
    if (section.section !== 'hpet') return section;
    const children = section.root.children.map((child) =>
      child.kind === 'leaf' && child.name === 'num_timers' ? { ...child, value: 2 } : child,
    );
    return { ...section, root: { ...section.root, children } };
  };
  const state = await encodeDeviceState(manifest, changed);
  const made = await openVm(state.source, { schemas: packagedSchemas });
  await expect(checkDeviceState(made, state)).rejects.toThrow(/hpet: .* is read as something else.* by QEMU/);
});

test('without a base, the vmdesc is what was asked for', async () => {
  const { manifest, read } = await decoded('qemu-7.2-avr-uno');
  const vmdescOf = async (mode: 'drop' | 'empty') =>
    (await openVm((await encodeDeviceState(manifest, read, mode)).source)).vmdesc;
  expect(await vmdescOf('drop')).toBeUndefined();
  expect(await vmdescOf('empty')).toEqual({ page_size: expect.any(Number), devices: [] });
  await expect(encodeDeviceState(manifest, read, 'keep')).rejects.toThrow(/no vmdesc that could be kept/);
});
