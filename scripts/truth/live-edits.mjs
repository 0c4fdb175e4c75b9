#!/usr/bin/env node
/**
 * Changes the streams of a guest of Linux that counts on its console, in every way that there is a command for, and holds
 * that a real QEMU loads what was made, and that the guest goes on.
 */

import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeGuest } from './guest.mjs';
import { conversions, edits, fixes, SPARE } from './live-cases.mjs';
import { continueGuest, saveGuest } from './live-guest.mjs';

const HELP = `Usage: node scripts/truth/live-edits.mjs --kernel DIR --root VERSION=DIR… [options]

Starts the guest in each QEMU, with the machine type of each version that it has, saves it, changes what was saved, and loads
that: it has to count on from where it was, to find its disk as it wrote it, and to answer. Needs what counting-guest.mjs
needs, and "npm run build". One line for each case; exit status 1 where a guest did not go on.

  --kernel DIR        where the package with the kernel was unpacked
  --root VERSION=DIR  a QEMU, such as 10.0, in the chroot DIR, or of this system if DIR is empty; can be repeated
  --from VERSION      only guests of this QEMU; can be repeated
  --only TEXT         only cases with this in their line; can be repeated
  --family NAME       pc-q35 (as it is without this) or pc-i440fx
  --keep DIR          what did not go on, for another look
  --help
`;

const { values: options } = parseArgs({
  options: {
    kernel: { type: 'string' },
    root: { type: 'string', multiple: true, default: [] },
    from: { type: 'string', multiple: true },
    only: { type: 'string', multiple: true },
    family: { type: 'string', default: 'pc-q35' },
    keep: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help || options.kernel === undefined || options.root.length === 0) {
  process.stdout.write(HELP);
  process.exit(options.help ? 0 : 2);
}

/** @type {import("./live-cases.mjs").Build[]} From the oldest one on. */
const builds = options.root
  .map((text) => {
    const [version = '', root = ''] = text.split('=');
    return { version, root: root === '' ? '' : resolve(root) };
  })
  .sort((a, b) => Number(a.version) - Number(b.version));

const work = mkdtempSync(join(tmpdir(), 'live-edits-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));
const guest = join(work, 'guest');
mkdirSync(guest);
makeGuest(options.kernel, guest);
const counts = { good: 0, bad: 0, refused: 0, helpless: 0 };
for (const here of builds) {
  if (options.from && !options.from.includes(here.version)) continue;
  const others = builds.filter((there) => there !== here);
  for (const { version } of builds) {
    if (Number(version) > Number(here.version)) break;
    const machine = { type: `${options.family}-${version}` };
    const own = version === here.version ? [...edits(here), ...conversions(here)] : [];
    await judgeGuest(here, machine, [...own, ...others.flatMap((there) => fixes(here, there, machine))]);
  }
  const oldest = others.filter(({ version }) => version === '5.2');
  if (here.version !== '5.2' && oldest.length > 0) {
    // One that does not have what 5.2 does not have.
    const more = { 'virtio-blk-pci': ['queue_reset=off'], 'virtio-net-pci': ['queue_reset=off'] };
    const machine = { type: `${options.family}-${here.version}`, without: SPARE, more };
    const cases = oldest.flatMap((there) => fixes(here, there, machine));
    await judgeGuest(here, machine, cases, ', queue_reset=off');
  }
  if (here.version !== '10.0') continue;
  // All of its queues have 1024 entries, which only a machine like this one can have in 11.1.
  const type = `${options.family}-${here.version}`;
  const machine = { type, without: [/** @type {const} */ ('virtio-net')], queueSize: 1024 };
  const newer = others.filter(({ version }) => Number(version) > Number(here.version));
  const cases = newer.flatMap((there) => fixes(here, there, machine));
  await judgeGuest(here, machine, cases, ', queues of 1024');
}
print(
  `${counts.good} went on, ${counts.bad} did not; ${counts.refused} unchanged ones were refused; against ` +
    `${counts.helpless} refusals nothing helps, as was known`,
);
process.exitCode = counts.bad === 0 ? 0 : 1;

/**
 * @param {import("./live-cases.mjs").Build} here
 * @param {import("./live-guest.mjs").Machine} machine
 * @param {readonly import("./live-cases.mjs").Case[]} all
 * @param {string} [more]
 */
async function judgeGuest(here, machine, all, more = '') {
  const head = `${here.version} ${machine.type}${more}`;
  const cases = all.filter(
    ({ name }) => options.only?.some((text) => `${head}: ${name}`.includes(text)) ?? true,
  );
  if (cases.length === 0) return;
  const folder = mkdtempSync(join(work, 'saved-'));
  const ways = [...new Set(cases.map(({ way }) => way))];
  const moments = await saveGuest(here.root, guest, machine, ways, folder);
  for (const each of cases) {
    const moment = moments.get(each.way);
    if (moment) await judge(head, machine, moment, each);
  }
  rmSync(folder, { recursive: true });
}

/**
 * @param {string} head
 * @param {import("./live-guest.mjs").Machine} machine  Of the source.
 * @param {import("./live-guest.mjs").Moment} moment
 * @param {import("./live-cases.mjs").Case} each
 */
async function judge(head, machine, moment, each) {
  const folder = mkdtempSync(join(work, 'made-'));
  const what = `${head}: ${each.name}`;
  let note = '';
  try {
    const made = each.make(moment, folder);
    note = made.note === undefined ? '' : ` (${made.note})`;
    const there = made.machine ?? { ...machine, ...each.machine };
    const after = await continueGuest(each.there.root, guest, there, made, moment.at);
    const problem = each.holds?.(moment.at, after);
    if (problem !== undefined) throw new Error(problem);
    const { count, disk } = after.progress;
    const [said = ''] = after.others;
    counts.good++;
    print(
      `${what}${note}: ${moment.at.count} to ${count}, disk ${moment.at.disk} to ${disk}${said && `; its kernel says ${said}`}`,
    );
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    if (each.isControl && message.startsWith('refused')) {
      counts.refused++;
      print(`${what}: ${message}`);
    } else if (each.refuses !== undefined && message.includes(`: ${each.refuses} `)) {
      counts.helpless++;
      print(`${what}: nothing helps: ${message}`);
    } else {
      counts.bad++;
      print(`${what}${note}: DOES NOT GO ON: ${message}`);
      if (options.keep !== undefined) keep(join(options.keep, what), moment.folder, folder);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {string} to @param {string} saved @param {string} made */
function keep(to, saved, made) {
  const folder = to.replace(/[^\w./-]+/g, '-');
  cpSync(saved, join(folder, 'saved'), { recursive: true });
  cpSync(made, join(folder, 'made'), { recursive: true });
}

/** @param {string} line */
function print(line) {
  process.stdout.write(`${line}\n`);
}
