import { describe, expect, test } from 'vitest';
import { memorySource, readExactly } from '../../src/bytes/source.ts';
import { type ApplyOptions, applyEdits } from '../../src/edit/apply-edits.ts';
import { type Edit, type EditOptions, planEdits } from '../../src/edit/edit.ts';
import { walk } from '../../src/layout/children.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openVm, type Vm } from '../../src/vm/vm.ts';
import { openFixture } from '../fixtures.ts';

const PC = 'qemu-7.2-pc-devices';
const open = (name: string) => openVm(openFixture(name), { schemas: packagedSchemas });

async function edit(vm: Vm, edits: readonly Edit[], options: EditOptions & ApplyOptions = {}) {
  const { source, patches } = await applyEdits(vm, await planEdits(vm, edits, options), options);
  const bytes = await readExactly(source, 0, source.size);
  return { bytes, patches, edited: await openVm(memorySource(bytes), { schemas: packagedSchemas }) };
}

const set = (selector: string, value: string): Edit => ({ edit: 'set', selector, value });

/** Values of leaves by section and path. */
async function valuesOf(vm: Vm): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  for await (const { section, instanceId, root } of vm.layouts()) {
    for (const { node, path } of walk(root)) {
      if (node.kind !== 'leaf' || node.type === 'subsection header') continue;
      const value =
        node.value instanceof Uint8Array ? Buffer.from(node.value).toString('hex') : String(node.value);
      values.set([section, instanceId, ...path].join('/'), value);
    }
  }
  return values;
}

async function changes(before: Vm, after: Vm): Promise<Record<string, string>> {
  const [a, b] = [await valuesOf(before), await valuesOf(after)];
  return Object.fromEntries([...b].filter(([key, value]) => a.get(key) !== value));
}

describe('a value that is set', () => {
  test.each([
    ['pcspk/data_on', '0', 'pcspk/0/data_on', '0'],
    ['cpu@0/env.eip', '0xffffffff80001234', 'cpu/0/env.eip', '18446744071562072628'],
    ['serial/state/divider', '13', 'serial/0/state/divider', '13'],
    ['fw_cfg/cur_offset[1]', '0x10', 'fw_cfg/0/cur_offset[1]', '16'],
  ])('%s=%s is all that changes', async (selector, value, key, shown) => {
    const vm = await open(PC);
    const { edited, bytes, patches } = await edit(vm, [set(selector, value)]);
    expect(await changes(vm, edited)).toEqual({ [key]: shown });
    expect(bytes.byteLength).toBe(vm.source.size);
    expect(patches).toHaveLength(1);
  });

  test('may be names of flags', async () => {
    const vm = await open(PC);
    const { edited } = await edit(vm, [set('*/virtio-net/**/command', 'memory, bus master')]);
    const found = [...(await valuesOf(edited))].filter(([key]) => /virtio-net\/.*\/command$/.test(key));
    expect(found.map(([, value]) => value)).toEqual(['6']);
  });

  test.each([
    ['pcspk/data_on', '256', /data_on: .*256 is no uint8: 0 to 255 are possible/],
    ['cpu@0/env.eip', '-1', /0 to 18446744073709551615 are possible/],
    ['cpu@0/env.eip', 'x', /'x' is no value of type uint64/],
    ['cpu@0/env.regs', '1', /is an array: a value is set in one of its fields/],
    ['nothing/at_all', '1', /nothing matches 'nothing/],
  ])('%s=%s is refused', async (selector, value, message) => {
    const vm = await open(PC);
    await expect(planEdits(vm, [set(selector, value)])).rejects.toThrow(message);
  });

  test('is refused where a QEMU would read other fields behind it', async () => {
    const vm = await open(PC);
    const plan = await planEdits(vm, [set('configuration/len', '4')]);
    await expect(applyEdits(vm, plan)).rejects.toMatchObject({ code: 'edit-refused' });
  });
});

describe('a section', () => {
  test('that is dropped is gone, with its entry in the vmdesc', async () => {
    const vm = await open(PC);
    const { edited } = await edit(vm, [{ edit: 'drop', selector: 'hpet' }]);
    expect(edited.diagnostics).toEqual(vm.diagnostics);
    const names = (each: Vm) => each.sections.map(({ idstr }) => idstr);
    expect(names(edited)).toEqual(names(vm).filter((name) => name !== 'hpet'));
    expect(edited.schema?.devices.map(({ idstr }) => idstr)).not.toContain('hpet');
    expect(await changes(vm, edited)).toEqual({});
  });

  test('that is copied back stands where it stood', async () => {
    const vm = await open(PC);
    const { edited: without } = await edit(vm, [{ edit: 'drop', selector: 'hpet' }]);
    const { edited } = await edit(without, [{ edit: 'copy', selector: 'hpet', from: vm }]);
    expect(edited.sections.map(({ idstr }) => idstr)).toEqual(vm.sections.map(({ idstr }) => idstr));
    expect(await valuesOf(edited)).toEqual(await valuesOf(vm));
    expect(edited.schema?.devices.map(({ idstr }) => idstr)).toEqual(
      vm.schema?.devices.map(({ idstr }) => idstr),
    );
  });

  test('gets another name, and its description with it', async () => {
    const vm = await open(PC);
    const { edited } = await edit(vm, [{ edit: 'rename', from: 'hpet', to: 'another-timer' }]);
    expect(edited.diagnostics).toEqual(vm.diagnostics);
    const section = edited.sections.find(({ idstr }) => idstr === 'another-timer')!;
    expect((await edited.layout(section)).diagnostics).toEqual([]);
  });
});

test('a subsection that is dropped comes back by a copy, where it was', async () => {
  const vm = await open(PC);
  const selector = 'fw_cfg/fw_cfg/dma';
  const { edited: without } = await edit(vm, [{ edit: 'drop', selector }]);
  const gone = [...(await valuesOf(vm)).keys()].filter((key) => key.startsWith('fw_cfg/0/fw_cfg/dma/'));
  expect(gone.length).toBeGreaterThan(0);
  for (const key of gone) expect((await valuesOf(without)).has(key)).toBe(false);
  const { bytes } = await edit(without, [{ edit: 'copy', selector, from: vm }]);
  const again = await openVm(memorySource(bytes), { schemas: packagedSchemas });
  expect([...(await valuesOf(again))]).toEqual([...(await valuesOf(vm))]);
});

describe('elements of an array that is counted', () => {
  const drop = (selector: string): Edit => ({ edit: 'drop', selector });
  // Of timers an HPET has three at least.
  const force = { force: true };

  test('are not dropped where a QEMU would refuse what is left, in its words', async () => {
    await expect(edit(await open(PC), [drop('hpet/timer[1]')])).rejects.toThrow(
      /^hpet: no QEMU loads what would be written: Input validation failed: hpet\/num_timers in range$/,
    );
  });

  test('are dropped together, as they were called before', async () => {
    const vm = await open(PC);
    const { edited } = await edit(
      vm,
      [drop('hpet/timer[0]'), drop('hpet/timer[1]'), drop('hpet/timer[0]')],
      force,
    );
    const [before, after] = [await valuesOf(vm), await valuesOf(edited)];
    expect(after.get('hpet/0/num_timers')).toBe('1');
    for (const name of ['tn', 'config', 'cmp', 'fsb'])
      expect(after.get(`hpet/0/timer/${name}`)).toBe(before.get(`hpet/0/timer/2/${name}`));
  });

  test('are dropped all by one selector', async () => {
    const { edited } = await edit(await open(PC), [drop('hpet/timer[*]')], force);
    const after = await valuesOf(edited);
    expect(after.get('hpet/0/num_timers')).toBe('0');
    expect([...after.keys()].filter((key) => key.startsWith('hpet/0/timer'))).toEqual([]);
  });

  test('may be the last of them', async () => {
    const vm = await open('qemu-11.1-mapped-ram-multifd');
    expect(vm.stream.configuration?.capabilities).toEqual(['mapped-ram']);
    const selector = 'configuration/configuration/capabilities/capabilities';
    const plan = await planEdits(vm, [{ edit: 'drop', selector }]);
    const { source } = await applyEdits(vm, plan, { force: true });
    // No file of mapped-ram any more, and so one that goes on differently: its configuration is what counts here.
    const configuration = await readExactly(source, 0, 80);
    expect(Buffer.from(configuration).includes('mapped-ram')).toBe(false);
    expect(plan.followed).toEqual(['configuration/configuration/capabilities/caps_count']);
  });
});

test('two sections that stood beside each other are copied back, with what describes them', async () => {
  const vm = await open(PC);
  const dropped: Edit[] = ['fdc', 'ps2kbd'].map((selector) => ({ edit: 'drop', selector }));
  const { edited: without } = await edit(vm, dropped);
  const { edited } = await edit(without, [
    { edit: 'copy', selector: 'fdc', from: vm },
    { edit: 'copy', selector: 'ps2kbd', from: vm },
  ]);
  expect(await valuesOf(edited)).toEqual(await valuesOf(vm));
  expect(edited.schema?.devices.map(({ idstr }) => idstr)).toEqual(
    vm.schema?.devices.map(({ idstr }) => idstr),
  );
});

test.each([
  ['fdc', /has a section fdc already/],
  ['', /is no idstr/],
  ['x'.repeat(256), /is no idstr: 1 to 255 bytes/],
])('a section is not renamed to "%s"', async (to, message) => {
  const vm = await open(PC);
  await expect(planEdits(vm, [{ edit: 'rename', from: 'hpet', to }])).rejects.toThrow(message);
});

test('RAM is dropped only where that is forced', async () => {
  const vm = await open(PC);
  const drop: Edit = { edit: 'drop', selector: 'ram' };
  await expect(planEdits(vm, [drop])).rejects.toThrow(/^ram is no device state/);
  const { edited } = await edit(vm, [drop], { force: true });
  expect(edited.sections.map(({ idstr }) => idstr)).not.toContain('ram');
});

// Up to 8.1 a vmdesc does not have the configuration.
test.each(['qemu-11.1-pc-devices', PC])(
  'another machine type of %s has its length, also in the vmdesc',
  async (name) => {
    const vm = await open(name);
    const { edited } = await edit(vm, [{ edit: 'machine-type', name: 'pc-q35-10.0-and-more' }]);
    expect(edited.stream.configuration?.machineType).toBe('pc-q35-10.0-and-more');
    expect(edited.diagnostics).toEqual(vm.diagnostics);
    expect(edited.sections).toHaveLength(vm.sections.length);
  },
);

test('a command that is dropped is gone, and nothing else', async () => {
  const vm = await open('qemu-11.1-pc-devices');
  const count = vm.stream.records.length;
  const { edited } = await edit(vm, [{ edit: 'drop', selector: 'SWITCHOVER_START' }]);
  expect(edited.stream.records).toHaveLength(count - 1);
  expect(await changes(vm, edited)).toEqual({});
});

describe('the vmdesc', () => {
  test('is dropped, emptied, or kept', async () => {
    const vm = await open(PC);
    const edits: Edit[] = [{ edit: 'drop', selector: 'hpet' }];
    expect((await edit(vm, edits, { vmdesc: 'drop' })).edited.stream.vmdescription).toBeUndefined();
    expect((await edit(vm, edits, { vmdesc: 'empty' })).edited.vmdesc).toEqual({
      page_size: 4096,
      devices: [],
    });
    expect(
      (await edit(vm, edits, { vmdesc: 'keep' })).edited.schema?.devices.map(({ idstr }) => idstr),
    ).toContain('hpet');
  });

  test('that is rebuilt is the one that QEMU wrote', async () => {
    const [twin, vm] = [
      await open('qemu-11.1-suppress-vmdesc-twin'),
      await open('qemu-11.1-suppress-vmdesc'),
    ];
    const { edited } = await edit(vm, [], { vmdesc: 'rebuild' });
    expect(edited.vmdesc).toEqual(twin.vmdesc);
  });
});

test.each<[Edit, RegExp]>([
  [
    { edit: 'resize', selector: '*/virtio-net/**/msix/vectors', count: 8 },
    /vectors cannot be resized: .*MSI-X capability/,
  ],
  [
    { edit: 'drop', selector: '*/virtio-net/**/vectors[0]' },
    /vectors\[0\] cannot be dropped: .*MSI-X capability/,
  ],
  [
    { edit: 'resize', selector: '*/virtio-net/virtio/vq', count: 2 },
    /vq cannot be resized: .*as many queues as its properties/,
  ],
])('what no VMSD counts keeps its number: %o', async (change, reason) => {
  await expect(planEdits(await open(PC), [change])).rejects.toThrow(reason);
});

describe('parts that were dropped', () => {
  test.each([['hpet'], ['fw_cfg/fw_cfg/dma']])('%s comes back when it is copied', async (selector) => {
    const vm = await open(PC);
    const { edited } = await edit(vm, [
      { edit: 'drop', selector },
      { edit: 'copy', selector, from: vm },
    ]);
    expect(await valuesOf(edited)).toEqual(await valuesOf(vm));
  });

  test('leave their names to others, and those that were copied do not', async () => {
    const vm = await open(PC);
    const { edited: without } = await edit(vm, [{ edit: 'drop', selector: 'fdc' }]);
    const copy: Edit = { edit: 'copy', selector: 'fdc', from: vm };
    const rename: Edit = { edit: 'rename', from: 'hpet', to: 'fdc' };
    await expect(planEdits(without, [copy, rename])).rejects.toThrow(/has a section fdc already/);
    expect((await edit(without, [rename])).edited.sections.map(({ idstr }) => idstr)).toContain('fdc');
  });
});

test('a vmdesc where there was none is no change in place', async () => {
  const vm = await open('qemu-11.1-suppress-vmdesc');
  expect((await edit(vm, [], { vmdesc: 'empty' })).patches).toBeUndefined();
  expect((await edit(vm, [], { vmdesc: 'drop' })).patches).toEqual([]);
});
