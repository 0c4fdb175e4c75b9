import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';

/** Inputs that once showed a fault: a folder for each target, the tests try them all. */
const folder = new URL('../../fixtures/fuzz/', import.meta.url);

export function readCrashes(target: string): { readonly name: string; readonly bytes: Uint8Array }[] {
  const own = new URL(`${target}/`, folder);
  if (!existsSync(own)) return [];
  return readdirSync(own)
    .sort()
    .map((name) => ({ name, bytes: new Uint8Array(gunzipSync(readFileSync(new URL(name, own)))) }));
}

/** Keeps an input, under a name that its fault has; what is there already stays. Returns its path. */
export function keepCrash(target: string, key: string, bytes: Uint8Array): string {
  const own = new URL(`${target}/`, folder);
  mkdirSync(own, { recursive: true });
  const words = key
    .replace(/[^a-z]+/gi, '-')
    .slice(0, 40)
    .replace(/^-|-$/g, '')
    .toLowerCase();
  const file = new URL(`${words}-${createHash('sha256').update(key).digest('hex').slice(0, 8)}.gz`, own);
  if (!existsSync(file)) writeFileSync(file, gzipSync(bytes, { level: 9 }));
  return file.pathname;
}
