import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { images, readImage } from '../containers/images.ts';
import { readFixture } from '../fixtures.ts';
import { described, fixtureFile, temporaryFile, temporaryFolder, vmwalk } from './run.ts';

function imageFile(name: string): string {
  return temporaryFile(readImage(name), `${name}.qcow2`);
}

/** Bytes that are no stream, with one among them. */
function larger(offset: number): string {
  const stream = readFixture(described.name);
  const bytes = new Uint8Array(offset + stream.length + 1000).fill(0xa5);
  bytes.set(stream, offset);
  return temporaryFile(bytes, 'larger.bin');
}

test('lists snapshots', async () => {
  const file = imageFile('subclusters');
  const { info } = images.find(({ name }) => name === 'subclusters')!;
  const [first] = info.snapshots!;
  const text = await vmwalk(['snapshots', file]);
  expect(text.status).toBe(0);
  const rows = text.stdout.trimEnd().split('\n').slice(1);
  expect(rows.map((row) => row.split(/ {2,}/)[1])).toEqual(info.snapshots!.map(({ name }) => name));
  expect(rows[0]).toContain(new Date(first!['date-sec'] * 1000).toISOString().replace('.000', ''));
  expect(rows[0]).toContain(
    `00:00:00.${Math.floor(first!['vm-clock-nsec'] / 1e6)
      .toString()
      .padStart(3, '0')}`,
  );
  expect(rows[0]).toMatch(new RegExp(` ${first!.icount}$`));
  const json = await vmwalk(['snapshots', '--json', file]);
  expect(JSON.parse(json.stdout)[0]).toMatchObject({
    id: first!.id,
    name: first!.name,
    vmStateSize: first!['vm-state-size'],
    vmClock: String(first!['vm-clock-nsec']),
    icount: String(first!.icount),
  });
});

test('a file without snapshots says so', async () => {
  const empty = await vmwalk(['snapshots', imageFile('data-file')]);
  expect(empty).toMatchObject({
    status: 0,
    stdout: '',
    stderr: expect.stringMatching(/^vmwalk: the image has no snapshots; .*scan.*\n$/),
  });
  const stream = await vmwalk(['snapshots', fixtureFile(described)]);
  expect(stream.status).toBe(2);
  expect(stream.stderr).toMatch(/not a qcow2 image/);
  expect((await vmwalk(['snapshots', temporaryFolder()])).stderr).toMatch(/is a directory/);
});

test('opens a snapshot by its name and by its id, in every command', async () => {
  const file = imageFile('small-clusters');
  const byName = await vmwalk(['dump', '--ndjson', `${file}#größer#2`]);
  expect(byName).toMatchObject({ status: 0, stderr: '' });
  expect((await vmwalk(['dump', '--ndjson', `${file}#2`])).stdout).toBe(byName.stdout);
  expect(
    (await vmwalk(['dump', '--ndjson', '--', '-#2'], { input: readImage('small-clusters') })).stdout,
  ).toBe(byName.stdout);
  expect(JSON.parse((await vmwalk(['describe', `${file}#before`])).stdout)).toHaveProperty('devices');
  const folder = join(temporaryFolder(), 'out');
  expect((await vmwalk(['extract', `${file}#before`, '-o', folder])).status).toBe(0);
  expect(readFileSync(join(folder, 'index.json'), 'utf8')).toContain('pc.ram');
});

test('a snapshot that is not there, or that has to be chosen, is wrong usage', async () => {
  const file = imageFile('v2');
  const none = await vmwalk(['info', `${file}#third`]);
  expect(none.status).toBe(2);
  expect(none.stderr).toMatch(/^vmwalk: error: .*no snapshot 'third'; it has 'first' \(id 1\), .*\n$/);
  const several = await vmwalk(['info', file]);
  expect(several.status).toBe(2);
  expect(several.stderr).toMatch(/append #NAME for one of them: 'first' \(id 1\), 'second' \(id 2\)/);
});

test('what comes before damage is shown', async () => {
  const image = readImage('v2');
  const whole = (await vmwalk(['info', '--json', `${temporaryFile(image, 'v2.qcow2')}#second`])).stdout;
  const { sections } = JSON.parse(whole);
  const view = new DataView(image.buffer);
  const table = Number(view.getBigUint64(64));
  const second = table + 72;
  // The disk needs one L2 table, so that the second is that of the VM state; the second cluster is lost.
  const l1 = Number(view.getBigUint64(second));
  const l2 = Number(view.getBigUint64(l1 + 8) & 0xfffffffffffe00n);
  view.setUint32(l2 + 8, 1);
  const run = await vmwalk(['info', '--json', `${temporaryFile(image, 'v2.qcow2')}#second`]);
  expect(run.status).toBe(1);
  const cut = JSON.parse(run.stdout);
  expect(cut.size).toBe(65536);
  expect(cut.sections.length).toBeGreaterThan(5);
  const same = cut.sections.slice(0, -1);
  expect(same.map(({ idstr }: { idstr: string }) => idstr)).toEqual(
    sections.slice(0, same.length).map(({ idstr }: { idstr: string }) => idstr),
  );
  expect(cut.diagnostics.map(({ code }: { code: string }) => code)).toEqual(
    expect.arrayContaining(['bad-container', 'truncated']),
  );
});

test('--offset opens a stream in a larger file', async () => {
  const stream = await vmwalk(['dump', '--ndjson', fixtureFile(described)]);
  const file = larger(12 << 10);
  for (const offset of ['12288', '0x3000', '12k']) {
    const run = await vmwalk(['dump', '--ndjson', '--offset', offset, file]);
    expect(run.status).toBe(0);
    expect(run.stdout).toBe(stream.stdout);
    expect(run.stderr).toMatch(/warning.*1000 bytes after the end of the stream/);
  }
  expect((await vmwalk(['info', '--offset', '12k', file])).status).toBe(0);
  expect((await vmwalk(['describe', '--offset', '12k', file])).status).toBe(0);
  expect(
    (await vmwalk(['extract', '--offset', '12k', file, '-o', join(temporaryFolder(), 'out')])).status,
  ).toBe(0);
  const wrong = await vmwalk(['info', '--offset', '12x', file]);
  expect(wrong).toMatchObject({ status: 2, stderr: expect.stringMatching(/4096, 0x1000 or 4k/) });
  expect(await vmwalk(['info', '--offset', '1G', file])).toMatchObject({
    status: 2,
    stderr: expect.stringMatching(/nothing is at offset 1073741824/),
  });
});

test('--offset opens an image in a larger file', async () => {
  const image = readImage('large-clusters');
  const bytes = new Uint8Array(4096 + image.length);
  bytes.set(image, 4096);
  const file = temporaryFile(bytes, 'archive.bin');
  const { stdout } = await vmwalk(['snapshots', '--offset', '4k', file]);
  expect(stdout).toContain('only');
  const run = await vmwalk(['dump', '--ndjson', '--container-offsets', '--offset', '4k', file, 'cpu']);
  expectPlaces(run.stdout, bytes);
});

test('scan finds streams and their offsets', async () => {
  const file = larger(0x123457);
  const text = await vmwalk(['scan', file]);
  expect(text).toMatchObject({ status: 0, stderr: '' });
  expect(text.stdout).toMatch(/^0x123457 +\S+\n$/);
  const { configuration } = JSON.parse((await vmwalk(['info', '--json', fixtureFile(described)])).stdout);
  const json = await vmwalk(['scan', '--json', '-'], { input: readFileSync(file) });
  expect(JSON.parse(json.stdout)).toEqual([
    { offset: 0x123457, plausible: true, machineType: configuration?.machineType },
  ]);
  const none = await vmwalk(['scan', temporaryFile(new Uint8Array(5000))]);
  expect(none).toMatchObject({ status: 1, stdout: '' });
  expect(none.stderr).toMatch(/no migration stream found\n$/);
});

/** Each line's bytes are at its place in the file. */
function expectPlaces(ndjson: string, file: Uint8Array): void {
  let checked = 0;
  for (const line of ndjson.trimEnd().split('\n')) {
    const { kind, type, value, fileOffset, size } = JSON.parse(line);
    if (kind !== 'leaf' || type !== 'uint64' || fileOffset === null) continue;
    const view = new DataView(file.buffer, file.byteOffset);
    expect(size).toBe(8);
    expect(view.getBigUint64(fileOffset)).toBe(BigInt(value));
    checked++;
  }
  expect(checked).toBeGreaterThan(1);
}

test('--container-offsets are those in the file', async () => {
  const image = readImage('v2');
  const file = `${temporaryFile(image, 'v2.qcow2')}#second`;
  expectPlaces((await vmwalk(['dump', '--ndjson', '--container-offsets', file])).stdout, image);
  const lines = (await vmwalk(['dump', '--ndjson', '--container-offsets', file, 'timer'])).stdout.split('\n');
  const { offset, fileOffset } = JSON.parse(lines[0]!);
  const text = await vmwalk(['dump', '--container-offsets', file, 'timer']);
  expect(text.stdout).toContain(`at 0x${fileOffset.toString(16)},`);
  expect((await vmwalk(['dump', '--offsets', file, 'timer'])).stdout).toContain(
    `at 0x${offset.toString(16)},`,
  );
  const info = JSON.parse((await vmwalk(['info', '--json', '--container-offsets', file])).stdout);
  const { records } = info.sections[0];
  expect(records).toBeGreaterThan(0);
  for (const section of info.sections) {
    // A record begins with its type, and that of a section with its id.
    expect(new DataView(image.buffer).getUint32(section.fileOffset + 1)).toBe(section.id);
  }
  expect((await vmwalk(['info', '--container-offsets', file])).stdout).toMatch(/offset in file/);
});

test('--container-offsets of compressed clusters are none', async () => {
  const run = await vmwalk(['dump', '--ndjson', '--container-offsets', imageFile('zlib'), 'timer']);
  expect(JSON.parse(run.stdout.split('\n')[0]!)).toMatchObject({ fileOffset: null });
  const plain = await vmwalk(['dump', '--container-offsets', imageFile('zlib'), 'timer']);
  expect(plain.stdout).toMatch(/at -,/);
});
