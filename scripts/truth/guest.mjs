/**
 * The guest of Linux that counts on its console (counting-guest.c), and what it says there.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Those of the disk and the network, in the order in which they need each other. */
const MODULES = [
  ...['drivers/virtio/virtio_ring', 'drivers/virtio/virtio', 'drivers/virtio/virtio_pci_legacy_dev'],
  ...['drivers/virtio/virtio_pci_modern_dev', 'drivers/virtio/virtio_pci', 'drivers/block/virtio_blk'],
  ...['net/core/failover', 'drivers/net/net_failover', 'drivers/net/virtio_net'],
];
const DISK_BYTES = 32 << 20;
/** What the guest is started with beside its machine. */
export const GUEST_ARGS = [
  ...['-kernel', 'vmlinuz', '-initrd', 'initrd'],
  // A clock whose rate is not measured but known.
  ...['-append', 'console=ttyS0 quiet clocksource=hpet'],
];

/**
 * A line of the console. `beat`: how far the guest has counted, and what its clock says, in nanoseconds since it was
 * started. `disk`: how often it has written to its disk, read that back, and found it right. `pong`: the number that it
 * was asked, and the date that its real-time clock has, in seconds since 1970.
 *
 * @typedef {{ kind: 'beat', count: number, clock: bigint } | { kind: 'disk', count: number } |
 *   { kind: 'pong', number: number, date: number } | { kind: 'other', text: string }} GuestLine
 */

/** @param {string} text @returns {GuestLine} */
export function parseLine(text) {
  const [, word, first, second] = /^(beat|disk|pong) (\d+)(?: (\d+))?\r?$/.exec(text) ?? [];
  if (word === 'beat' && second !== undefined)
    return { kind: word, count: Number(first), clock: BigInt(second) };
  if (word === 'pong' && second !== undefined)
    return { kind: word, number: Number(first), date: Number(second) };
  if (word === 'disk' && second === undefined) return { kind: word, count: Number(first) };
  return { kind: 'other', text };
}

/**
 * Makes `vmlinuz`, `initrd`, a first file system with one program and the modules, and `disk`, all zeros. Throws where cc
 * or cpio fails.
 *
 * @param {string} kernel  Where a package with the kernel was unpacked.
 * @param {string} folder
 */
export function makeGuest(kernel, folder) {
  const [image = ''] = readdirSync(join(kernel, 'boot')).filter((name) => name.startsWith('vmlinuz-'));
  const modules = join(kernel, 'lib', 'modules', image.slice('vmlinuz-'.length), 'kernel');
  copyFileSync(join(kernel, 'boot', image), join(folder, 'vmlinuz'));
  writeFileSync(join(folder, 'disk'), Buffer.alloc(DISK_BYTES));
  const root = mkdtempSync(join(tmpdir(), 'guest-'));
  try {
    mkdirSync(join(root, 'dev'));
    mkdirSync(join(root, 'modules'));
    for (const [i, name] of MODULES.entries())
      copyFileSync(join(modules, `${name}.ko`), join(root, 'modules', `${i}.ko`));
    const source = fileURLToPath(new URL('counting-guest.c', import.meta.url));
    run('cc', ['-static', '-O1', '-Wall', '-o', join(root, 'init'), source], root);
    const names = ['dev', 'init', 'modules', ...MODULES.map((_, i) => `modules/${i}.ko`)];
    writeFileSync(join(folder, 'initrd'), run('cpio', ['-o', '-H', 'newc'], root, names.join('\n')));
  } finally {
    rmSync(root, { recursive: true });
  }
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 * @param {string} [input]
 */
function run(program, args, cwd, input) {
  const { error, status, stdout, stderr } = spawnSync(program, args, { cwd, input, maxBuffer: 1 << 28 });
  if (error) throw error;
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
  return stdout;
}
