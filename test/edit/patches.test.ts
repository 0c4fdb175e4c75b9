import fc from 'fast-check';
import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { withPatches } from '../../src/edit/edited-stream.ts';

const SIZE = 40;

test('a patched source has the bytes of the patches, the later ones of those that overlap', async () => {
  const patch = fc
    .tuple(fc.nat(SIZE - 1), fc.uint8Array({ minLength: 1, maxLength: 9 }))
    .map(([start, bytes]) => ({ start, bytes: bytes.subarray(0, SIZE - start) }));
  await fc.assert(
    fc.asyncProperty(fc.array(patch), async (patches) => {
      const wanted = new Uint8Array(SIZE).fill(0xee);
      for (const { start, bytes } of patches) wanted.set(bytes, start);
      const source = withPatches(memorySource(new Uint8Array(SIZE).fill(0xee)), patches);
      expect(source.size).toBe(SIZE);
      expect(new Uint8Array(await source.read(0, SIZE))).toEqual(wanted);
    }),
  );
});
