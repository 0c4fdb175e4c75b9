/**
 * Reads fixtures/loads, as pack-loads.mjs writes it: what real QEMUs made of streams.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { applySplices } from './splices.mjs';

/** @param {string} folder @returns {import("./read-loads.mjs").RecordedLoad[]} */
export function readLoads(folder) {
  const { machines, files, cases } = JSON.parse(readFileSync(join(folder, 'loads.json'), 'utf8'));
  /** The archive that was read last: cases that follow each other are in the same. */
  let open = { archive: -1, bytes: new Uint8Array() };

  /** @param {number} index */
  function read(index) {
    const { archive, start, end } = files[index];
    if (open.archive !== archive) {
      open = { archive, bytes: brotliDecompressSync(readFileSync(join(folder, `${archive}.br`))) };
    }
    return open.bytes.subarray(start, end);
  }

  return cases.map((/** @type {any} */ { source, destination, stream, profile, splices = [], ...rest }) => ({
    ...rest,
    source: machines[source],
    destination: machines[destination],
    streamName: files[stream].name,
    profileName: files[profile].name,
    stream: () => applySplices(read(stream), splices),
    profile: () => read(profile),
  }));
}
