import { beforeAll, expect, test } from 'vitest';
import { compareSides } from '../../src/compat/compat.ts';
import { sideOfSchema } from '../../src/compat/side-of-schema.ts';
import { testConditions } from '../../src/compat/test-text.ts';
import { describeVmsds } from '../../src/ops/schema-show.ts';
import { compatText } from '../../src/render/compat-text.ts';
import { vmsdText } from '../../src/render/schema-text.ts';
import type { QemuSchema } from '../../src/schema/qemu-schema.ts';
import { gdb, schemaOfBytes, symbolFixture } from '../extract/symbol-fixtures.ts';

let schema: QemuSchema;
beforeAll(async () => {
  const { vmsds, ...rest } = await schemaOfBytes(symbolFixture('qemu-10.0-devices'));
  // The devices that have it are in other files.
  schema = { ...rest, vmsds: vmsds.map((vmsd) => ({ ...vmsd, embeddedOnly: false })) };
});

/** The schema of a QEMU whose serial port has not got the subsection for its receiver's buffer. */
function withoutFifo({ vmsds, ...rest }: QemuSchema): QemuSchema {
  const at = vmsds.findIndex(({ name }) => name === 'serial/recv_fifo');
  const kept = vmsds.map((vmsd) => ({ ...vmsd, subsections: vmsd.subsections.filter((i) => i !== at) }));
  return { ...rest, vmsds: kept };
}

const withoutSymbols = ({ symbols, ...tables }: QemuSchema): QemuSchema => tables;
const text = (old: QemuSchema, fresh: QemuSchema) =>
  [...compatText(compareSides(sideOfSchema(old, 'a'), sideOfSchema(fresh, 'b')), { width: 1000 })].join('\n');
const place = (of: readonly [string, number] | undefined) => `${of?.[0]}:${of?.[1]}`;

test('compat names members, functions and VMSDs as the source does', () => {
  const function_ = place(gdb.functions['serial_recv_fifo_needed']);
  // hw/char/serial.c: `return !fifo8_is_empty(&s->recv_fifo)`, which looks at `num`.
  const condition = `serial/recv_fifo is sent: s->recv_fifo.num (serial_recv_fifo_needed, ${function_})`;
  const found = text(schema, withoutFifo(schema));
  expect(found).toContain(`if ${condition}`);
  expect(found).toContain(`vmstate_serial_recv_fifo, ${place(gdb.vmsds['vmstate_serial_recv_fifo'])}\n`);
  // One side is enough.
  expect(text(schema, withoutSymbols(withoutFifo(schema)))).toContain(`if ${condition}`);
});

test('without symbols all is said as before', () => {
  const plain = withoutSymbols(schema);
  const [offset] = gdb.structs['SerialState']!.members['recv_fifo.num']!;
  const found = text(plain, withoutFifo(plain));
  expect(found).toContain(`if serial/recv_fifo is sent: member 0x${offset.toString(16)}\n`);
  expect(found).not.toContain('.c:');
  const report = compareSides(sideOfSchema(plain, 'a'), sideOfSchema(withoutFifo(plain), 'b'));
  for (const finding of report.findings) expect(finding).not.toHaveProperty('symbols');
});

test('names make no difference', () => {
  expect(compareSides(sideOfSchema(schema, 'a'), sideOfSchema(withoutSymbols(schema), 'b')).findings).toEqual(
    [],
  );
});

test('show names the struct, the functions and what they ask', () => {
  const [serial] = describeVmsds(schema, 'serial', testConditions(schema));
  const lines = [...vmsdText(serial!)];
  expect(lines).toContain(
    `  vmstate_serial, ${place(gdb.vmsds['vmstate_serial'])}, describes SerialState (${gdb.structs['SerialState']!.size} bytes)`,
  );
  expect(lines.join('\n')).toContain(`preSave serial_pre_save (${place(gdb.functions['serial_pre_save'])})`);
  // hw/char/serial.c: `return s->tsr_retry != 0`
  expect(lines.find((line) => line.includes('serial/tsr'))).toContain(
    `needed s->tsr_retry (serial_tsr_needed, ${place(gdb.functions['serial_tsr_needed'])})`,
  );
  const [fifo] = describeVmsds(schema, 'Fifo8');
  expect([...vmsdText(fifo!)].find((line) => line.includes(' data '))).toContain('*capacity');
  // Without, the addresses.
  const [plain] = describeVmsds(withoutSymbols(schema), 'serial', testConditions(withoutSymbols(schema)));
  expect([...vmsdText(plain!)].join('\n')).toMatch(/preSave 0x[0-9a-f]+/);
  expect([...vmsdText(plain!)].join('\n')).not.toContain('.c');
});
