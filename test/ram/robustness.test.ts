import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { Window } from '../../src/bytes/window.ts';
import { findIterativeScanner } from '../../src/ram/iterative.ts';
import type { IterativeContext } from '../../src/ram/scanner.ts';
import { bytes, footer, SECTION_ID } from './section-bytes.ts';
import { sectionSpecimens } from './section-specimens.ts';

/** Scans a body, footer behind it. True when the scanner liked it; only DecodeErrors are swallowed. */
async function scans(sectionContext: IterativeContext, body: Uint8Array): Promise<boolean> {
  const scanner = findIterativeScanner(sectionContext.idstr)!(sectionContext);
  const window = new Window(memorySource(body));
  try {
    await scanner.scan(window, 'SECTION_FULL');
    expect(window.offset).toBeLessThanOrEqual(body.length);
    return true;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const { range } = error.diagnostic;
    expect(range).toBeDefined();
    expect(range!.start).toBeLessThanOrEqual(body.length);
    expect(range!.end).toBeGreaterThanOrEqual(range!.start);
    return false;
  } finally {
    scanner.summary();
  }
}

describe.each(sectionSpecimens)('%s', (_, sectionContext, body) => {
  test('is read whole', async () => {
    expect(await scans(sectionContext, bytes(body, footer(SECTION_ID)))).toBe(true);
  });

  test('cut anywhere, it is a DecodeError', async () => {
    const step = body.length > 4096 ? 41 : 1;
    for (let length = 0; length < body.length; length += step) {
      expect(await scans(sectionContext, body.subarray(0, length)), `${length}`).toBe(false);
    }
  });

  test('with other bytes in it, nothing but a DecodeError', async () => {
    const change = fc.tuple(
      fc.nat(body.length - 1),
      fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 0x80, 0x10)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
        const mutated = bytes(body, footer(SECTION_ID));
        for (const [offset, value] of changes) mutated[offset] = value;
        await scans(sectionContext, mutated);
      }),
      { numRuns: 300 },
    );
  });

  test('any bytes at all, nothing but a DecodeError', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (any) => {
        await scans(sectionContext, any);
      }),
      { numRuns: 200 },
    );
  });
});
