/**
 * What the benchmark needs to know of a QEMU binary: where it is, and what others say of it.
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * File of a program on PATH; undefined where there is none.
 *
 * @param {string} name
 */
export function findProgram(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return realpathSync(file);
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/**
 * Compares an extracted schema with what the binary and binutils say: version, build id. Returns what differs.
 *
 * @param {string} binary
 * @param {readonly string[]} vmwalk
 * @returns {string[]}
 */
export function compareSchema(binary, vmwalk) {
  const schema = JSON.parse(output([...vmwalk, 'schema', 'extract', binary]));
  const facts = {
    version: [schema.qemuVersion, /version (.+)/.exec(output([binary, '--version']))?.[1]],
    'build id': [
      schema.objects[0].buildId,
      /Build ID: ([0-9a-f]+)/.exec(output(['readelf', '-n', binary]))?.[1],
    ],
  };
  return Object.entries(facts).flatMap(([name, [ours, theirs]]) =>
    ours === theirs ? [] : [`${name} ${ours}, not ${theirs}`],
  );
}

/** @param {readonly string[]} command */
function output([program, ...args]) {
  const { error, status, stdout } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 64 << 20 });
  if (error || status !== 0) throw new Error(`${program} ${args[0]} failed: ${error?.message ?? status}`);
  return stdout;
}
