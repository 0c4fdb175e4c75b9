import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { compress } from '../containers/environment.ts';
import { readFixture } from '../fixtures.ts';
import { memoryFiles } from './memory-files.ts';
import { described, temporaryFolder, vmwalk } from './run.ts';

/** Makes a newer Node one without zstd. */
const WITHOUT_ZSTD = `data:text/javascript,${encodeURIComponent(
  "import zlib from 'node:zlib'; import { syncBuiltinESMExports } from 'node:module'; zlib.createZstdDecompress = undefined; syncBuiltinESMExports();",
)}`;

/** Puts a program of this name before all others on PATH. */
function withProgram(folder: string, name: string, script: string, mode: number) {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, mode);
  return { PATH: `${folder}:/usr/bin:/bin`, TMPDIR: folder };
}

describe.each(['xz', 'bzip2', 'lzop'] as const)('%s', (name) => {
  const info = async (script: string, mode = 0o755, path?: string) => {
    const folder = temporaryFolder();
    const env = withProgram(folder, name, script, mode);
    const file = join(folder, 'vm.compressed');
    writeFileSync(file, compress(name, readFixture(described.name)));
    const run = await vmwalk(['info', file], {
      env: { ...env, ...(path === undefined ? {} : { PATH: folder }) },
    });
    expect(readdirSync(folder).sort()).toEqual([name, 'vm.compressed'].sort());
    return { ...run, stderr: run.stderr.replace(file, 'FILE') };
  };

  test.each(['SIGKILL', 'SIGSEGV'])('ended by %s: it is not the data that is damaged', async (signal) => {
    const { status, stdout, stderr } = await info(`head -c 1000 >&2; kill -${signal.slice(3)} $$`);
    expect([status, stdout, stderr]).toEqual([
      2,
      '',
      `vmwalk: error: cannot read FILE: it takes the program ${name}, which was ended by ${signal}\n`,
    ]);
  });

  test('that may not be run', async () => {
    const { status, stdout, stderr } = await info('', 0o644, 'alone');
    expect([status, stdout, stderr]).toEqual([
      2,
      '',
      `vmwalk: error: cannot read FILE: it takes the program ${name}, which cannot be run: permission denied\n`,
    ]);
  });
});

test.each([
  ['kill -KILL $$', 'was ended by SIGKILL'],
  ['head -c 1000 >&2; kill -SEGV $$', 'was ended by SIGSEGV'],
])('zstd of a channel: %s', async (script, how) => {
  const { folder, main, channels } = memoryFiles('qemu-10.0-multifd-zstd-live');
  const env = withProgram(folder, 'zstd', script, 0o755);
  const out = join(folder, 'out');
  const args = ['ram', 'extract', main, '--channel', ...channels, '-o', out];
  const { status, stderr } = await vmwalk(args, { env, node: ['--import', WITHOUT_ZSTD] });
  // As where a compressed FILE cannot be read: nothing is known to be damaged, and nothing half-read is written.
  expect([status, existsSync(out)]).toEqual([2, false]);
  expect(stderr).toContain(`pages that are not decompressed: the program zstd ${how}\n`);
  expect(stderr).not.toMatch(/damaged|do not decompress/);
});
