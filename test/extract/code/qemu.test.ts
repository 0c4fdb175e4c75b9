import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { memorySource } from '../../../src/bytes/source.ts';
import { type Dependency, evaluate } from '../../../src/expressions/evaluate.ts';
import { type Expression, hasUnknown } from '../../../src/expressions/expression.ts';
import type { MachineImage } from '../../../src/extract/code/image.ts';
import type { InstructionSet } from '../../../src/extract/code/instruction-set.ts';
import { loadInstructionSet } from '../../../src/extract/code/load-instruction-set.ts';
import { programImage } from '../../../src/extract/code/program-image.ts';
import { analyseTest } from '../../../src/extract/code/test-function.ts';
import { type LoadedProgram, loadProgram } from '../../../src/extract/elf/load.ts';
import { schemaOfProgram } from '../../../src/extract/extract-schema.ts';
import type { QemuSchema, VMStateDescription, VMStateField } from '../../../src/schema/qemu-schema.ts';

// The real thing, as the distribution built it: stripped, never run here. What its tests do is read from its source.
const set = (await loadInstructionSet('x86_64')) as InstructionSet;
let program: LoadedProgram;
let schema: QemuSchema;
let image: MachineImage;

beforeAll(async () => {
  const folders = (process.env['PATH'] ?? '').split(':');
  const path = folders.map((folder) => join(folder, 'qemu-system-x86_64')).find((file) => existsSync(file));
  if (path === undefined) throw new Error('qemu-system-x86_64 is not on PATH');
  program = await loadProgram(memorySource(readFileSync(path), path));
  schema = schemaOfProgram(program);
  image = programImage(program);
});

function addressOf(index: number): number {
  const { object, address } = schema.functions[index]!;
  return program.objects[object]!.base + address;
}

function vmsd(name: string): VMStateDescription {
  const found = schema.vmsds.find((each) => each.name === name);
  if (!found) throw new Error(`no VMSD ${name}`);
  return found;
}

function field(name: string, fieldName: string): VMStateField {
  const found = vmsd(name).fields.find((each) => each.name === fieldName);
  if (!found) throw new Error(`no field ${name}.${fieldName}`);
  return found;
}

/** The tests of all fields of this name, in the order of the table. */
function testsOf(name: string, fieldName: string): Expression[] {
  const fields = vmsd(name).fields.filter(
    (each) => each.name === fieldName && each.fieldExists !== undefined,
  );
  return fields.map(({ fieldExists }) => analyseTest(image, set, addressOf(fieldExists!)));
}

function neededOf(name: string): Expression {
  const { needed } = vmsd(name).callbacks;
  if (needed === undefined) throw new Error(`${name} is always needed`);
  return analyseTest(image, set, addressOf(needed));
}

/** The one place, and the bits of it, that decide a test. */
function decidedBy(expression: Expression): Dependency {
  const evaluation = evaluate(expression, { version: 2, load: () => undefined });
  if (evaluation.known) throw new Error('nothing has to be known to decide it');
  expect(evaluation.hangsOn).toHaveLength(1);
  return evaluation.hangsOn[0]!;
}

describe('the tests of qemu-system-x86_64', () => {
  test('that look at the version', () => {
    expect(testsOf('fw_cfg', 'cur_offset')).toEqual([['eq', 'version', 1]]);
    expect(testsOf('ac97', 'unused')).toEqual([['eq', 'version', 2]]);
  });

  test('that compare members which are in the stream', () => {
    const inUse: Expression = ['load', 'opaque', field('virtio-net-device', 'mac_table.in_use').offset, 4];
    expect(testsOf('virtio-net-device', 'mac_table.macs')).toEqual([['ltu', inUse, 65]]);
    expect(testsOf('virtio-net-device', 'unused')[0]).toEqual(['ltu', 64, inUse]);
    const used: Expression = ['load', 'opaque', field('PCIE_AER_ERROR_LOG', 'log_num').offset, 2];
    const most: Expression = ['load', 'opaque', expect.any(Number), 2];
    expect(testsOf('PCIE_AER_ERROR_LOG', 'log_num <= log_max')).toEqual([['leu', used, most]]);
  });

  test('that are always false', () => {
    for (const name of ['ev_buffer_put', 'ev_buffer_get', 'ev_buffer'])
      expect(testsOf('xhci-intr', name)).toEqual([0]);
  });

  test('that look at one bit agree about which', () => {
    const [one, other] = testsOf('PCIDevice', 'config');
    // QEMU_PCI_CAP_EXPRESS
    expect(decidedBy(one!)).toMatchObject({ mask: 4n });
    expect(decidedBy(one!)).toEqual(decidedBy(other!));
    for (const bits of [0n, 4n]) {
      const answers = [one!, other!].map((each) => evaluate(each, { version: 2, load: () => bits }));
      expect(answers).toContainEqual({ known: true, value: 0n });
      expect(answers).toContainEqual({ known: true, value: 1n });
    }
  });

  test('that decide whether a subsection is sent', () => {
    // VIRTIO_BALLOON_F_PAGE_POISON, VIRTIO_BALLOON_F_FREE_PAGE_HINT
    const poison = decidedBy(neededOf('virtio-balloon-device/page-poison'));
    const hint = decidedBy(neededOf('virtio-balloon-device/free-page-report'));
    expect([poison.mask, hint.mask]).toEqual([16n, 8n]);
    expect(poison.place).toEqual(hint.place);
    const offset = vmsd('cpu/msr_hyperv_hypercall').fields.map((each) => each.offset);
    expect(neededOf('cpu/msr_hyperv_hypercall')).toEqual([
      'or',
      ['ne', ['load', 'opaque', Math.min(...offset), 8], 0],
      ['ne', ['load', 'opaque', Math.max(...offset), 8], 0],
    ]);
  });

  test('are all understood, where they decide about a field', () => {
    const unclear: string[] = [];
    for (const { name, fields } of schema.vmsds)
      for (const each of fields) {
        if (each.fieldExists === undefined) continue;
        const expression = analyseTest(image, set, addressOf(each.fieldExists));
        if (hasUnknown(expression)) unclear.push(`${name}.${each.name}`);
      }
    expect(unclear).toEqual([]);
  });
});
