import { memorySource } from '../../src/bytes/source.ts';
import { Window } from '../../src/bytes/window.ts';
import { findIterativeScanner, type IterativeSummary } from '../../src/ram/iterative.ts';
import type { IterativeContext } from '../../src/ram/scanner.ts';
import type { SectionType } from '../../src/stream/records.ts';

/** Some bytes one behind the other. */
export function bytes(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

// Integers as qemu_put_byte, qemu_put_be16, qemu_put_be32 and qemu_put_be64 write them.

export function u8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 0xff);
}

export function u32(value: number): Uint8Array {
  const result = new Uint8Array(4);
  new DataView(result.buffer).setUint32(0, value);
  return result;
}

export function u64(value: number | bigint): Uint8Array {
  const result = new Uint8Array(8);
  new DataView(result.buffer).setBigUint64(0, BigInt(value));
  return result;
}

/** One length byte and ASCII text. */
export function text8(text: string): Uint8Array {
  return Uint8Array.of(text.length, ...[...text].map((character) => character.charCodeAt(0)));
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (digits) => Number.parseInt(digits, 16));
}

/** A footer, as it follows each section: 0x7e and the section id. */
export function footer(sectionId: number): Uint8Array {
  return bytes(u8(0x7e), u32(sectionId));
}

export const SECTION_ID = 2;

export function context(
  idstr: string,
  versionId: number,
  changes: Partial<IterativeContext> = {},
): IterativeContext {
  return {
    idstr,
    instanceId: 0,
    versionId,
    pageSize: undefined,
    capabilities: new Set(),
    footers: true,
    sectionId: SECTION_ID,
    report: () => {},
    ...changes,
  };
}

/**
 * Scans the bodies of a section's records one behind the other, with a footer after each, as they are in a stream.
 * Throws what the scanner throws; fails when it does not stop exactly at the end of each body.
 */
export async function scanBodies(
  sectionContext: IterativeContext,
  bodies: readonly (readonly [SectionType, Uint8Array])[],
): Promise<IterativeSummary> {
  const create = findIterativeScanner(sectionContext.idstr);
  if (!create) throw new Error(`no scanner for ${sectionContext.idstr}`);
  const scanner = create(sectionContext);
  const stream = bytes(...bodies.flatMap(([, body]) => [body, footer(sectionContext.sectionId)]));
  const window = new Window(memorySource(stream));
  let end = 0;
  for (const [type, body] of bodies) {
    await scanner.scan(window, type);
    end += body.length;
    if (window.offset !== end) throw new Error(`${type} ends at ${window.offset}, expected ${end}`);
    end += 5;
    window.seek(end);
  }
  return scanner.summary();
}
