/** Changes to bytes: what is taken out and put in. */

/**
 * Bytes from `at` on that are taken out, and what is put there instead: hex digits, or a copy of a range of the
 * undamaged stream.
 *
 * @typedef {{ at: number, remove: number, insert?: string, copy?: [start: number, end: number] }} Splice
 */

/**
 * @param {Uint8Array} stream
 * @param {Splice[]} splices  In ascending order.
 */
export function applySplices(stream, splices) {
  /** @type {Uint8Array[]} */
  const parts = [];
  let done = 0;
  for (const { at, remove, insert = '', copy } of splices) {
    parts.push(stream.subarray(done, at), copy ? stream.subarray(...copy) : Buffer.from(insert, 'hex'));
    done = at + remove;
  }
  return Buffer.concat([...parts, stream.subarray(done)]);
}
