import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type FinishedSource, memorySource } from '../../src/bytes/source.ts';

const folder = new URL('../../fixtures/ram/', import.meta.url);

/**
 * An entry of fixtures/ram/manifest.json: a migration with its channels, and what pmemsave wrote of the QEMU that had
 * loaded it (scripts/truth/ram.mjs).
 */
export interface MemoryFixture {
  readonly name: string;
  readonly qemuVersion: string;
  readonly case: string;
  readonly channels: number;
  readonly memory: readonly MemoryRange[];
}

export interface MemoryRange {
  readonly block: string;
  /** In the block, bytes. */
  readonly offset: number;
  readonly length: number;
  readonly sha256: string;
}

export const memoryFixtures: readonly MemoryFixture[] = JSON.parse(
  readFileSync(new URL('manifest.json', folder), 'utf8'),
);

export function memoryFixture(name: string): MemoryFixture {
  const found = memoryFixtures.find((fixture) => fixture.name === name);
  if (!found) throw new Error(`no fixture ${name}`);
  return found;
}

export function readMain({ name }: MemoryFixture): Uint8Array {
  return unpack(`${name}.qevm.gz`);
}

export function readChannels({ name, channels }: MemoryFixture): Uint8Array[] {
  return Array.from({ length: channels }, (_, i) => unpack(`${name}.ch${i}.gz`));
}

/** No Buffer, whose slice() would not copy. */
function unpack(file: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(new URL(file, folder))));
}

export function channelSources(channels: readonly Uint8Array[]): FinishedSource[] {
  return channels.map((bytes, i) => memorySource(bytes, `ch${i}`));
}

/** The ranges whose content is not what the QEMU had. */
export function wrongRanges(
  fixture: MemoryFixture,
  content: (block: string) => Uint8Array | undefined,
): readonly string[] {
  return fixture.memory.flatMap(({ block, offset, length, sha256 }) => {
    const bytes = content(block)?.subarray(offset, offset + length);
    const found = bytes && createHash('sha256').update(bytes).digest('hex');
    return found === sha256 ? [] : [`${block}+0x${offset.toString(16)}`];
  });
}
