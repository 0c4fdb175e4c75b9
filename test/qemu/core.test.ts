import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type ReadCore, readCore } from '../../scripts/truth/read-core.mjs';
import { vmwalk } from '../cli/run.ts';
import { Machine } from './machine.ts';

/** Milliseconds of SeaBIOS: a short time leaves the option ROMs where they were, a longer one moves them into RAM. */
const RUNS = [0, 100, 1500];
const MACHINES = [
  ['pc', '-m', '20', '-device', 'VGA'],
  ['pc', '-m', '33'],
  ['q35', '-m', '16', '-smp', '3', '-device', 'virtio-vga'],
  ['pc,max-ram-below-4g=16M', '-m', '24'],
  ['microvm', '-m', '20'],
];
const CASES = MACHINES.flatMap((args) => RUNS.map((run) => ({ machine: args.join(' '), args, run })));

function open(path: string): ReadCore {
  const core = readCore(path);
  onTestFinished(() => closeSync(core.fd));
  return core;
}

test.each(CASES)('$machine after $run ms: the core is that of dump-guest-memory', async ({ args, run }) => {
  const machine = await Machine.start(['-S', '-M', ...args]);
  onTestFinished(() => machine.end());
  const { qmp, folder } = machine;
  if (run > 0) {
    await qmp.execute('cont');
    await sleep(run);
    await qmp.execute('stop');
  }
  await qmp.execute('dump-guest-memory', { paging: false, protocol: `file:${folder}/qemu.core` });
  const made = await vmwalk(['ram', 'core', await machine.migrate(), '-o', join(folder, 'vm.core')]);
  expect([made.status, made.stderr]).toEqual([0, '']);

  const theirs = open(join(folder, 'qemu.core'));
  const ours = open(join(folder, 'vm.core'));
  expect(ours.format).toBe(theirs.format);
  expect(ours.notes).toEqual(theirs.notes);
  expect(ours.loads.map(placeOf)).toEqual(theirs.loads.map(placeOf));
  for (const [index, { offset, fileSize, address }] of theirs.loads.entries()) {
    const same = theirs.read(offset, fileSize).equals(ours.read(ours.loads[index]!.offset, fileSize));
    expect(same, `bytes from 0x${address.toString(16)} on`).toBe(true);
  }
});

function placeOf({ address, virtual, fileSize, size }: ReadCore['loads'][number]) {
  return { address, virtual, fileSize, size };
}
