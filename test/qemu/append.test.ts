import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { vmwalk } from '../cli/run.ts';
import { Machine } from './machine.ts';

const MIB = 1 << 20;
const RUN = 500;
const DEVICES = [
  ...['-m', '16', '-smp', '2'],
  ...['-drive', 'file=disk.img,if=none,id=disk,format=raw', '-device', 'virtio-blk-pci,drive=disk'],
  ...['-device', 'e1000e,romfile=', '-device', 'qemu-xhci,id=xhci', '-device', 'usb-tablet,bus=xhci.0'],
  ...['-serial', 'null'],
];

/** QEMU with these arguments, until the test ends. */
async function start(args: readonly string[]): Promise<Machine> {
  const machine = await Machine.start(args, { 'disk.img': MIB });
  onTestFinished(() => machine.end());
  return machine;
}

async function description(file: string): Promise<unknown> {
  const { stdout, stderr, status } = await vmwalk(['describe', file]);
  expect([stderr, status]).toEqual(['', 0]);
  return JSON.parse(stdout);
}

test.each(['pc', 'q35'])('QEMU loads a stream of %s that got its vmdesc from here', async (type) => {
  const source = await start(['-M', `${type},suppress-vmdesc=on`, ...DEVICES]);
  await sleep(RUN);
  await source.qmp.execute('stop');
  const plain = await source.migrate();
  const copy = join(source.folder, 'described.qevm');
  const { stderr, status } = await vmwalk(['describe', plain, '--append', '-o', copy]);
  expect(stderr).toMatch(/read by the built-in tables/);
  expect(status).toBe(0);

  // Without suppress-vmdesc QEMU expects a description behind the end, and reads it.
  const target = await start(['-M', type, ...DEVICES, '-S', '-incoming', 'defer']);
  await target.load(copy);
  expect(await target.qmp.execute('query-status')).toMatchObject({ status: 'paused', running: false });
  // The same machine as it was sent, and QEMU describes it in the same words.
  for (const command of ['info registers -a', 'info pic', 'info ioapic'])
    expect(await target.qmp.monitor(command), command).toBe(await source.qmp.monitor(command));
  expect(await description(copy)).toEqual(await description(await target.migrate()));
});
