import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { gunzip } from '../../src/node/gunzip.ts';

const CONTENT = Buffer.from('what is in it');
const PLAIN = gzipSync(CONTENT);

/** A member with optional parts in its header (RFC 1952, 2.3), which node:zlib never writes. */
function member(flags: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const head = Buffer.from(PLAIN.subarray(0, 10));
  head[3] = flags;
  return Buffer.concat([head, ...parts, PLAIN.subarray(10)]);
}

async function decoded(
  bytes: Uint8Array,
): Promise<{ readonly content: string; readonly rest: string | undefined }> {
  const pieces: Uint8Array[] = [];
  const rest = await gunzip({ source: memorySource(bytes), write: (piece) => pieces.push(piece.slice()) });
  return { content: Buffer.concat(pieces).toString(), rest };
}

const EXTRA = Buffer.from([3, 0, 1, 2, 3]);
const NAME = Buffer.from('vm.qevm\0');
const CRC = Buffer.from([0, 0]);

describe('the header of a gzip member', () => {
  test.each([
    ['nothing optional', PLAIN],
    ['an extra field', member(4, EXTRA)],
    ['a name', member(8, NAME)],
    ['a comment', member(16, NAME)],
    ['all of it', member(2 + 4 + 8 + 16, EXTRA, NAME, NAME, CRC)],
  ])('with %s is stepped over', async (_, bytes) => {
    expect(await decoded(bytes)).toEqual({ content: CONTENT.toString(), rest: undefined });
  });

  test.each([
    ['of 6 bytes', PLAIN.subarray(0, 6), 'the file ends inside the member header'],
    [
      'that ends in its extra field',
      member(4, EXTRA).subarray(0, 11),
      'the file ends inside the member header',
    ],
    [
      'that ends behind its extra field',
      member(4, EXTRA).subarray(0, 12),
      'the file ends inside the member header',
    ],
    ['whose name has no end', member(8, Buffer.from('vm')).subarray(0, 12), 'bad member header'],
    ['with flags that do not exist', member(0x20), 'bad member header'],
  ])('%s is told', async (_, bytes, message) => {
    await expect(decoded(bytes)).rejects.toThrow(message);
  });
});

test('zeros behind the members are padding, and anything else is left out and told', async () => {
  expect(await decoded(Buffer.concat([PLAIN, PLAIN, Buffer.alloc(512)]))).toEqual({
    content: CONTENT.toString().repeat(2),
    rest: undefined,
  });
  const { rest } = await decoded(Buffer.concat([PLAIN, Buffer.from('no gzip')]));
  expect(rest).toContain('7 bytes behind the gzip data');
});
