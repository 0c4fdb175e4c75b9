import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type FinishedSource, memorySource } from '../src/bytes/source.ts';

const folder = new URL('../fixtures/', import.meta.url);

/** An entry of fixtures/manifest.json: a stream that real QEMU wrote, and what is known of it from elsewhere. */
export interface Fixture {
  readonly name: string;
  readonly suite: string;
  readonly qemuVersion: string;
  readonly target: string;
  readonly args: readonly string[];
  readonly capabilities?: readonly string[];
  readonly size: number;
  readonly sha256: string;
  /** Hashes of what QEMU's own script printed, null where it crashed. */
  readonly script: { readonly state: string | null; readonly desc: string | null; readonly error?: string };
  /** What QEMU's monitor printed for `info registers -a` at the time of capture. */
  readonly registers?: string;
  /** What query-migrate said at its end. */
  readonly migration?: {
    readonly ram: {
      readonly normal: number;
      readonly duplicate: number;
      readonly total: number;
      readonly 'page-size': number;
      readonly 'dirty-sync-count': number;
    };
  };
}

export const fixtures: readonly Fixture[] = JSON.parse(
  readFileSync(new URL('manifest.json', folder), 'utf8'),
);

export function readFixture(name: string): Uint8Array {
  return gunzipSync(readFileSync(new URL(`streams/${name}.qevm.gz`, folder)));
}

export function openFixture(name: string): FinishedSource {
  return memorySource(readFixture(name), name);
}
