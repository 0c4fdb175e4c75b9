import { memorySource, openVm } from '../../dist/index.js';
import { packagedSchemas } from '../../dist/node/index.js';

/**
 * Opens a stream in memory, with built-in tables for what it does not describe.
 *
 * @param {Uint8Array} bytes
 */
export function openBytes(bytes) {
  return openVm(memorySource(bytes), { schemas: packagedSchemas });
}
