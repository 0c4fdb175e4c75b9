import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type FinishedSource, memorySource } from '../../src/bytes/source.ts';
import type { Unwrapped } from '../../src/containers/open.ts';
import { unwrap } from '../../src/containers/open.ts';
import { nodeEnvironment } from '../../src/node/decompress.ts';

const folder = new URL('../../fixtures/', import.meta.url);

/** A snapshot as `qemu-img info --output=json` lists it. */
export interface QemuSnapshot {
  readonly id: string;
  readonly name: string;
  readonly 'vm-state-size': number;
  readonly 'date-sec': number;
  readonly 'date-nsec': number;
  readonly 'vm-clock-sec': number;
  readonly 'vm-clock-nsec': number;
  readonly icount?: number;
}

/** An entry of fixtures/images.json: an image that QEMU made, and what qemu-img said of it. */
export interface Image {
  readonly name: string;
  readonly info: {
    readonly snapshots?: readonly QemuSnapshot[];
    readonly 'cluster-size': number;
    readonly 'format-specific': { readonly data: { readonly 'compression-type'?: string } };
  };
  /** SHA-256 of each VM state by the id of its snapshot, as QEMU's block layer read it. */
  readonly vmStates: Readonly<Record<string, string>>;
}

export const images: readonly Image[] = JSON.parse(readFileSync(new URL('images.json', folder), 'utf8'));

export function readImage(name: string): Uint8Array {
  return new Uint8Array(gunzipSync(readFileSync(new URL(`images/${name}.qcow2.gz`, folder))));
}

/** Opens what is in an image. */
export function openImage(image: Uint8Array | FinishedSource, selector?: string): Promise<Unwrapped> {
  const source = image instanceof Uint8Array ? memorySource(image, 'disk.qcow2') : image;
  return unwrap(source, nodeEnvironment(), { selector });
}

export async function readAll(source: FinishedSource): Promise<Uint8Array> {
  return (await source.read(0, source.size)).slice();
}
