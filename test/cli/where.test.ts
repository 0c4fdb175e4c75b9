import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { serializeSchema } from '../../src/schema/serialize-schema.ts';
import { gdb, schemaOfBytes, symbolFixture } from '../extract/symbol-fixtures.ts';
import { readBlob } from '../layout/blob-reader.ts';
import { fixtureFile, pickFixture, temporaryFile, vmwalk } from './run.ts';

const streamFile = () => fixtureFile(pickFixture(({ name }) => name === 'qemu-11.1-pc-devices'));

test('a byte of a field, with all that is around it', async () => {
  const stream = streamFile();
  const { stdout } = await vmwalk(['dump', stream, '--ndjson', 'timer/cpu_clock_offset']);
  const field = JSON.parse(stdout);
  const { status, stdout: json } = await vmwalk(['where', stream, String(field.offset + 3), '--json']);
  expect(status).toBe(0);
  const [byte, ...others] = JSON.parse(json);
  expect(others).toEqual([]);
  expect(byte).toMatchObject({
    offset: field.offset + 3,
    part: 'body',
    records: [{ kind: 'section', type: 'SECTION_FULL', section: 'timer' }],
    field: { ...field, vmsds: [{ name: 'timer', version: 2 }] },
  });
  const { stdout: text } = await vmwalk(['where', stream, `0x${(field.offset + 3).toString(16)}`]);
  expect(text).toContain('timer/cpu_clock_offset');
  expect(text).toContain('byte 3 of it');
  expect(text).toContain('VMSD timer (version 2)');
});

test('the vmdesc, RAM and the header', async () => {
  const stream = streamFile();
  const bytes = readFileSync(stream);
  const { start } = readBlob(bytes)!;
  const { status, stdout } = await vmwalk(['where', stream, '0', String(start + 20), '0x2000']);
  expect(status).toBe(0);
  expect(stdout).toContain('magic and version');
  expect(stdout).toContain('vmdesc');
  expect(stdout).toMatch(/section ram.* SECTION_(START|PART|END)/);
});

test.each([
  ['999999999999', /is behind the end of the stream/],
  ['nothing/like/that', /nothing matches/],
])('%s is not there: status 2', async (place, message) => {
  const stream = streamFile();
  const { status, stdout, stderr } = await vmwalk(['where', stream, place]);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
  expect((await vmwalk(['where', stream, place, '--json'])).stdout).toBe('[]\n');
});

test('the variable and place of a VMSD, where the schema has names of the source', async () => {
  const schema = serializeSchema(await schemaOfBytes(symbolFixture('qemu-10.0-devices')));
  const args = [
    streamFile(),
    'serial/state/divider',
    '--schema',
    temporaryFile(Buffer.from(schema), 'q.json'),
  ];
  const [file, line] = gdb.vmsds['vmstate_serial']!;
  const { status, stdout } = await vmwalk(['where', ...args, '--json']);
  expect(status).toBe(0);
  const [{ vmsds }] = JSON.parse(stdout);
  expect(vmsds.at(-1)).toMatchObject({ name: 'serial', variable: 'vmstate_serial', file, line });
  expect((await vmwalk(['where', ...args])).stdout).toContain(`vmstate_serial, ${file}:${line}`);
});
