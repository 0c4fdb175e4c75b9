/**
 * Reads fixtures/loads, as pack-loads.mjs writes it: what real QEMUs made of streams.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { applySplices } from './splices.mjs';

/** Each of up to 16 MiB. A case has its stream in one and its profile in another; the next often in the same. */
const OPEN_ARCHIVES = 4;

/** @param {string} folder @returns {import("./read-loads.mjs").RecordedLoad[]} */
export function readLoads(folder) {
  const { machines, files, cases } = JSON.parse(readFileSync(join(folder, 'loads.json'), 'utf8'));
  /** The archives that were read last, decompressed. @type {Map<number, Uint8Array>} */
  const open = new Map();

  /** @param {number} index */
  function read(index) {
    const { archive, start, end } = files[index];
    const bytes = open.get(archive) ?? brotliDecompressSync(readFileSync(join(folder, `${archive}.br`)));
    open.delete(archive);
    open.set(archive, bytes);
    for (const oldest of open.keys()) if (open.size > OPEN_ARCHIVES) open.delete(oldest);
    return bytes.subarray(start, end);
  }

  return cases.map((/** @type {any} */ { source, destination, stream, profile, splices = [], ...rest }) => ({
    ...rest,
    isDamaged: splices.length > 0,
    source: machines[source],
    destination: machines[destination],
    streamName: files[stream].name,
    profileName: files[profile].name,
    stream: () => applySplices(read(stream), splices),
    profile: () => read(profile),
  }));
}
