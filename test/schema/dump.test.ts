import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { extractSchemaOfFile } from '../../src/node/schema-file.ts';
import { vmsdsOfType } from '../../src/ops/schema-show.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';
import { VMS_MUST_EXIST, VMS_STRUCT, VMS_VARRAY, VMS_VBUFFER } from '../../src/schema/qemu-schema.ts';
import { type Dump, dumpVmstate, shapeOfDump, shapeOfVmsd } from './dump-vmstate.ts';

const BINARY = '/usr/bin/qemu-system-x86_64';

describe('the QEMU of this machine', () => {
  let schema: QemuSchema;
  let dump: Dump;
  beforeAll(async () => {
    dump = await dumpVmstate(BINARY);
    schema = await extractSchemaOfFile(BINARY);
  });

  test('has every VMSD that it dumps, with the same fields and subsections', () => {
    const hasNum = [...dump.values()].some(({ Fields }) => Fields?.some((field) => field.num !== undefined));
    const shapes = new Set(schema.vmsds.map((_, i) => JSON.stringify(shapeOfVmsd(schema, i, hasNum))));
    const missing = [...dump].filter(([, vmsd]) => !shapes.has(JSON.stringify(shapeOfDump(vmsd))));
    expect(missing.map(([type]) => type)).toEqual([]);
    expect(dump.size).toBeGreaterThan(150);
  });

  test('knows the VMSD of a device type by its code', () => {
    let right = 0;
    for (const [type, vmsd] of dump) {
      if (!schema.types.some(({ name }) => name === type)) continue;
      const names = vmsdsOfType(schema, type).map((index) => schema.vmsds[index]!.name);
      // virtio devices have one for the device and one for what virtio calls.
      if (names.includes(vmsd.name)) right++;
      else expect([type, names]).toEqual([type, []]);
    }
    expect(right).toBeGreaterThan(0.8 * dump.size);
  });

  test('knows its version, target and build', async () => {
    expect(schema.qemuVersion).toMatch(/^\d+\.\d+\.\d+/);
    expect(schema.target).toBe('x86_64');
    expect(schema.host).toEqual({ machine: 'x86_64', byteOrder: 'little' });
    expect(schema.objects[0]).toEqual({
      name: 'qemu-system-x86_64',
      buildId: expect.stringMatching(/^[0-9a-f]{40}$/),
    });
  });

  test('knows its machine types', async () => {
    const { stdout } = await promisify(execFile)(BINARY, ['-M', 'help']);
    const names = stdout
      .split('\n')
      .slice(1)
      .filter((line) => line !== '');
    const aliases = new Set(
      names.filter((line) => line.includes('(alias of')).map((line) => line.split(' ')[0]),
    );
    const known = names.map((line) => line.split(' ')[0]!).filter((name) => !aliases.has(name));
    // Xen's are printed by a QEMU that has them in any case.
    expect(schema.machineTypes).toEqual([...new Set(known)].sort());
  });

  test('knows its target under any name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'schema-'));
    try {
      const file = join(folder, 'kvm');
      await copyFile(BINARY, file);
      expect((await extractSchemaOfFile(file, [])).target).toBe('x86_64');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('has fields that agree with their flags', () => {
    for (const vmsd of schema.vmsds) {
      for (const field of vmsd.fields) {
        const { flags } = field;
        expect(field.info !== undefined || field.vmsd !== undefined || (flags & VMS_MUST_EXIST) !== 0).toBe(
          true,
        );
        if (flags & VMS_STRUCT) expect(field.vmsd).toBeDefined();
        expect(field.numSize !== 0).toBe((flags & VMS_VARRAY) !== 0);
        expect(field.sizeSize !== 0).toBe((flags & VMS_VBUFFER) !== 0);
      }
    }
  });

  test('has properties with their defaults', () => {
    const properties = (type: string) =>
      schema.types
        .find(({ name }) => name === type)!
        .propertyLists.flatMap((list) => schema.propertyLists[list]!.properties);
    // hw/usb/hcd-xhci-nec.c: MAXINTRS and MAXSLOTS.
    const xhci = properties('nec-usb-xhci');
    expect(xhci.find(({ name }) => name === 'intrs')).toMatchObject({ type: 'uint32', defaultValue: 16n });
    expect(xhci.find(({ name }) => name === 'slots')).toMatchObject({ type: 'uint32', defaultValue: 64n });
    // hw/pci/pci.c: bits of cap_present, and one that has no default.
    const pci = properties('pci-device');
    expect(pci.find(({ name }) => name === 'multifunction')).toMatchObject({ bit: 3, defaultValue: 0n });
    expect(pci.find(({ name }) => name === 'romfile')).toMatchObject({
      type: 'str',
      bit: undefined,
      defaultValue: undefined,
    });
    const apic = schema.types.find(({ name }) => name === 'apic-common')!;
    expect(apic.parent).toBe('device');
    expect(apic.abstract).toBe(true);
    expect(apic.instanceSize).toBeGreaterThan(400);
  });
});
