#!/usr/bin/env node
/**
 * Makes the qcow2 images the tests read: snapshots that real QEMU saved, or streams that qemu-img put where a VM state is.
 * What is in them is asked of qemu-img, and goes into the manifest.
 */

import { createHash } from 'node:crypto';
import { closeSync, copyFileSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import { makeFiles } from './files.mjs';
import { hostSuite, makeWorkspace, removeWorkspace, runIn, startQemu } from './qemu.mjs';

const HELP = `Usage: node scripts/capture/images.mjs [--manifest FILE] [--only NAME] [--root SUITE=DIR]...

Makes each image of the manifest anew, and writes it beside it as images/NAME.qcow2.gz, and what qemu-img says of it into
the manifest. capture.mjs --help says how to make the chroots.

  --manifest FILE   a JSON array of entries (default: fixtures/images.json)
`;

/**
 * @typedef {object} ImageEntry
 * @property {string} name
 * @property {string} suite          The Debian suite whose QEMU to run.
 * @property {string} [note]
 * @property {string[]} [create]     Arguments of `qemu-img create`.
 * @property {string} [size]         Of the disk.
 * @property {string[]} [args]       QEMU's arguments; its disk is disk.qcow2. Without them it is not started.
 * @property {(string | { execute: string, arguments: object })[]} [steps]  Commands of the human monitor, or of QMP.
 * @property {boolean} [inUse]       The image is taken while QEMU has it open.
 * @property {string} [stream]       A fixture that is to be the VM state.
 * @property {string[]} [convert]    Arguments of `qemu-img convert` for that.
 * @property {number} [zeroClusters] Where the stream has so many zero bytes, `qemu-io` makes them zero clusters.
 * @property {string[][]} [qemuImg]  Calls of qemu-img afterwards.
 * @property {string} [qemuVersion]
 * @property {object} [info]         What `qemu-img info` says.
 * @property {Record<string, string>} [vmStates]  SHA-256 of each VM state, by id.
 */

const IMAGE = 'disk.qcow2';

const { values: options } = parseArgs({
  options: {
    manifest: { type: 'string', default: 'fixtures/images.json' },
    only: { type: 'string' },
    root: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const roots = new Map(options.root.map((text) => /** @type {[string, string]} */ (text.split('=', 2))));
const folder = dirname(options.manifest);

/** @type {ImageEntry[]} */
const entries = JSON.parse(readFileSync(options.manifest, 'utf8'));
for (const entry of entries) {
  if (options.only !== undefined && entry.name !== options.only) continue;
  await make(entry);
  process.stdout.write(`${entry.name}\n`);
  writeFileSync(options.manifest, `${JSON.stringify(entries, null, 2)}\n`);
}

/** @param {ImageEntry} entry */
async function make(entry) {
  const root = roots.get(entry.suite);
  if (root === undefined && entry.suite !== hostSuite())
    throw new Error(`--root ${entry.suite}=DIR is missing`);
  const workspace = makeWorkspace(root ?? '');
  try {
    if (entry.stream === undefined) await saveSnapshots(entry, workspace);
    else putStream(entry.stream, entry, workspace);
    for (const args of entry.qemuImg ?? []) runIn(workspace, 'qemu-img', args);
    const info = JSON.parse(runIn(workspace, 'qemu-img', ['info', '--output=json', IMAGE]));
    entry.qemuVersion = runIn(workspace, 'qemu-img', ['--version']).split('\n')[0];
    entry.info = info;
    entry.vmStates = {};
    for (const snapshot of info.snapshots ?? []) {
      if (snapshot['vm-state-size'] === 0) continue;
      entry.vmStates[snapshot.id] = hashOfVmState(workspace, info, snapshot);
    }
    const image = readFileSync(join(workspace.outside, IMAGE));
    const packed = gzipSync(image, { level: constants.Z_BEST_COMPRESSION });
    writeFileSync(join(folder, 'images', `${entry.name}.qcow2.gz`), packed);
  } finally {
    removeWorkspace(workspace);
  }
}

/**
 * @param {ImageEntry} entry
 * @param {import("./qemu.mjs").Workspace} workspace
 */
async function saveSnapshots({ create = [], size = '4M', args, steps = [], inUse }, workspace) {
  makeFiles(workspace, { 'bios-zero.bin': 'zero:64K' }, { assets: folder, given: new Map() });
  runIn(workspace, 'qemu-img', ['create', '-q', '-f', 'qcow2', ...create, IMAGE, size]);
  if (args === undefined) return;
  const drive = ['-drive', `file=${IMAGE},if=none,id=disk,format=qcow2`];
  const qemu = await startQemu(workspace, 'x86_64', [...args, ...drive], { timeoutMs: 60_000 });
  const image = join(workspace.outside, IMAGE);
  try {
    for (const step of steps) {
      if (typeof step !== 'string') await qemu.qmp.execute(step.execute, step.arguments);
      else {
        const answer = (await qemu.qmp.monitor(step)).trim();
        if (/error/i.test(answer)) throw new Error(`${step}: ${answer}`);
      }
    }
    if (inUse) copyFileSync(image, `${image}.in-use`);
  } finally {
    await qemu.quit();
  }
  if (inUse) copyFileSync(`${image}.in-use`, image);
}

/**
 * Makes an image whose disk is the stream, takes a snapshot, and writes into the snapshot table that the disk has no bytes
 * and the VM state those of the disk: so the clusters of the VM state are of all kinds that qemu-img can write.
 *
 * @param {string} stream
 * @param {ImageEntry} entry
 * @param {import("./qemu.mjs").Workspace} workspace
 */
function putStream(stream, { convert = [], zeroClusters }, workspace) {
  const bytes = gunzipSync(readFileSync(join(folder, 'streams', `${stream}.qevm.gz`)));
  writeFileSync(join(workspace.outside, 'stream'), bytes);
  runIn(workspace, 'qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...convert, 'stream', IMAGE]);
  if (zeroClusters !== undefined) writeZeros(bytes, zeroClusters, workspace);
  runIn(workspace, 'qemu-img', ['snapshot', '-c', 'put there', IMAGE]);
  const path = join(workspace.outside, IMAGE);
  const image = readFileSync(path);
  const table = Number(image.readBigUInt64BE(64));
  image.writeUInt32BE(bytes.length, table + 32);
  image.writeBigUInt64BE(BigInt(bytes.length), table + 40);
  image.writeBigUInt64BE(0n, table + 48);
  writeFileSync(path, image);
}

/**
 * @param {Buffer} bytes
 * @param {number} clusterSize
 * @param {import("./qemu.mjs").Workspace} workspace
 */
function writeZeros(bytes, clusterSize, workspace) {
  const commands = [];
  for (let offset = 0; offset + clusterSize <= bytes.length; offset += clusterSize) {
    if (bytes.subarray(offset, offset + clusterSize).some((byte) => byte !== 0)) continue;
    // With -u the place in the file is given up.
    const how = commands.length % 2 === 0 ? 'write -z' : 'write -z -u';
    commands.push(`${how} ${offset} ${clusterSize}`);
  }
  runIn(workspace, 'qemu-io', ['-d', 'unmap', ...commands.flatMap((command) => ['-c', command]), IMAGE]);
}

/**
 * The VM state as QEMU's block layer reads it: qemu-img gives the disk of a snapshot, so in a copy whose header says that
 * the disk reaches over the VM state, it gives that, too.
 *
 * @param {import("./qemu.mjs").Workspace} workspace
 * @param {any} info
 * @param {any} snapshot
 */
function hashOfVmState(workspace, info, snapshot) {
  const path = join(workspace.outside, IMAGE);
  const image = readFileSync(path);
  const clusterSize = info['cluster-size'];
  const coverage = clusterSize * (clusterSize / (info['format-specific'].data['extended-l2'] ? 16 : 8));
  const start = Math.ceil(diskSizeOf(image, snapshot.id) / coverage) * coverage;
  const length = snapshot['vm-state-size'];
  image.writeBigUInt64BE(BigInt(Math.ceil((start + length) / 512) * 512), 24);
  writeFileSync(`${path}.long`, image);
  const convert = ['convert', '-f', 'qcow2', '-O', 'raw', '-l', `snapshot.id=${snapshot.id}`];
  runIn(workspace, 'qemu-img', [...convert, `${IMAGE}.long`, 'disk.raw']);
  const state = Buffer.alloc(length);
  const file = openSync(join(workspace.outside, 'disk.raw'), 'r');
  readSync(file, state, 0, length, start);
  closeSync(file);
  return createHash('sha256').update(state).digest('hex');
}

/**
 * Of a snapshot, by the snapshot table.
 *
 * @param {Buffer} image
 * @param {string} id
 */
function diskSizeOf(image, id) {
  for (let at = Number(image.readBigUInt64BE(64)); ; ) {
    const [idLength, nameLength] = [image.readUInt16BE(at + 12), image.readUInt16BE(at + 14)];
    const idStart = at + 40 + image.readUInt32BE(at + 36);
    if (image.toString('utf8', idStart, idStart + idLength) === id)
      return Number(image.readBigUInt64BE(at + 48));
    at = Math.ceil((idStart + idLength + nameLength) / 8) * 8;
  }
}
