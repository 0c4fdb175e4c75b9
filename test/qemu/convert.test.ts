import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { vmwalk } from '../cli/run.ts';
import { Machine } from './machine.ts';

const RUN = 500;
const RAM = 16 << 20;
const ARGUMENTS = ['-M', 'pc', '-m', '16', '-smp', '2', '-device', 'e1000e,romfile=', '-serial', 'null'];

async function start(args: readonly string[]): Promise<Machine> {
  const machine = await Machine.start([...ARGUMENTS, ...args]);
  onTestFinished(() => machine.end());
  return machine;
}

async function memoryOf({ qmp, folder }: Machine): Promise<Buffer> {
  const file = join(folder, 'memory.bin');
  await qmp.execute('pmemsave', { val: 0, size: RAM, filename: file });
  return readFileSync(file);
}

test('QEMU loads what was converted of pages that came several times, compressed: the same memory, the same devices', async () => {
  const source = await start([]);
  await sleep(RUN);
  await source.qmp.execute('migrate-set-capabilities', {
    capabilities: [{ capability: 'compress', state: true }],
  });
  await source.qmp.execute('stop');
  const stream = await source.migrate();
  const converted = join(source.folder, 'converted.qevm');
  const { status, stderr } = await vmwalk(['convert', stream, '-o', converted]);
  expect([status, stderr]).toEqual([
    0,
    expect.stringMatching(/converted.qevm: .* pages and \d+ zero pages\n$/),
  ]);

  const target = await start(['-S', '-incoming', 'defer']);
  await target.load(converted);
  expect((await memoryOf(target)).equals(await memoryOf(source))).toBe(true);
  for (const command of ['info registers -a', 'info pic', 'info ioapic'])
    expect(await target.qmp.monitor(command), command).toBe(await source.qmp.monitor(command));
  const { stdout, status: same } = await vmwalk([
    'diff',
    '--ignore-volatile',
    stream,
    await target.migrate(),
  ]);
  expect([same, stdout]).toEqual([0, expect.stringMatching(/no difference/)]);
});
