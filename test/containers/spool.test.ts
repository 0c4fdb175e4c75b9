import { readdirSync, readlinkSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SpoolFile } from '../../src/node/spool.ts';
import { readAll } from './environment.ts';

it('holds what was written, whatever pieces it came in', async () => {
  const piece = fc
    .tuple(fc.integer({ min: 0, max: 20_000 }), fc.constantFrom(0, 1))
    .map(([length, fill]) => new Uint8Array(length).fill(fill));
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const spool = await SpoolFile.create();
      for (const bytes of pieces) spool.write(bytes);
      const source = spool.finish('pieces');
      expect(Buffer.compare(await readAll(source), Buffer.concat(pieces))).toBe(0);
      await source.close();
    }),
  );
});

it.runIf(process.platform === 'linux')('has no name, and takes no room for zeros', async () => {
  const spool = await SpoolFile.create();
  const zeros = new Uint8Array(1 << 20);
  for (let i = 0; i < 64; i++) spool.write(zeros);
  spool.write(Uint8Array.of(1));
  const source = spool.finish('zeros');
  const descriptors = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /\/(#\d+|vmwalk-[^/]*) \(deleted\)$/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  });
  expect(descriptors).toHaveLength(1);
  const { size, blocks } = statSync(`/proc/self/fd/${descriptors[0]}`);
  expect(size).toBe((64 << 20) + 1);
  expect(blocks * 512).toBeLessThan(1 << 20);
  await source.close();
});
