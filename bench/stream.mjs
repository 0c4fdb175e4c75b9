/**
 * Makes the stream that is measured, with the QEMU on PATH.
 */

import { createCipheriv } from 'node:crypto';
import { closeSync, existsSync, ftruncateSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeWorkspace, removeWorkspace, startQemu } from '../scripts/capture/qemu.mjs';

const MIB = 1 << 20;
/** RAM that nothing can compress, so that every page of it is sent as it is, and RAM that is zero. */
const FULL_SIZE = 1280 * MIB;
const ZERO_SIZE = 448 * MIB;
/** Bytes a second: no limit to speak of. */
const UNLIMITED = 2 ** 40;
const START_TIMEOUT = 30_000;
const MIGRATION_TIMEOUT = 300_000;

/** Some devices of each kind that big state comes from; no option ROMs, which not every system has. */
const DEVICES = ['virtio-net-pci,romfile=', 'e1000e,romfile=', 'qemu-xhci', 'virtio-scsi-pci'];

/**
 * A migration stream of a paused guest, kept in `folder` for the next time.
 *
 * @param {string} folder
 * @returns {Promise<string>}  Its path.
 */
export async function benchStream(folder) {
  const path = join(folder, 'stream.qevm');
  if (existsSync(path)) return path;
  const image = join(folder, 'ram.img');
  const unfinished = `${path}.tmp`;
  try {
    writeImage(image);
    await migrateTo(unfinished, image);
    renameSync(unfinished, path);
  } finally {
    rmSync(image, { force: true });
    rmSync(unfinished, { force: true });
  }
  return path;
}

/**
 * Content of the guest's RAM: a key stream, then a hole. The same at each time, so that streams can be compared.
 *
 * @param {string} path
 */
function writeImage(path) {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const zeros = Buffer.alloc(4 * MIB);
  const fd = openSync(path, 'w');
  try {
    for (let written = 0; written < FULL_SIZE; ) written += writeSync(fd, cipher.update(zeros));
    ftruncateSync(fd, FULL_SIZE + ZERO_SIZE);
  } finally {
    closeSync(fd);
  }
}

/**
 * @param {string} path
 * @param {string} image
 */
async function migrateTo(path, image) {
  const workspace = makeWorkspace('');
  const size = `${(FULL_SIZE + ZERO_SIZE) / MIB}M`;
  const args = [
    ...['-machine', 'q35,memory-backend=ram', '-m', size, '-smp', '4', '-nodefaults', '-accel', 'tcg'],
    ...['-object', `memory-backend-file,id=ram,size=${size},share=off,mem-path=${image}`],
    ...DEVICES.flatMap((device) => ['-device', device]),
  ];
  try {
    const qemu = await startQemu(workspace, 'x86_64', args, { timeoutMs: START_TIMEOUT });
    try {
      await qemu.qmp.execute('migrate-set-parameters', { 'max-bandwidth': UNLIMITED });
      await qemu.qmp.execute('migrate', { uri: `exec:cat > '${path.replaceAll("'", "'\\''")}'` });
      await finish(qemu.qmp);
    } finally {
      await qemu.quit();
    }
  } finally {
    removeWorkspace(workspace);
  }
}

/** @param {import('../scripts/capture/qmp.mjs').QmpClient} qmp */
async function finish(qmp) {
  for (const deadline = Date.now() + MIGRATION_TIMEOUT; ; await sleep(50)) {
    const { status, 'error-desc': reason } = await qmp.execute('query-migrate');
    if (status === 'completed') return;
    if (status === 'failed') throw new Error(`QEMU could not migrate: ${reason ?? 'it does not say why'}`);
    if (Date.now() > deadline)
      throw new Error(`the migration is still "${status}" after ${MIGRATION_TIMEOUT} ms`);
  }
}
