#!/usr/bin/env node
/**
 * Turns captures into the fixtures the tests read: compressed streams, what QEMU's script made of them, and a
 * manifest that says what each is and how to capture it again.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { constants, gzipSync } from 'node:zlib';

const HELP = `Usage: node scripts/capture/pack.mjs --manifest FILE --from DIR [--to DIR]

  --manifest FILE   the manifest the captures were made from
  --from DIR        the output directory of capture.mjs
  --to DIR          where the fixtures go (default: fixtures)
`;

const { values: options } = parseArgs({
  options: {
    manifest: { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string', default: 'fixtures' },
    help: { type: 'boolean' },
  },
});
if (options.help || options.manifest === undefined || options.from === undefined) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}
const { from, to } = { from: options.from, to: options.to };
for (const folder of ['streams', 'script']) mkdirSync(join(to, folder), { recursive: true });

/** @type {import("./session.mjs").ManifestEntry[]} */
const entries = JSON.parse(readFileSync(options.manifest, 'utf8'));
const packed = entries.map(pack);
writeFileSync(join(to, 'manifest.json'), `${JSON.stringify(packed, null, 2)}\n`);

/** @param {(typeof entries)[number]} entry */
function pack(entry) {
  const { name } = entry;
  /** @type {import("./session.mjs").CaptureRecord} */
  const record = JSON.parse(readFileSync(join(from, 'records', `${name}.json`), 'utf8'));
  for (const suffix of ['qevm', ...record.channels]) {
    compress(join(from, 'streams', `${name}.${suffix}`), join(to, 'streams', `${name}.${suffix}.gz`));
  }
  const state = join(from, 'script', `${name}.state.json`);
  if (existsSync(state)) compress(state, join(to, 'script', `${name}.state.json.gz`));
  const error = join(from, 'script', `${name}.err`);
  return {
    ...entry,
    qemuVersion: record.qemuVersion,
    size: record.size,
    sha256: record.sha256,
    channels: record.channels.length === 0 ? undefined : record.channels,
    script: {
      state: sha256OfFile(state),
      desc: sha256OfFile(join(from, 'script', `${name}.desc.json`)),
      error: existsSync(error)
        ? readFileSync(error, 'utf8')
            .split('\n')[0]
            .replace(/^\w+: /, '')
        : undefined,
    },
    registers: entry.keepRegisters ? record.registers : undefined,
    migration: entry.keepMigration ? record.migration : undefined,
  };
}

/**
 * @param {string} source
 * @param {string} destination
 */
function compress(source, destination) {
  writeFileSync(destination, gzipSync(readFileSync(source), { level: constants.Z_BEST_COMPRESSION }));
}

/** @param {string} file */
function sha256OfFile(file) {
  return existsSync(file) ? createHash('sha256').update(readFileSync(file)).digest('hex') : null;
}
