import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readFixture } from '../fixtures.ts';
import { main } from './run.ts';

const bytes = readFixture('qemu-7.2-pc-devices');

test.each<[string, (path: string) => void]>([
  ['cut short', (path) => truncateSync(path, 5000)],
  ['appended to', (path) => appendFileSync(path, 'more')],
  [
    'replaced',
    (path) => {
      writeFileSync(`${path}.new`, bytes);
      renameSync(`${path}.new`, path);
    },
  ],
])('a stream that is %s while it is read is status 2 and one line', async (_, change) => {
  const folder = mkdtempSync(join(tmpdir(), 'vmwalk-changed-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [stream, channel] = [join(folder, 'vm.qevm'), join(folder, 'channel')];
  writeFileSync(stream, bytes);
  execFileSync('mkfifo', [channel]);
  const child = spawn(process.execPath, [main, 'info', stream, '--channel', channel]);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  const closed = once(child, 'close');
  // The pipe is opened when the stream is open, and what is in it is waited for.
  const pipe = await open(channel, 'w');
  change(stream);
  await pipe.close();
  const [status] = await closed;
  expect(output.stderr).toMatch(/^vmwalk: error: .*vm\.qevm changed while it was read: .*\n$/);
  expect([status, output.stdout]).toEqual([2, '']);
});
