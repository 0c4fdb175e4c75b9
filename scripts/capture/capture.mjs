#!/usr/bin/env node
/**
 * Captures migration streams from real QEMUs, as a manifest lists them.
 */

import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { hostSuite, makeWorkspace, removeWorkspace } from './qemu.mjs';
import { runReference } from './reference.mjs';
import { capture } from './session.mjs';

const HELP = `Usage: node scripts/capture/capture.mjs --manifest FILE [options]

Starts the QEMUs that the manifest lists, migrates each to a file and writes, under the output directory,
  streams/NAME.qevm         the stream (NAME.chN: further connections, NAME.reply: the return path)
  records/NAME.json         command line, version, capabilities, and the registers the monitor reported
  script/NAME.state.json    what QEMU's own analyze-migration.py makes of it (also NAME.desc.json; NAME.err when
                            it fails)
  qcow2/NAME.qcow2          for entries that save a snapshot
  INDEX.tsv                 a line for each stream: name, suite, target, bytes, script ok or error

  --manifest FILE     a JSON array of entries; session.mjs documents their members
  --only NAME         only this entry; * matches anything; can be repeated
  --out DIR           where to write (default: captures)
  --root SUITE=DIR    run the QEMU of this Debian suite in the chroot DIR; can be repeated. CAPTURE_ROOTS holds
                      a comma-separated list of the same. A suite without a root runs on this system, if this
                      system is that suite.
  --file NAME=PATH    a file that an entry needs but that is not ours to ship, such as a kernel; can be repeated
  --script FILE       QEMU's scripts/analyze-migration.py, to compare with (default: not run)
  --jobs N            this many QEMUs at once (default: 1)
  --help

To make a chroot (as root; chroot is needed to enter it, too):
  debootstrap --variant=minbase trixie /srv/trixie http://deb.debian.org/debian
  mount --bind /proc /srv/trixie/proc && mount --bind /dev /srv/trixie/dev
  chroot /srv/trixie apt-get install --no-install-recommends qemu-utils qemu-system-x86 qemu-system-arm \\
    qemu-system-ppc qemu-system-mips qemu-system-sparc qemu-system-misc qemu-system-s390x qemu-system-riscv
bullseye and bookworm have s390x and riscv in qemu-system-misc. For trixie-backports, copy a trixie chroot, add
the line "deb http://deb.debian.org/debian trixie-backports main" to its sources, and install with
-t trixie-backports.
`;

/** @typedef {import("./session.mjs").ManifestEntry} ManifestEntry */

const { values: options } = parseArgs({
  options: {
    manifest: { type: 'string' },
    only: { type: 'string', multiple: true },
    out: { type: 'string', default: 'captures' },
    root: { type: 'string', multiple: true, default: [] },
    file: { type: 'string', multiple: true, default: [] },
    script: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    help: { type: 'boolean' },
  },
});
if (options.help || options.manifest === undefined) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}

const manifestPath = options.manifest;
const roots = parseAssignments([
  ...(process.env.CAPTURE_ROOTS ?? '').split(',').filter(Boolean),
  ...options.root,
]);
const sources = { assets: dirname(manifestPath), given: parseAssignments(options.file) };
const out = resolve(options.out);
for (const folder of ['streams', 'records', 'script', 'qcow2'])
  mkdirSync(join(out, folder), { recursive: true });

/** @type {ManifestEntry[]} */
const entries = JSON.parse(readFileSync(manifestPath, 'utf8'));
const queue = entries.filter(({ name }) => options.only === undefined || options.only.some(matcher(name)));
if (queue.length === 0) throw new Error(`${manifestPath} has no entry of that name`);

let failures = 0;
await Promise.all(Array.from({ length: Number(options.jobs) }, work));
process.exit(failures === 0 ? 0 : 1);

async function work() {
  for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
    try {
      process.stdout.write(`${await captureEntry(entry)}\n`);
    } catch (error) {
      failures++;
      process.stderr.write(`${entry.name}: ${/** @type {Error} */ (error).message}\n`);
    }
  }
}

/**
 * @param {ManifestEntry} entry
 * @returns {Promise<string>} A line for the index.
 */
async function captureEntry(entry) {
  const workspace = makeWorkspace(rootOf(entry.suite));
  try {
    const { record, stream, channels } = await capture(entry, workspace, sources);
    writeFileSync(join(out, 'records', `${entry.name}.json`), `${JSON.stringify(record, null, 2)}\n`);
    if (entry.snapshot !== undefined) {
      copyFileSync(stream, join(out, 'qcow2', `${entry.name}.qcow2`));
      return `${entry.name}\t${entry.suite}\t${entry.target}\t${record.size}\tsnapshot`;
    }
    const kept = join(out, 'streams', `${entry.name}.qevm`);
    copyFileSync(stream, kept);
    for (const [suffix, file] of channels)
      copyFileSync(file, join(out, 'streams', `${entry.name}.${suffix}`));
    const verdict = options.script === undefined ? '-' : await compare(entry.name, kept, options.script);
    const line = `${entry.name}\t${entry.suite}\t${entry.target}\t${record.size}\t${verdict}`;
    appendFileSync(join(out, 'INDEX.tsv'), `${line}\n`);
    return line;
  } finally {
    removeWorkspace(workspace);
  }
}

/**
 * @param {string} name
 * @param {string} stream
 * @param {string} script
 */
async function compare(name, stream, script) {
  /** @type {string[]} */
  const errors = [];
  for (const dump of /** @type {const} */ (['state', 'desc'])) {
    const { stdout, error } = await runReference(script, stream, dump);
    if (stdout !== undefined) writeFileSync(join(out, 'script', `${name}.${dump}.json`), stdout);
    else errors.push(`${dump}: ${error}`);
  }
  if (errors.length === 0) return 'ok';
  writeFileSync(join(out, 'script', `${name}.err`), `${errors.join('\n')}\n`);
  return 'error';
}

/** @param {string} suite */
function rootOf(suite) {
  const root = roots.get(suite) ?? (suite === hostSuite() ? '' : undefined);
  if (root === undefined) throw new Error(`no root for ${suite}; name one with --root ${suite}=DIR`);
  return root;
}

/** @param {string[]} assignments */
function parseAssignments(assignments) {
  return new Map(
    assignments.map((assignment) => {
      const equals = assignment.indexOf('=');
      if (equals < 0) throw new Error(`"${assignment}" is not NAME=PATH`);
      return [assignment.slice(0, equals), resolve(assignment.slice(equals + 1))];
    }),
  );
}

/** @param {string} name */
function matcher(name) {
  return (/** @type {string} */ pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`).test(name);
  };
}
