import { expect, test } from 'vitest';
import { equalBytes } from '../../src/bytes/equal-bytes.ts';
import { fileOffsets } from '../../src/bytes/file-offsets.ts';
import { sliceSource } from '../../src/bytes/slice.ts';
import { blobSource, locate, memorySource, readExactly } from '../../src/bytes/source.ts';
import { splicedSource } from '../../src/bytes/splice.ts';
import { watchedSource } from '../../src/bytes/watched-source.ts';

const BYTES = Uint8Array.from({ length: 100 }, (_, i) => i);

test('a Blob is read as memory is', async () => {
  const source = blobSource(new Blob([BYTES]));
  expect(await source.end()).toBe(100);
  expect(await source.read(90, 20)).toEqual(BYTES.subarray(90));
});

test('a File that changed since it was opened is told, and other trouble is passed on', async () => {
  const failing = (name: string) => ({
    size: 1,
    slice: () => ({
      arrayBuffer: () => Promise.reject(Object.assign(new Error('permission problems'), { name })),
    }),
  });
  await expect(blobSource(failing('NotReadableError'), 'vm').read(0, 1)).rejects.toMatchObject({
    code: 'changed',
    message: 'vm changed while it was read: permission problems',
  });
  await expect(blobSource(failing('SecurityError')).read(0, 1)).rejects.toThrow(/^permission problems$/);
});

test('what must be there whole is, or the end is told with its place', async () => {
  const source = memorySource(BYTES, 'vm');
  expect(await readExactly(source, 96, 4)).toEqual(BYTES.subarray(96));
  await expect(readExactly(source, 97, 4)).rejects.toMatchObject({
    code: 'truncated',
    range: { start: 97, end: 100 },
    message: 'offset 0x61: vm ends at 100, 4 bytes are needed here',
  });
});

test('a slice of a slice is where its bytes are, and ends where it ends', async () => {
  const source = sliceSource(sliceSource(memorySource(BYTES), 10, 60), 5, 200);
  expect([source.size, await source.end()]).toEqual([45, 45]);
  expect(await source.read(40, 20)).toEqual(BYTES.subarray(55, 60));
  expect(await locate(source, 40)).toEqual({ offset: 55, length: 5 });
});

test('offsets in the outermost file are those of the pieces, none for new bytes, also through a watch', async () => {
  const spliced = splicedSource(memorySource(BYTES), [
    { start: 50, end: 60 },
    Uint8Array.of(1, 2),
    { start: 0, end: 9 },
  ]);
  const offsets = await fileOffsets(watchedSource(spliced, {}), { start: 3, end: 20 });
  expect([3, 9, 10, 11, 12, 20].map((offset) => offsets.of(offset))).toEqual([
    53,
    59,
    undefined,
    undefined,
    0,
    8,
  ]);
});

test('bytes are equal where length and each byte are', () => {
  expect(equalBytes(BYTES, BYTES.slice())).toBe(true);
  expect(equalBytes(BYTES, BYTES.subarray(1))).toBe(false);
  expect(equalBytes(BYTES, BYTES.with(99, 0))).toBe(false);
});
