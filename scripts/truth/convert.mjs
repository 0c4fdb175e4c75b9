#!/usr/bin/env node
/**
 * Loads what `convert` makes of the fixtures into the QEMUs that wrote them, and compares what they then are with the
 * same QEMUs that have loaded the streams as they were.
 */

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { diffStreams } from '../../dist/index.js';
import { convertFile, nodeMemory, openVm } from '../../dist/node/index.js';
import { makeFiles } from '../capture/files.mjs';
import { makeWorkspace, removeWorkspace, startQemu } from '../capture/qemu.mjs';
import { saveMemory } from './save-memory.mjs';

const HELP = `Usage: node scripts/truth/convert.mjs --root SUITE=DIR… [options]

Converts each stream in fixtures/streams, loads the result into a QEMU of the same command line whose CPUs never run, and
saves that again. The memory has to be, byte for byte, what it is in a QEMU that has loaded the stream itself, and the
devices what that saves. Run "npm run build" first.

  --root SUITE=DIR  run the QEMU of this Debian suite in the chroot DIR, or on this system if DIR is empty; can be repeated
  --to FORMAT       what is loaded: plain (default), mapped-ram
  --only NAME       only streams whose name has this in it; can be repeated
`;

const TIMEOUT_MS = 60_000;
const { values: options } = parseArgs({
  options: {
    root: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true },
    to: { type: 'string', default: 'plain' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
/** @type {Map<string, string>} */
const roots = new Map(options.root.map((text) => /** @type {[string, string]} */ (text.split('='))));
/** @type {import("../capture/session.mjs").ManifestEntry[]} */
const entries = JSON.parse(readFileSync(join(fixtures, 'manifest.json'), 'utf8'));
let failures = 0;
for (const entry of entries) {
  const root = roots.get(entry.suite);
  if (root === undefined || (options.only && !options.only.some((text) => entry.name.includes(text))))
    continue;
  const verdict = await judge(entry, root).catch((error) => `FAILED: ${error.message}`);
  if (/^(FAILED|DIFFERENT)/.test(verdict)) failures++;
  process.stdout.write(`${entry.name}: ${verdict}\n`);
}
process.exit(failures === 0 ? 0 : 1);

/**
 * @param {import("../capture/session.mjs").ManifestEntry} entry
 * @param {string} root
 */
async function judge(entry, root) {
  const workspace = makeWorkspace(root === '' ? '' : resolve(root));
  try {
    const { outside } = workspace;
    writeFileSync(
      join(outside, 'stream.qevm'),
      gunzipSync(readFileSync(join(fixtures, `streams/${entry.name}.qevm.gz`))),
    );
    /** @type {string[]} */
    const channel = [];
    for (let i = 0; ; i++) {
      const packed = join(fixtures, `streams/${entry.name}.ch${i}.gz`);
      try {
        writeFileSync(join(outside, `ch${i}`), gunzipSync(readFileSync(packed)));
      } catch {
        break;
      }
      channel.push(join(outside, `ch${i}`));
    }
    const vm = await openVm(join(outside, 'stream.qevm'), {
      memory: nodeMemory(),
      ...(channel.length > 0 ? { channel } : {}),
    });
    const to = options.to === 'mapped-ram' ? 'mapped-ram' : 'plain';
    await convertFile(vm, join(outside, 'converted.qevm'), { to });
    await vm.close();
    // One that came over several connections, or needs its peer, cannot be loaded as it was sent.
    const native = await load(entry, workspace, 'stream.qevm', capabilitiesOf(entry, true)).catch(
      (error) => /** @type {Error} */ (error),
    );
    const converted = await load(entry, workspace, 'converted.qevm', capabilitiesOf(entry, false)).catch(
      (error) => {
        if (native instanceof Error && /ended by/.test(native.message)) return undefined;
        throw error;
      },
    );
    if (!converted) return 'crashes QEMU, as the stream itself does';
    if (native instanceof Error)
      return `loaded; ${converted.memory.length} ranges of memory, compared with nothing`;
    const wrong = converted.memory.filter(({ bytes }, i) => !native.memory[i]?.bytes.equals(bytes));
    const [a, b] = [await openVm(native.again), await openVm(converted.again)];
    const { unchanged, sections } = await diffStreams(a, b, { ignoreVolatile: true });
    await a.close();
    await b.close();
    const bytes = converted.memory.reduce((sum, each) => sum + each.bytes.length, 0);
    if (wrong.length > 0) return `DIFFERENT memory: ${wrong.map(({ region }) => region).join(', ')}`;
    // The hash table of pseries is sent in pieces, as time allows.
    const others = sections.filter(({ section }) => section !== 'spapr/htab');
    if (others.length > 0) return `DIFFERENT devices: ${others.map(({ section }) => section).join(', ')}`;
    return `same: ${bytes} bytes of memory, ${unchanged.fields} fields of devices`;
  } finally {
    removeWorkspace(workspace);
  }
}

/**
 * Those that the destination has to have on.
 *
 * @param {import("../capture/session.mjs").ManifestEntry} entry
 * @param {boolean} isNative
 */
function capabilitiesOf({ capabilities = [] }, isNative) {
  if (isNative) return capabilities;
  const kept = capabilities.filter((name) => name === 'x-ignore-shared');
  return options.to === 'mapped-ram' ? [...kept, 'mapped-ram'] : kept;
}

/**
 * @param {import("../capture/session.mjs").ManifestEntry} entry
 * @param {import("../capture/qemu.mjs").Workspace} workspace
 * @param {string} file
 * @param {readonly string[]} capabilities
 */
async function load(entry, workspace, file, capabilities) {
  makeFiles(workspace, entry.files ?? {}, { assets: '/', given: new Map() });
  const args = entry.suppressVmdesc ? [...entry.args, '-machine', 'suppress-vmdesc=on'] : entry.args;
  const qemu = await startQemu(workspace, entry.target, [...args, '-incoming', 'defer'], {
    timeoutMs: TIMEOUT_MS,
  });
  try {
    const { qmp } = qemu;
    if (capabilities.length > 0)
      await qmp.execute('migrate-set-capabilities', {
        capabilities: capabilities.map((capability) => ({ capability, state: true })),
      });
    const uri = capabilities.includes('mapped-ram') ? `file:${file}` : `exec:cat ${file}`;
    cpSync(join(workspace.outside, file), join(workspace.outside, `${file}.copy`));
    await qmp.execute('migrate-incoming', { uri });
    await completed(qmp);
    const memory = await saveMemory(qmp, workspace);
    const again = join(workspace.outside, `${file}.again`);
    rmSync(again, { force: true });
    await qmp.execute('migrate-set-capabilities', {
      capabilities: capabilities.map((capability) => ({ capability, state: false })),
    });
    await qmp.execute('migrate', { uri: `exec:cat > ${file}.again` });
    await completed(qmp);
    return { memory, again, said: qemu.stderr().trim().split('\n')[0] };
  } catch (error) {
    await sleep(200);
    throw new Error(
      `${file}: ${/** @type {Error} */ (error).message} (QEMU: ${qemu.stderr().trim().slice(0, 300)})`,
    );
  } finally {
    await qemu.quit();
  }
}

/** @param {import("../capture/qmp.mjs").QmpClient} qmp */
async function completed(qmp) {
  for (const deadline = Date.now() + TIMEOUT_MS; ; await sleep(20)) {
    const { status, 'error-desc': reason } = await qmp.execute('query-migrate');
    if (status === 'completed') return;
    if (status === 'failed') throw new Error(`refused: ${reason ?? 'QEMU does not say why'}`);
    if (Date.now() > deadline) throw new Error(`migration still "${status}"`);
  }
}
