import { memorySource, openStream } from '../../dist/index.js';
import { useBuiltinInfoTables, useBuiltinTables } from '../../dist/node/builtin-schemas.js';

/**
 * Opens a stream in memory, with built-in tables for what it does not describe.
 *
 * @param {Uint8Array} bytes
 */
export async function openBytes(bytes) {
  const opened = await openStream(memorySource(bytes));
  return opened.schema ? useBuiltinInfoTables(opened) : useBuiltinTables(opened);
}
