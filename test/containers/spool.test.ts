import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SpoolFile, spoolToFile } from '../../src/node/spool.ts';
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

it('takes no more of a stream than a limit, which may have no end', async () => {
  const limit = { bytes: 3000, reason: 'what there is' };
  const whole = await spoolToFile(Readable.from([Buffer.alloc(1000), Buffer.alloc(2000)]), 'pipe', { limit });
  expect(whole.size).toBe(3000);
  await whole.close();
  let given = 0;
  const endless = Readable.from(
    (function* () {
      for (;;) {
        given++;
        yield Buffer.alloc(1000);
      }
    })(),
  );
  await expect(spoolToFile(endless, 'pipe', { limit })).rejects.toMatchObject({
    code: 'io',
    message: 'cannot read pipe: it has more than 3000 bytes, which are what there is',
  });
  expect(endless.destroyed).toBe(true);
  expect(given).toBeLessThan(100);
});
