import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { patchInPlace, revertInPlace } from '../../src/node/edit-in-place.ts';
import { openFile } from '../../src/node/file-source.ts';
import { readValueFile } from '../../src/node/value-file.ts';

let folder: string;
const at = (name: string) => join(folder, name);
const before = Uint8Array.from({ length: 100 }, (_, i) => i);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmwalk-in-place-'));
  writeFileSync(at('vm'), before);
});
afterEach(() => rmSync(folder, { recursive: true }));

const patch = (start: number, ...bytes: number[]) => ({ start, bytes: Uint8Array.from(bytes) });

async function change(...patches: { start: number; bytes: Uint8Array }[]): Promise<Buffer> {
  const source = await openFile(at('vm'));
  try {
    await patchInPlace(at('vm'), source, patches, at('undo'));
  } finally {
    await source.close();
  }
  return readFileSync(at('vm'));
}

test('two changes of one place are undone as one', async () => {
  const after = await change(
    patch(10, 200, 201, 202, 203),
    patch(12, 210),
    patch(8, 220, 221, 222),
    patch(50, 1),
  );
  expect([...after.subarray(7, 15)]).toEqual([7, 220, 221, 222, 201, 210, 203, 14]);
  await revertInPlace(at('vm'), at('undo'));
  expect(readFileSync(at('vm'))).toEqual(Buffer.from(before));
});

test('a change that was broken off is undone, at whatever byte it was, and again', async () => {
  const after = await change(patch(10, 200, 201, 202), patch(50, 1, 2));
  for (let end = 0; end <= 100; end++) {
    writeFileSync(at('vm'), Buffer.concat([after.subarray(0, end), before.subarray(end)]));
    await revertInPlace(at('vm'), at('undo'));
    expect(readFileSync(at('vm'))).toEqual(Buffer.from(before));
  }
  await revertInPlace(at('vm'), at('undo'));
});

test('the undo file of another file changes nothing', async () => {
  await change(patch(10, 200));
  const other = Uint8Array.from({ length: 100 }, () => 7);
  writeFileSync(at('vm'), other);
  await expect(revertInPlace(at('vm'), at('undo'))).rejects.toThrow(/holds other bytes at 10/);
  expect(readFileSync(at('vm'))).toEqual(Buffer.from(other));
  writeFileSync(at('vm'), other.subarray(1));
  await expect(revertInPlace(at('vm'), at('undo'))).rejects.toThrow(/its size is another/);
});

test('nothing is written where there is an undo file already', async () => {
  await change(patch(10, 200));
  await expect(change(patch(10, 201))).rejects.toThrow(/exists already/);
  expect(readFileSync(at('vm'))[10]).toBe(200);
});

test('a value comes of a regular file alone', () => {
  expect([...readValueFile(at('vm'))]).toEqual([...before]);
  execFileSync('mkfifo', [at('pipe')]);
  for (const name of ['/dev/zero', at('pipe'), folder])
    expect(() => readValueFile(name)).toThrow(/is no regular file/);
  expect(() => readValueFile(at('none'))).toThrow(/none: no such file/);
});
