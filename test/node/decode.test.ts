import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planManifest } from '../../src/edit/encode.ts';
import { decodeStream, openDecoded } from '../../src/node/decode.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openVm, type Vm } from '../../src/vm/vm.ts';
import { openFixture } from '../fixtures.ts';

let folder: string;
let hpet: string;
let vm: Vm;
beforeAll(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'vmwalk-decode-')), 'vm');
  vm = await openVm(openFixture('qemu-7.2-pc-devices'), { schemas: packagedSchemas });
  const { files } = await decodeStream(vm, folder);
  hpet = join(folder, files.find((file) => file.endsWith('-hpet.json'))!);
});
afterAll(() => rmSync(join(folder, '..'), { recursive: true }));

async function encode(): Promise<unknown> {
  const { manifest, read } = await openDecoded(folder);
  return planManifest(vm, manifest, read);
}

async function withFile(path: string, change: () => void, check: () => Promise<void>): Promise<void> {
  renameSync(path, `${path}.kept`);
  try {
    change();
    await check();
  } finally {
    rmSync(path);
    renameSync(`${path}.kept`, path);
  }
}

const lineWith = (text: string, what: string) => text.slice(0, text.indexOf(what)).split('\n').length;

test.each([
  [
    'a value beyond its type',
    '"uint8", "value": 3',
    '"uint8", "value": 300',
    /hpet\/num_timers: 300 is no uint8/,
  ],
  [
    'a value of an array',
    '"value": "17179869232"',
    '"value": {}',
    /"fields\[4\]\.elements\[0\]\.fields\[1\]\.value"/,
  ],
  ['a missing comma', '"num_timers", "type"', '"num_timers" "type"', /it is not valid JSON/],
])('the line is told of %s', async (_, before, after, message) => {
  const text = readFileSync(hpet, 'utf8');
  expect(text).toContain(before);
  const line = lineWith(text, before);
  await withFile(
    hpet,
    () => writeFileSync(hpet, text.replace(before, after)),
    async () => {
      const error = await encode().catch((thrown: unknown) => thrown);
      expect(String(error)).toMatch(message);
      expect(String(error)).toContain(`line ${line}: `);
    },
  );
});

test('neither links nor pipes are read', async () => {
  for (const change of [() => symlinkSync(`${hpet}.kept`, hpet), () => execFileSync('mkfifo', [hpet])])
    await withFile(hpet, change, () => expect(encode()).rejects.toThrow(/hpet\.json is no regular file/));
});

test('brackets without end are refused before lines are counted', async () => {
  await withFile(
    hpet,
    () => writeFileSync(hpet, '['.repeat(1_000_000)),
    () => expect(encode()).rejects.toThrow(/nests deeper than 300 levels/),
  );
});
