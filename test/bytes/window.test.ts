import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FinishedSource, memorySource } from '../../src/bytes/source.ts';
import { Window } from '../../src/bytes/window.ts';

const SIZE = 5 << 20;

/** Bytes that tell where they are. */
const content = new Uint8Array(SIZE);
for (let i = 0; i < SIZE; i++) content[i] = (i * 2654435761) >>> 24;

/** Reads take a while, and those that were asked for later may come earlier; into the buffer that is given, in parts. */
function slowSource(): FinishedSource {
  return {
    name: 'slow',
    size: SIZE,
    end: async () => SIZE,
    async read(offset, length, into) {
      const part = Math.min(length, offset % 3 === 0 ? length : 700_001);
      for (let i = 0; i < offset % 7; i++) await Promise.resolve();
      const target = into ?? new Uint8Array(part);
      target.set(content.subarray(offset, offset + part));
      return target.subarray(0, Math.min(part, SIZE - offset));
    },
  };
}

function expectLoaded(window: Window): void {
  const { bytes, view, pos, limit, offset } = window;
  expect(limit).toBeLessThanOrEqual(bytes.byteLength);
  const loaded = bytes.subarray(pos, limit);
  expect(Buffer.compare(loaded, content.subarray(offset, offset + loaded.byteLength))).toBe(0);
  if (loaded.byteLength > 0) expect(view.getUint8(pos)).toBe(content[offset]);
}

const step = fc.oneof(
  // Mostly as scanners move: forward by all that is loaded but the start of a record.
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('scan' as const), value: fc.nat(5000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('seek' as const), value: fc.nat(SIZE) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('back' as const), value: fc.nat(100_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('ensure' as const), value: fc.nat(3 << 20) }) },
);

for (const [name, source] of [
  ['memory', () => memorySource(content)],
  ['a slow source', slowSource],
] as const) {
  test(`a window over ${name} holds the bytes of its offset, however it is moved`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 30 }),
        fc.nat(1 << 20),
        async (steps, cut) => {
          const window = new Window(source(), 0, SIZE - cut);
          for (const { kind, value } of steps) {
            let wanted = 9;
            if (kind === 'scan') {
              window.pos = Math.max(window.pos, window.limit - value);
              wanted = value + 1;
            } else if (kind === 'seek') window.seek(Math.min(value, window.end));
            else if (kind === 'back') window.seek(Math.max(0, window.offset - value));
            else wanted = value;
            const { offset } = window;
            const isEnough = await window.ensure(wanted);
            expect(window.offset).toBe(offset);
            expect(isEnough).toBe(offset + wanted <= window.end);
            expect(window.limit - window.pos).toBeGreaterThanOrEqual(Math.min(wanted, window.end - offset));
            expect(offset + window.limit - window.pos).toBeLessThanOrEqual(window.end);
            expectLoaded(window);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
}

test('a read that fails is an error where its bytes are wanted, and nowhere else', async () => {
  const broken = 3 << 20;
  const source: FinishedSource = {
    ...memorySource(content),
    async read(offset, length) {
      if (offset + length > broken) throw new Error('the disk is broken');
      return content.subarray(offset, offset + length);
    },
  };
  const window = new Window(source);
  while (window.offset < 2_000_000) {
    expect(await window.ensure(4096)).toBe(true);
    expectLoaded(window);
    window.pos = window.limit;
  }
  await expect(
    (async () => {
      while (await window.ensure(4096)) window.pos = window.limit;
    })(),
  ).rejects.toThrow('the disk is broken');
  expect(window.offset).toBeGreaterThan(2_000_000);
  window.seek(1000);
  expect(await window.ensure(4096)).toBe(true);
  expectLoaded(window);
});

test('a source that ends before its size is the end of the range', async () => {
  const source: FinishedSource = { ...memorySource(content.subarray(0, 2_500_000)), size: SIZE };
  const window = new Window(source);
  let scanned = 0;
  while (await window.ensure(1)) {
    expectLoaded(window);
    scanned += window.limit - window.pos;
    window.pos = window.limit;
  }
  expect(scanned).toBe(2_500_000);
});
