#!/usr/bin/env node
/**
 * Compares what `ram extract` makes of a stream with the memory of a real QEMU that has loaded the same stream.
 */

import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { convertFile, extractRam, nodeMemory, openVm } from '../../dist/node/index.js';
import { recordChannels } from '../capture/channels.mjs';
import { makeFiles } from '../capture/files.mjs';
import { makeWorkspace, removeWorkspace, startQemu } from '../capture/qemu.mjs';
import { saveMemory } from './save-memory.mjs';

const HELP = `Usage: node scripts/truth/ram.mjs [options]

Migrates guests whose memory changes, in every encoding of RAM that the QEMU has, to a second QEMU whose CPUs never run,
and records what is sent. Then compares what vmwalk extracts from the record with what pmemsave writes of the second
QEMU, page by page. Run "npm run build" first.

  --root DIR       run QEMU in this chroot instead of this system; can be repeated
  --only NAME      only cases whose name has this in it; can be repeated
  --kernel FILE    also cases with a Linux guest: kernel, and an initramfs with /bin/sh and busybox
  --initrd FILE
  --convert        also load what convert makes of each stream, into a third QEMU
  --keep DIR       keep stream, channels, and the checksums of the memory
  --live MS        how long a guest runs while it is migrated (default: 3000)
  --list           print the cases
`;

const MiB = 2 ** 20;
const TIMEOUT_MS = 300_000;
/** Bytes a second at which a guest stays ahead of its migration. */
const SLOW = { 'max-bandwidth': 4 * MiB, 'downtime-limit': 1 };
const SLOW_POSTCOPY = { ...SLOW, 'max-postcopy-bandwidth': MiB };

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {(version: number) => boolean} [has]  Whether a QEMU of this version (7.2 is 702) has it.
 * @property {string[]} [capabilities]
 * @property {Record<string, unknown>} [parameters]
 * @property {"socket" | "exec" | "file"} [via]
 * @property {boolean} [live]        Migrate while the guest runs, and stop it after a time.
 * @property {boolean} [postcopy]    Switch to postcopy after half of that time.
 * @property {boolean} [shared]      The memory is a file that both QEMUs map.
 * @property {boolean} [anonymous]    The memory is no file, as userfaultfd needs it.
 * @property {string} [machine]      Machine type.
 */

const live = { live: true, parameters: SLOW };
/** @type {(version: number) => boolean} */
const from90 = (version) => version >= 900;
/** @type {Case[]} */
const CASES = [
  { name: 'plain' },
  { name: 'plain-live', ...live },
  { name: 'exec', via: 'exec' },
  { name: 'xbzrle-live', capabilities: ['xbzrle'], anonymous: true, ...live },
  { name: 'compress', has: (version) => version < 901, capabilities: ['compress'] },
  { name: 'compress-live', has: (version) => version < 901, capabilities: ['compress'], ...live },
  { name: 'multifd', capabilities: ['multifd'], parameters: { 'multifd-channels': 4 } },
  ...['none', 'zlib', 'zstd'].map((compression) => ({
    name: `multifd-${compression}-live`,
    capabilities: ['multifd'],
    live: true,
    parameters: { 'multifd-channels': 3, 'multifd-compression': compression, ...SLOW },
  })),
  {
    name: 'multifd-legacy-zero-live',
    has: from90,
    capabilities: ['multifd'],
    live: true,
    parameters: { 'zero-page-detection': 'legacy', ...SLOW },
  },
  {
    name: 'multifd-per-section-live',
    capabilities: ['multifd'],
    live: true,
    parameters: { 'multifd-channels': 2, ...SLOW },
    // Those of 7.2 and before wait for the channels at the end of each section.
    machine: 'pc-i440fx-5.2',
  },
  { name: 'mapped-ram', has: from90, capabilities: ['mapped-ram'], via: 'file' },
  { name: 'mapped-ram-live', has: from90, capabilities: ['mapped-ram'], via: 'file', ...live },
  {
    name: 'mapped-ram-multifd-live',
    has: from90,
    capabilities: ['mapped-ram', 'multifd'],
    via: 'file',
    live: true,
    parameters: { 'multifd-channels': 2, ...SLOW },
  },
  { name: 'postcopy', capabilities: ['postcopy-ram'], postcopy: true, parameters: SLOW_POSTCOPY },
  {
    name: 'postcopy-preempt',
    has: (version) => version >= 702,
    capabilities: ['postcopy-ram', 'postcopy-preempt'],
    postcopy: true,
    parameters: SLOW_POSTCOPY,
  },
  {
    name: 'postcopy-release-ram',
    capabilities: ['postcopy-ram', 'release-ram'],
    postcopy: true,
    parameters: SLOW_POSTCOPY,
  },
  {
    name: 'postcopy-multifd',
    has: (version) => version >= 1001,
    capabilities: ['postcopy-ram', 'multifd'],
    postcopy: true,
    parameters: SLOW_POSTCOPY,
  },
  {
    name: 'background-snapshot',
    has: (version) => version >= 600,
    capabilities: ['background-snapshot'],
    via: 'exec',
    anonymous: true,
    parameters: { 'max-bandwidth': 4 * MiB },
  },
  { name: 'ignore-shared', capabilities: ['x-ignore-shared'], shared: true },
];

const { values: options } = parseArgs({
  options: {
    root: { type: 'string', multiple: true },
    only: { type: 'string', multiple: true },
    kernel: { type: 'string' },
    initrd: { type: 'string' },
    convert: { type: 'boolean' },
    keep: { type: 'string' },
    live: { type: 'string', default: '3000' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});
if (options.help || options.list) {
  process.stdout.write(options.list ? `${CASES.map(({ name }) => name).join('\n')}\n` : HELP);
  process.exit(0);
}

let failures = 0;
const guests = options.kernel ? ['rom', 'linux'] : ['rom'];
for (const root of options.root ?? ['']) {
  for (const guest of guests) {
    for (const each of CASES) {
      if (options.only && !options.only.some((text) => `${guest}-${each.name}`.includes(text))) continue;
      try {
        const verdict = await compare(each, guest, root);
        if (verdict !== undefined)
          process.stdout.write(`${root || '/'}  ${guest}-${each.name}: ${verdict}\n`);
      } catch (error) {
        const { message } = /** @type {Error} */ (error);
        const verdict = /^Invalid parameter/.test(message) ? 'not built into this QEMU' : 'FAILED';
        if (verdict === 'FAILED') failures++;
        process.stdout.write(`${root || '/'}  ${guest}-${each.name}: ${verdict}: ${message}
`);
      }
    }
  }
}
process.exit(failures === 0 ? 0 : 1);

/**
 * @param {Case} each
 * @param {string} guest
 * @param {string} root
 */
async function compare(each, guest, root) {
  const workspace = makeWorkspace(root === '' ? '' : resolve(root));
  /** @type {import("../capture/qemu.mjs").Qemu[]} */
  const running = [];
  try {
    const { files, args, memory } = machine(each, guest);
    makeFiles(workspace, files, {
      assets: '/',
      given: new Map([
        ['vmlinuz', options.kernel ?? ''],
        ['initrd.img', options.initrd ?? ''],
      ]),
    });
    const source = await startQemu(workspace, 'x86_64', [...args, ...memory.source], {
      timeoutMs: TIMEOUT_MS,
    });
    running.push(source);
    const version = await versionOf(source.qmp);
    if (each.has?.(version) === false) return undefined;
    const destinationArgs = [...args, ...memory.destination, '-incoming', 'defer'];
    const destination = await startQemu(workspace, 'x86_64', destinationArgs, {
      role: 'destination',
      timeoutMs: TIMEOUT_MS,
    });
    running.push(destination);
    await source.qmp.execute('cont');
    if (guest === 'linux') await waitForText(join(workspace.outside, 'serial.log'), 'READY');
    await sleep(guest === 'linux' ? 3000 : 300);
    const isLive = each.live || each.postcopy || each.anonymous;
    if (!isLive) await source.qmp.execute('stop');
    for (const { qmp } of running) await configure(qmp, each);
    const { stream, channels } = await migrate(each, workspace, source.qmp, destination.qmp);
    const ranges = await saveMemory(destination.qmp, workspace);
    const verdict = await judge(`${guest}-${each.name}-${version}`, stream, channels, ranges, each);
    if (!options.convert) return verdict;
    // Up to 10.2, a QEMU does not load its own mapped-ram with x-ignore-shared (migration/ram.c, parse_ramblock).
    const hasMapped = version >= (each.shared ? 1100 : 900);
    /** @type {("plain" | "mapped-ram")[]} */
    const formats = hasMapped ? ['plain', 'mapped-ram'] : ['plain'];
    /** @type {string[]} */
    const loaded = [];
    for (const to of formats) {
      const third = await startQemu(workspace, 'x86_64', destinationArgs, {
        role: to,
        timeoutMs: TIMEOUT_MS,
      });
      running.push(third);
      await loadConverted(to, each, { stream, channels }, third.qmp, workspace);
      loaded.push(compareRanges(to, ranges, await saveMemory(third.qmp, workspace)));
    }
    return [verdict, ...loaded].join('; ');
  } finally {
    for (const qemu of running) await qemu.quit();
    removeWorkspace(workspace);
  }
}

/**
 * Converts a stream, and loads what was made of it.
 *
 * @param {"plain" | "mapped-ram"} to
 * @param {Case} each
 * @param {{ stream: string, channels: string[] }} recorded
 * @param {import("../capture/qmp.mjs").QmpClient} qmp
 * @param {import("../capture/qemu.mjs").Workspace} workspace
 */
async function loadConverted(to, each, { stream, channels }, qmp, workspace) {
  const vm = await openVm(stream, {
    ...(channels.length > 0 ? { channel: channels } : {}),
    memory: nodeMemory(),
  });
  await convertFile(vm, join(workspace.outside, `${to}.qevm`), { to }).finally(vm.close);
  const capabilities = [...(each.shared ? ['x-ignore-shared'] : []), ...(to === 'plain' ? [] : [to])];
  await configure(qmp, { name: to, capabilities });
  const uri = to === 'plain' ? 'exec:cat plain.qevm' : `file:${to}.qevm`;
  await qmp.execute('migrate-incoming', { uri });
  await waitForStatus(qmp, ['completed']);
}

/**
 * @param {string} what
 * @param {import("./save-memory.mjs").Saved[]} before
 * @param {import("./save-memory.mjs").Saved[]} after
 */
function compareRanges(what, before, after) {
  const different = before.filter(({ bytes }, i) => !after[i]?.bytes.equals(bytes));
  if (different.length > 0 || before.length !== after.length)
    throw new Error(`${what}: other memory in ${different.map(({ region }) => region).join(', ')}`);
  return `loaded as ${what}, with the same memory`;
}

/**
 * @param {Case} each
 * @param {string} guest
 */
function machine(each, guest) {
  const size = guest === 'linux' ? '160M' : '1M';
  const file = (/** @type {string} */ share) => [
    '-object',
    `memory-backend-file,id=ram,size=${size},mem-path=ram.img,share=${share}`,
  ];
  // The destination begins with other memory than the source, so that what is not sent shows.
  const anonymous = ['-object', `memory-backend-ram,id=ram,size=${size}`];
  const memory = each.shared
    ? { source: file('on'), destination: file('on') }
    : { source: each.anonymous ? anonymous : file('off'), destination: anonymous };
  const common = ['-machine', `${each.machine ?? 'pc'},memory-backend=ram`, '-m', size, '-nodefaults'];
  if (guest === 'rom') {
    return {
      files: { 'ram.img': `text:${size}`, 'dirty.bin': 'rom:dirty-pages' },
      args: [...common, '-bios', 'dirty.bin'],
      memory,
    };
  }
  const script = [
    'busybox mount -t devtmpfs d /dev',
    'busybox mount -t tmpfs t /sys',
    'echo READY',
    'i=0',
    'while :; do i=$((i+1))',
    'busybox dd if=/dev/urandom of=/sys/a$((i%8)) bs=64k count=4 conv=notrunc 2>/dev/null',
    'echo $i | busybox dd of=/sys/b bs=1 seek=$((i%64*4096)) conv=notrunc 2>/dev/null',
    'busybox dd if=/dev/zero of=/sys/a$((i%8)) bs=64k count=1 conv=notrunc 2>/dev/null',
    'done',
  ].join('; ');
  return {
    files: { 'ram.img': `text:${size}`, vmlinuz: 'given:vmlinuz', 'initrd.img': 'given:initrd.img' },
    args: [
      ...[...common, '-kernel', 'vmlinuz', '-initrd', 'initrd.img'],
      ...['-append', `console=ttyS0 panic=-1 quiet rdinit=/bin/sh -- -c "${script.replace('do;', 'do')}"`],
      ...['-chardev', 'file,id=ser,path=serial.log,append=on', '-device', 'isa-serial,chardev=ser'],
    ],
    memory,
  };
}

/** @param {import("../capture/qmp.mjs").QmpClient} qmp */
async function versionOf(qmp) {
  const { qemu } = await qmp.execute('query-version');
  return qemu.major * 100 + qemu.minor;
}

/**
 * @param {string} file
 * @param {string} text
 */
async function waitForText(file, text) {
  for (const deadline = Date.now() + TIMEOUT_MS; ; await sleep(100)) {
    if (existsSync(file) && readFileSync(file, 'latin1').includes(text)) return;
    if (Date.now() > deadline) throw new Error(`the guest never said ${text}`);
  }
}

/**
 * @param {import("../capture/qmp.mjs").QmpClient} qmp
 * @param {Case} each
 */
async function configure(qmp, { capabilities = [], parameters = {} }) {
  if (capabilities.length > 0) {
    await qmp.execute('migrate-set-capabilities', {
      capabilities: capabilities.map((capability) => ({ capability, state: true })),
    });
  }
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40, ...parameters });
}

/**
 * @param {Case} each
 * @param {import("../capture/qemu.mjs").Workspace} workspace
 * @param {import("../capture/qmp.mjs").QmpClient} source
 * @param {import("../capture/qmp.mjs").QmpClient} destination
 */
async function migrate(each, workspace, source, destination) {
  const { outside } = workspace;
  const stream = join(outside, 'stream.qevm');
  if (each.via === 'exec' || each.via === 'file') {
    await source.execute('migrate', {
      uri: each.via === 'file' ? 'file:stream.qevm' : 'exec:cat > stream.qevm',
    });
    await finish(each, source);
    // QEMU 11 writes here when it loads, too.
    copyFileSync(stream, `${stream}.copy`);
    await destination.execute('migrate-incoming', {
      uri: each.via === 'file' ? 'file:stream.qevm' : 'exec:cat stream.qevm',
    });
    await waitForStatus(destination, ['completed']);
    return { stream: `${stream}.copy`, channels: [] };
  }
  await destination.execute('migrate-incoming', { uri: 'unix:incoming.sock' });
  const recorder = await recordChannels(join(outside, 'migration.sock'), `${stream}.`, {
    forwardTo: join(outside, 'incoming.sock'),
  });
  await source.execute('migrate', { uri: 'unix:migration.sock' });
  if (each.postcopy) {
    await sleep(Number(options.live) / 2);
    await source.execute('migrate-start-postcopy');
    await waitForStatus(source, ['postcopy-active', 'completed']);
    // Touches pages that are not there yet, so that the destination asks for them. QEMU 11 does not allow it.
    await saveMemory(destination, workspace).catch(() => {});
  }
  await finish(each, source);
  await waitForStatus(destination, ['completed']);
  const files = await recorder.close();
  const isMain = (/** @type {string} */ file) =>
    readFileSync(file).subarray(0, 4).toString('latin1') === 'QEVM';
  const main = files.find(isMain);
  if (main === undefined) throw new Error('no connection carried a stream');
  return { stream: main, channels: files.filter((file) => file !== main) };
}

/**
 * @param {Case} each
 * @param {import("../capture/qmp.mjs").QmpClient} source
 */
async function finish(each, source) {
  if (each.live) {
    await sleep(Number(options.live));
    await source.execute('stop');
    await source.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
  }
  await waitForStatus(source, ['completed']);
}

/**
 * @param {import("../capture/qmp.mjs").QmpClient} qmp
 * @param {string[]} wanted
 */
async function waitForStatus(qmp, wanted) {
  for (const deadline = Date.now() + TIMEOUT_MS; ; await sleep(20)) {
    const { status, 'error-desc': reason } = await qmp.execute('query-migrate');
    if (wanted.includes(status)) return;
    if (status === 'failed') throw new Error(`migration failed: ${reason ?? 'QEMU does not say why'}`);
    if (Date.now() > deadline) throw new Error(`migration still "${status}"`);
  }
}

/**
 * @param {string} name
 * @param {string} stream
 * @param {string[]} channels
 * @param {import("./save-memory.mjs").Saved[]} ranges
 * @param {Case} each
 */
async function judge(name, stream, channels, ranges, each) {
  const folder = `${stream}.ram`;
  if (options.keep !== undefined) {
    mkdirSync(options.keep, { recursive: true });
    copyFileSync(stream, join(options.keep, `${name}.qevm`));
    for (const [i, file] of channels.entries()) copyFileSync(file, join(options.keep, `${name}.ch${i}`));
  }
  const vm = await openVm(stream, {
    ...(channels.length > 0 ? { channel: channels } : {}),
    memory: nodeMemory(),
  });
  const { blocks, diagnostics } = await extractRam(vm, folder);
  await vm.close();
  const problems = diagnostics.filter(
    ({ severity, code }) => severity === 'error' || (code === 'missing-pages' && !each.shared),
  );
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('; '));
  const PAGE = 4096;
  let same = 0;
  /** @type {string[]} */
  const different = [];
  /** @type {{ block: string, offset: number, length: number, sha256: string }[]} */
  const truth = [];
  for (const { region, offset, bytes } of ranges) {
    const block = blocks.find(({ idstr }) => idstr === region || idstr.endsWith(`/${region}`));
    if (block?.file === undefined) continue;
    const content = readFileSync(join(folder, block.file)).subarray(offset, offset + bytes.length);
    for (let at = 0; at < bytes.length; at += PAGE) {
      if (bytes.subarray(at, at + PAGE).equals(content.subarray(at, at + PAGE))) same++;
      else different.push(`${block.idstr}+0x${(offset + at).toString(16)}`);
    }
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    truth.push({ block: block.idstr, offset, length: bytes.length, sha256 });
  }
  if (options.keep !== undefined) {
    writeFileSync(join(options.keep, `${name}.json`), `${JSON.stringify(truth, undefined, 2)}\n`);
  }
  rmSync(folder, { recursive: true });
  if (different.length > 0) {
    throw new Error(
      `${different.length} of ${same + different.length} pages differ: ${different.slice(0, 5).join(' ')}`,
    );
  }
  if (same === 0 && !each.shared) throw new Error('nothing could be compared');
  return `${same} pages are the same`;
}
