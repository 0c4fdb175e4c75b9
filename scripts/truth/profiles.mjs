// Profiles of many machine types, made while every core is busy: node scripts/truth/profiles.mjs [RUNS [AT_ONCE]]
// Needs `npm run build`. Machines whose QEMU is not installed are left out, and named.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const [runs = 200, atOnce = 1] = process.argv.slice(2).map(Number);
for (const number of [runs, atOnce])
  if (!Number.isSafeInteger(number) || number < 1) throw new Error('a number from 1 is expected');

/** Each is the words behind qemu-system-. */
const MACHINES = [
  'x86_64 -M pc',
  'x86_64 -M pc-i440fx-2.6',
  'x86_64 -M pc-i440fx-4.2',
  'x86_64 -M q35 -smp 2',
  'x86_64 -M pc-q35-5.2 -device virtio-net-pci -device e1000e',
  'x86_64 -M pc-q35-7.0 -device qemu-xhci -device usb-tablet -device virtio-scsi-pci',
  'x86_64 -M microvm',
  'x86_64 -M isapc -cpu 486',
  'i386 -M pc-i440fx-3.1',
  'aarch64 -M virt -cpu cortex-a57 -smp 2 -device virtio-net-pci',
  'aarch64 -M virt-6.0 -cpu max',
  'aarch64 -M raspi3b',
  'arm -M virt',
  'arm -M vexpress-a15',
  'arm -M mps2-an385',
  'riscv64 -M virt -device virtio-blk-device,drive=d -drive if=none,id=d,file=null-co://,format=raw',
  'riscv32 -M virt',
  'ppc64 -M pseries',
  'ppc64 -M powernv9',
  'ppc -M g3beige',
  'ppc -M bamboo',
  's390x -M s390-ccw-virtio -device virtio-net-ccw',
  'mips -M malta',
  'mips64el -M malta',
  'sparc -M SS-5',
  'sparc64 -M sun4u',
  'alpha -M clipper',
  'hppa',
  'm68k -M q800',
  'loongarch64 -M virt -cpu la464-loongarch-cpu -m 1G',
].map((words) => {
  const [target, ...args] = words.split(' ');
  return { name: words, program: `qemu-system-${target}`, args };
});

const machines = MACHINES.filter(({ program }) => !spawnSync(program, ['--version']).error);
const absent = MACHINES.filter((machine) => !machines.includes(machine)).map(({ name }) => name);

const folder = mkdtempSync(join(tmpdir(), 'profiles-'));
const busy = Array.from({ length: availableParallelism() }, () =>
  spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
);
const end = () => {
  for (const child of busy) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => {
    end();
    process.kill(process.pid, signal);
  });

const seconds = [];
const failures = [];
let begun = 0;
try {
  await Promise.all(Array.from({ length: atOnce }, makeProfiles));
} finally {
  end();
}

seconds.sort((a, b) => a - b);
if (absent.length > 0) console.log(`not installed: ${absent.join('; ')}`);
console.log(
  `${runs - failures.length} profiles of ${runs}, ${atOnce} at once, of ${machines.length} machines; ` +
    `median ${seconds[seconds.length >> 1].toFixed(1)} s, maximum ${seconds.at(-1).toFixed(1)} s`,
);
process.exitCode = failures.length > 0 ? 1 : 0;

async function makeProfiles() {
  while (begun < runs) {
    const run = begun++;
    const { name, program, args } = machines[run % machines.length];
    const start = performance.now();
    const failure = await profile(join(folder, String(run)), program, args);
    const taken = (performance.now() - start) / 1000;
    seconds.push(taken);
    if (failure !== undefined) failures.push(name);
    console.log(`${run + 1} ${name}: ${failure ?? `${taken.toFixed(1)} s`}`);
  }
}

/** Makes a profile; gives what went wrong. */
async function profile(place, program, args) {
  mkdirSync(place);
  const file = join(place, 'vm.profile');
  const command = [program, '-accel', 'tcg', '-display', 'none', ...args];
  const child = spawn(process.execPath, [MAIN, 'profile', '-o', file, '--', ...command]);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const status = await new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
  const files = readdirSync(place);
  rmSync(place, { recursive: true });
  if (status !== 0) return `status ${status}: ${stderr.trim()}`;
  return files.join() === 'vm.profile' ? undefined : `these files are there: ${files.join(', ')}`;
}
