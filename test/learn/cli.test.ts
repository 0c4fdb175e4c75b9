import { join } from 'node:path';
import { expect, test } from 'vitest';
import { described, fixtureFile, pickFixture, temporaryFile, temporaryFolder, vmwalk } from '../cli/run.ts';
import { readFixture } from '../fixtures.ts';
import { readBlob } from '../layout/blob-reader.ts';

const undescribed = pickFixture(({ name }) => name.endsWith('-suppress-vmdesc'));
const twin = pickFixture(({ name }) => name.endsWith('-suppress-vmdesc-twin'));

test('a stream without a vmdesc is read by what another one taught', async () => {
  const schema = join(temporaryFolder(), 'learned.json.gz');
  const learned = await vmwalk(['schema', 'learn', fixtureFile(twin), '-o', schema]);
  expect([learned.status, learned.stderr]).toEqual([0, '']);
  expect(learned.stdout).toContain(`from ${twin.name}.qevm`);

  const info = await vmwalk(['info', '--schema', schema, fixtureFile(undescribed)]);
  expect(info.status).toBe(0);
  expect(info.stdout).toMatch(/schema +learned from 1 stream of pc-\S+: all \d+ sections fit/);
  const json = JSON.parse(
    (await vmwalk(['info', '--json', '--schema', schema, fixtureFile(undescribed)])).stdout,
  );
  expect(json.schema).toMatchObject({ origin: 'streams', streams: 1 });

  const list = await vmwalk(['schema', 'list', '--json', schema]);
  expect(JSON.parse(list.stdout).origin).toBe('streams');
  const names = new Set(JSON.parse(list.stdout).vmsds.map(({ name }: { name: string }) => name));
  const { blob } = readBlob(Buffer.from(readFixture(twin.name)))!;
  const { devices } = blob as unknown as { devices: { vmsd_name?: string }[] };
  for (const { vmsd_name: name } of devices) if (name) expect(names).toContain(name);
});

test('without --output the schema goes to standard output', async () => {
  const { status, stdout } = await vmwalk(['schema', 'learn', fixtureFile(described)]);
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ format: 'vmwalk-qemu-schema', origin: 'streams' });
});

test('a stream without a vmdesc is named, and nothing is written', async () => {
  const file = fixtureFile(undescribed);
  const { status, stdout, stderr } = await vmwalk(['schema', 'learn', fixtureFile(described), file]);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toBe(`vmwalk: error: ${file}: it has no vmdesc to learn from\n`);
});

test('what is no stream is told', async () => {
  const file = temporaryFile(Buffer.from('no stream at all'));
  const { status, stderr } = await vmwalk(['schema', 'learn', file]);
  expect(status).toBe(2);
  expect(stderr).toContain(file);
  expect((await vmwalk(['schema', 'learn'])).status).toBe(2);
});
