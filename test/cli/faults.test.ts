import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { compileCacheFolder } from '../../src/cli/compile-cache.ts';
import { main, temporaryFolder, vmwalk } from './run.ts';

const stream = fileURLToPath(new URL('../../examples/pc.qevm', import.meta.url));
const temporaryRoot = tmpdir();
const ONE_ERROR = /^vmwalk: error: [^\n]+\n$/;

describe('what cannot be read is status 2, and one line', () => {
  test.each([
    ['as a stream', (path: string) => ['dump', path]],
    ['by check', (path: string) => ['check', path, '--schema', '7.2-x86_64']],
    ['by diff', (path: string) => ['diff', stream, path]],
    ['as a profile', (path: string) => ['check', stream, '--profile', path]],
    ['as a schema', (path: string) => ['dump', stream, '--schema', path]],
  ])('a socket %s', async (_, args) => {
    const path = join(temporaryFolder(), 'socket');
    const server = createServer().listen(path);
    await once(server, 'listening');
    const { status, stdout, stderr } = await vmwalk(args(path));
    server.close();
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(ONE_ERROR);
    expect(stderr).toContain('no such device or address');
  });
});

describe('what is no regular file', () => {
  const places: Readonly<Record<string, (path: string) => readonly string[]>> = {
    'as a stream': (path) => ['info', path],
    'as standard input': () => ['info', '-'],
    'as a schema': (path) => ['dump', stream, '--schema', path],
    'as a binary': (path) => ['dump', stream, '--qemu', path],
    'by schema extract': (path) => ['schema', 'extract', path],
    'by compat': (path) => ['compat', path, '7.2-x86_64'],
    'as a profile': (path) => ['check', stream, '--profile', path],
    'as a channel': (path) => ['ram', stream, '--channel', path],
    'by scan': (path) => ['scan', path],
  };
  const run = (args: readonly string[], path: string) =>
    spawnSync('sh', ['-c', 'exec "$0" "$@" <"$IN"', process.execPath, main, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], IN: path },
    });

  describe.each(Object.entries(places))('%s', (place, args) => {
    test.each([
      ['/proc/self/mem', 'i/o error'],
      [temporaryRoot, 'is a directory'],
    ])('%s: %s', (path, reason) => {
      // The memory that a shell hands on is that of the shell, of which nothing is left by then: it is empty.
      const isGone = place === 'as standard input' && path === '/proc/self/mem';
      const { status, stdout, stderr } = run(args(path), path);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(ONE_ERROR);
      expect(stderr).toContain(isGone ? 'the file is empty' : reason);
    });
  });

  test.each(Object.entries(places).filter(([place]) => place !== 'by scan'))(
    'an endless device %s is not read to its end',
    (_, args) => {
      const { status, stderr } = run(args('/dev/zero'), '/dev/zero');
      expect([1, 2]).toContain(status);
      expect(stderr).toMatch(/^vmwalk: error: [^\n]*\n(?:vmwalk: [^\n]*\n)*$/);
    },
  );

  test('a schema and a binary are read from a pipe as from a file', () => {
    const schema = fileURLToPath(new URL('../../schemas/7.2-x86_64.json.gz', import.meta.url));
    const script = '"$0" "$1" compat <(zcat "$2") <(cat "$2")';
    const { status, stdout } = spawnSync('bash', ['-c', script, process.execPath, main, schema], {
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    expect(stdout).toMatch(/ devices compared: 0 break old → new, 0 break new → old\n/);
  });

  test('a file of /proc has a size only when it is read', async () => {
    const { status, stderr } = await vmwalk(['info', '/proc/cpuinfo']);
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^vmwalk: error: .* this is text[^\n]*\n$/)]);
  });
});

describe('a heap that is used up is status 2, and one line', () => {
  // Takes all there is once something was read that is large for such a heap.
  const hog = `
    import { subscribe } from 'node:diagnostics_channel';
    subscribe('vmwalk:read', (length) => {
      if (length > 40_000) queueMicrotask(() => { for (const kept = []; ; ) kept.push([kept.length]); });
    });`;
  const node = ['--max-old-space-size=24', '--import', `data:text/javascript,${encodeURIComponent(hog)}`];

  test.each([
    ['dump', ['dump', stream]],
    ['compat', ['compat', '10.0-x86_64', '7.2-x86_64']],
    ['extract, which leaves nothing', ['extract', stream, '-o', 'out']],
  ])('by %s', async (_, args) => {
    const cwd = temporaryFolder();
    const { status, stdout, stderr } = await vmwalk(args, { cwd, node });
    expect([status, stdout, stderr]).toEqual([2, '', expect.stringMatching(ONE_ERROR)]);
    expect(stderr).toContain('not enough memory');
    expect(readdirSync(cwd)).toEqual([]);
  });
});

describe('outputs', () => {
  test('describe --append follows no link, and leaves nothing where it fails', async () => {
    const folder = temporaryFolder();
    const [victim, out] = [join(folder, 'victim'), join(folder, 'out.qevm')];
    writeFileSync(victim, 'mine');
    symlinkSync(victim, `${out}.partial`);
    expect((await vmwalk(['describe', '--append', stream, '-o', out])).status).toBe(0);
    expect(readFileSync(victim, 'utf8')).toBe('mine');
    const link = join(folder, 'link.qevm');
    symlinkSync(join(folder, 'nothing'), link);
    const { status, stderr } = await vmwalk(['describe', '--append', stream, '-o', link]);
    expect([status, stderr]).toEqual([2, `vmwalk: error: ${link} exists already\n`]);
    expect(readdirSync(folder).sort()).toEqual(['link.qevm', 'out.qevm', 'out.qevm.partial', 'victim']);
  });

  test('extract --force does not write through a link in the folder', async () => {
    const [folder, elsewhere] = [temporaryFolder(), temporaryFolder()];
    symlinkSync(elsewhere, join(folder, 'ram'));
    const { status, stderr } = await vmwalk(['extract', stream, '-o', folder, '--force']);
    expect([status, stderr]).toEqual([
      2,
      `vmwalk: error: cannot write ${join(folder, 'ram')}: it is a link\n`,
    ]);
    expect([readdirSync(folder), readdirSync(elsewhere)]).toEqual([['ram'], []]);
  });

  test.each([
    ['extract', ['extract', stream, '-o', 'out']],
    ['ram extract', ['ram', 'extract', stream, '-o', 'out']],
    ['ram core', ['ram', 'core', stream, '-o', 'out']],
    ['describe', ['describe', '--append', stream, '-o', 'out']],
    ['convert', ['convert', stream, '-o', 'out']],
    ['convert --to gzip', ['convert', stream, '--to', 'gzip', '-o', 'out']],
    ['convert --to mapped-ram', ['convert', stream, '--to', 'mapped-ram', '-o', 'out']],
  ])('%s says that a file cannot be as large, and leaves nothing', (_, args) => {
    const folder = temporaryFolder();
    // A limit of the process (RLIMIT_FSIZE, in blocks of 512 bytes or of 1024) fails as a full disk does.
    const run = spawnSync('sh', ['-c', 'ulimit -f 8; exec "$0" "$@"', process.execPath, main, ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/^vmwalk: error: [^\n]*file too large\n$/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('of several runs into one folder or file, one writes it', async () => {
    const folder = temporaryFolder();
    for (const args of [
      ['extract', stream, '-o', join(folder, 'out')],
      ['describe', '--append', stream, '-o', join(folder, 'out.qevm')],
    ]) {
      const runs = await Promise.all([1, 2, 3].map(() => vmwalk(args)));
      expect(runs.map(({ status }) => status).sort(), args[0]).toEqual([0, 2, 2]);
    }
    expect(readdirSync(folder).sort()).toEqual(['out', 'out.qevm']);
    expect(readdirSync(join(folder, 'out'))).not.toContain('.partial');
  });

  test('go into a pipe as they are', async () => {
    const { status, stdout } = await vmwalk(['describe', '--append', stream, '-o', '/dev/stdout']);
    expect([status, stdout.slice(0, 4)]).toEqual([0, 'QEVM']);
  });
});

test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)(
  '%s leaves no temporary file',
  async (signal) => {
    const folder = temporaryFolder();
    const child = spawn(process.execPath, [main, 'extract', '-', '-o', join(folder, 'out')], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder },
    });
    const ended = once(child, 'exit');
    child.stdin.on('error', () => {});
    // It waits for more by then.
    await new Promise((resolve) => child.stdin.write(readFileSync(stream).subarray(0, 200_000), resolve));
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    expect(readdirSync(folder).filter((name) => name !== '.cache')).toEqual([]);
  },
);

describe('the folder of compiled code', () => {
  const inFolder = (folder: string) => {
    const before = process.env['XDG_CACHE_HOME'];
    process.env['XDG_CACHE_HOME'] = folder;
    try {
      return compileCacheFolder();
    } finally {
      if (before === undefined) delete process.env['XDG_CACHE_HOME'];
      else process.env['XDG_CACHE_HOME'] = before;
    }
  };

  test('is made for its user alone', () => {
    const folder = temporaryFolder();
    expect(inFolder(folder)).toBe(join(folder, 'vmwalk', 'compiled'));
    expect(statSync(join(folder, 'vmwalk', 'compiled')).mode & 0o777).toBe(0o700);
  });

  test('is not used where others can write to it or above it, or through a link', () => {
    const open = temporaryFolder();
    mkdirSync(join(open, 'vmwalk', 'compiled'), { recursive: true });
    chmodSync(join(open, 'vmwalk', 'compiled'), 0o777);
    expect(inFolder(open)).toBeUndefined();
    const above = temporaryFolder();
    chmodSync(above, 0o777);
    expect(inFolder(above)).toBeUndefined();
    const linked = temporaryFolder();
    symlinkSync(temporaryFolder(), join(linked, 'vmwalk'));
    expect(inFolder(linked)).toBeUndefined();
  });
});

describe('compiled code that was kept', () => {
  const run = (cache: string) =>
    spawnSync(process.execPath, [main, 'info', stream], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], XDG_CACHE_HOME: cache },
    });
  /** Files below a folder that hold what was kept. */
  const keptIn = (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));

  test('changes nothing, and nothing is lost where it is damaged or gone', () => {
    const cache = temporaryFolder();
    const { status, stdout, stderr } = run(cache);
    expect([status, stderr]).toEqual([0, '']);
    const kept = keptIn(cache);
    expect(kept.length).toBeGreaterThan(0);
    const again = () => expect(run(cache)).toMatchObject({ status, stdout, stderr });
    again();
    expect(keptIn(cache)).toEqual(kept);
    for (const damage of [(bytes: Buffer) => bytes.subarray(0, bytes.length / 2), () => Buffer.alloc(1)]) {
      for (const path of kept) writeFileSync(path, damage(readFileSync(path)));
      again();
      again();
    }
    for (const path of kept) {
      const bytes = readFileSync(path);
      bytes.fill(0, bytes.length >> 2, bytes.length >> 1);
      writeFileSync(path, bytes);
    }
    again();
  });
});

describe('endless input that is no stream', () => {
  test.each([
    ['text', 'yes', /this is text/],
    ['zeros', 'cat /dev/zero', /nothing but zeros/],
  ])('%s is refused by its beginning', (_what, command, message) => {
    for (const subcommand of ['info', 'dump', 'ram', 'describe']) {
      const script = `${command} | "$NODE" "$MAIN" ${subcommand} -`;
      const run = spawnSync('bash', ['-c', script], {
        env: { PATH: process.env['PATH'], NODE: process.execPath, MAIN: main },
        encoding: 'utf8',
      });
      expect([run.status, run.stderr]).toEqual([2, expect.stringMatching(message)]);
    }
  });

  test('what begins as a stream is read to its end', async () => {
    const input = readFileSync(stream);
    const [whole, piped] = await Promise.all([vmwalk(['dump', stream]), vmwalk(['dump', '-'], { input })]);
    expect(piped).toMatchObject({ status: whole.status, stdout: whole.stdout });
  });
});

describe('of several files, one that cannot be read', () => {
  test('takes nothing from the others', async () => {
    const { status, stdout, stderr } = await vmwalk(['info', stream, '/does/not/exist', stream]);
    expect(status).toBe(2);
    expect(stderr).toMatch(ONE_ERROR);
    expect(stdout.match(/machine type/g)).toHaveLength(2);
    const { stdout: json } = await vmwalk(['info', '--json', stream, '/does/not/exist']);
    expect(JSON.parse(json)).toMatchObject([{ name: stream }]);
  });

  test('is in the report of check', async () => {
    const args = ['check', stream, '/does/not/exist', '--schema', '11.1-x86_64'];
    const { status, stdout } = await vmwalk([...args, '--json']);
    expect(status).toBe(2);
    const reason = expect.stringContaining('no such file');
    expect(JSON.parse(stdout)).toMatchObject([{ name: stream }, { verdict: 'cannot tell', reason }]);
    expect((await vmwalk([...args, '--junit'])).stdout).toMatch(/tests="2" failures="\d" errors="1"/);
  });
});

test.each([
  ['dump', stream, '--schema', stream],
  ['check', stream, '--schema', stream],
  ['compat', stream, stream],
])('%s: a stream is no schema', async (...args) => {
  const { status, stdout, stderr } = await vmwalk(args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain('it is a migration stream');
});

test('a command line of QEMU without the -- before it', async () => {
  const { status, stderr } = await vmwalk(['profile', '-o', '/nowhere/x', 'qemu-system-x86_64', '-M', 'q35']);
  expect(status).toBe(2);
  expect(stderr).toContain('comes behind --');
});

test.each([
  [0, ['diff', stream, stream]],
  [1, ['check', stream, '--schema', '7.2-x86_64']],
  [125, ['diff', stream, '/does/not/exist']],
  [125, ['check', '/does/not/exist', '--schema', '7.2-x86_64']],
  [125, ['compat', '/does/not/exist', '7.2-x86_64']],
  [125, ['compat', '7.2-x86_64', '--nonsense']],
])('with --bisect, %d of %j', async (expected, args) => {
  expect((await vmwalk([...args, '--bisect'])).status).toBe(expected);
});
