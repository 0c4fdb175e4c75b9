import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { nodeBinary, otherNodes } from '../../scripts/under-node.mjs';
import { fixtureFile, pickFixture, temporaryFile, temporaryFolder, vmwalk } from './run.ts';

const image = (name: string) =>
  gunzipSync(readFileSync(new URL(`../../fixtures/images/${name}.qcow2.gz`, import.meta.url)));
const named = (name: string) => fixtureFile(pickFixture((fixture) => fixture.name === name));

/** What is run, with the files that it needs in a folder of its own. */
const runs: Readonly<Record<string, () => readonly string[]>> = {
  info: () => ['info', named('qemu-11.1-pc-devices')],
  'info of a compressed stream': () => ['info', temporaryFile(readGzip('qemu-7.2-avr-uno'), 'vm.gz')],
  'dump as text': () => ['dump', named('qemu-7.2-q35-devices')],
  'dump without a vmdesc': () => ['dump', '--ndjson', named('qemu-11.1-suppress-vmdesc')],
  'what the script prints': () => ['dump', '--analyze-migration', named('qemu-10.0-s390x-ccw')],
  'the memory of a live migration': () => ['ram', '--json', named('qemu-11.1-rounds')],
  snapshots: () => ['snapshots', temporaryFile(image('v2'), 'disk.qcow2')],
  compat: () => ['compat', '7.2-x86_64', '10.0-x86_64'],
  'schema show': () => ['schema', 'show', '10.0-x86_64', 'apic'],
  where: () => ['where', named('qemu-11.1-pc-devices'), '0x40', 'timer/*'],
  explain: () => ['explain', 'unequal-field'],
  'a file that is missing': () => ['info', '/does/not/exist'],
  'a file that is no stream': () => ['info', temporaryFile(Buffer.from('no stream, but some text'), 'x')],
};

function readGzip(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/streams/${name}.qevm.gz`, import.meta.url));
}

describe.each(Object.keys(otherNodes))('Node %s', (major) => {
  let execPath: string;
  beforeAll(() => {
    execPath = nodeBinary(major);
  });

  test.each(Object.entries(runs))('%s: the same as under the Node of the tests', async (_what, make) => {
    const args = make();
    const [here, there] = await Promise.all([vmwalk(args), vmwalk(args, { execPath })]);
    expect([there.status, there.stderr]).toEqual([here.status, here.stderr]);
    expect(there.stdout === here.stdout).toBe(true);
  });

  test('reads zstd by itself, without the program', async () => {
    const folder = temporaryFolder();
    const disk = join(folder, 'disk.qcow2');
    writeFileSync(disk, image('zstd'));
    const { status, stderr } = await vmwalk(['info', disk], { execPath, env: { PATH: '' } });
    expect([status, stderr]).toEqual([0, '']);
  });
});
