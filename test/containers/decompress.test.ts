import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unzstd } from '../../src/node/unzstd.ts';
import { described } from '../cli/run.ts';
import { readFixture } from '../fixtures.ts';
import { compress, decompress, formats } from './environment.ts';

const stream = readFixture(described.name);
/** Bytes that do not compress, so that the compressed data is longer than what a decoder reads at once. */
const noise = Buffer.alloc(300_000);
for (let i = 0, x = 1; i < noise.length; i++) {
  x = (Math.imul(x, 1103515245) + 12345) >>> 0;
  noise[i] = x >>> 24;
}
const samples = { stream, noise: new Uint8Array(noise), nothing: new Uint8Array(0) };

function isPrefix(part: Uint8Array, whole: Uint8Array): boolean {
  return part.length <= whole.length && Buffer.compare(part, whole.subarray(0, part.length)) === 0;
}

describe.for(formats)('%s', (format) => {
  it('gives back what the program compressed', async () => {
    for (const bytes of [stream, samples.noise]) {
      const { content, problems } = await decompress(format, compress(format, bytes));
      expect(Buffer.compare(content, bytes)).toBe(0);
      expect(problems).toEqual([]);
    }
  });

  it('gives what several files hold that were put together', async () => {
    const parts = [samples.noise, stream, samples.nothing, stream];
    const { content, problems } = await decompress(
      format,
      Buffer.concat(parts.map((bytes) => compress(format, bytes))),
    );
    expect(Buffer.compare(content, Buffer.concat(parts))).toBe(0);
    // lzop itself warns, as it would have one name for several files.
    expect(problems).toEqual(format === 'lzop' ? ['warning bad-container'] : []);
  });

  it('keeps the content when something else follows, and says so', async () => {
    const { content, problems } = await decompress(
      format,
      Buffer.concat([compress(format, stream), Buffer.from('something else')]),
    );
    expect(Buffer.compare(content, stream)).toBe(0);
    expect(problems).toHaveLength(1);
  });

  it('gives the beginning of data that is cut, and says so', async () => {
    const compressed = compress(format, samples.noise);
    // The program of a format keeps to itself what it has not checked; half of the file is more than that.
    const half = await decompress(format, compressed.subarray(0, compressed.length >> 1));
    if (format === 'gzip') expect(half.content.length).toBeGreaterThan(140_000);
    for (const length of [4, 12, 40, compressed.length - 20, compressed.length - 9, compressed.length - 1]) {
      const { content, problems } = await decompress(format, compressed.subarray(0, length));
      expect(isPrefix(content, samples.noise)).toBe(true);
      expect(problems, `cut to ${length}`).toEqual(['error bad-container']);
    }
  });

  it('never takes changed data for whole', async () => {
    const compressed = compress(format, stream);
    const flip = fc.integer({ min: 0, max: compressed.length * 8 - 1 });
    await fc.assert(
      fc.asyncProperty(flip, async (bit) => {
        const changed = Uint8Array.from(compressed);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const { content, problems } = await decompress(format, changed);
        // A program may give much before it comes to the checksum of a block, so the length has no bound here.
        if (problems.length === 0) expect(Buffer.compare(content, stream)).toBe(0);
        else expect(problems).toEqual(['error bad-container']);
      }),
      { numRuns: format === 'gzip' ? 200 : 25 },
    );
  });
});

describe('gzip', () => {
  const compressed = compress('gzip', stream);

  it('takes zeros behind the data for padding', async () => {
    const { content, problems } = await decompress('gzip', Buffer.concat([compressed, Buffer.alloc(4096)]));
    expect(Buffer.compare(content, stream)).toBe(0);
    expect(problems).toEqual([]);
  });

  it('keeps the members before a damaged one', async () => {
    const damaged = Buffer.from(compressed);
    damaged[2] = 9;
    const { content, problems } = await decompress('gzip', Buffer.concat([compressed, damaged]));
    expect(Buffer.compare(content, stream)).toBe(0);
    expect(problems).toEqual(['error bad-container']);
  });

  it('reads over all optional parts of a header', async () => {
    const header = Buffer.from(compressed.subarray(0, 10));
    header[3] = 0x1e;
    const optional = Buffer.from([3, 0, 1, 2, 3, ...Buffer.from('name\0comment\0'), 0xaa, 0xbb]);
    const { content, problems } = await decompress(
      'gzip',
      Buffer.concat([header, optional, compressed.subarray(10)]),
    );
    expect(Buffer.compare(content, stream)).toBe(0);
    expect(problems).toEqual([]);
  });

  it('ends at a header that has no end', async () => {
    const endless = Buffer.concat([compressed.subarray(0, 10), Buffer.alloc(200_000, 'a')]);
    endless[3] = 8;
    expect(await decompress('gzip', endless)).toMatchObject({ thrown: 'bad-container' });
  });
});

describe('zstd', () => {
  it('skips skippable frames', async () => {
    const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
    const frame = compress('zstd', stream);
    const { content, problems } = await decompress(
      'zstd',
      Buffer.concat([skippable, frame, skippable, frame]),
    );
    expect(Buffer.compare(content, Buffer.concat([stream, stream]))).toBe(0);
    expect(problems).toEqual([]);
  });

  it.runIf(unzstd)('ends for any bytes behind the magic', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const { content } = await decompress(
          'zstd',
          Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), bytes]),
        );
        expect(content.length).toBeLessThan(64 << 20);
      }),
    );
  });
});
