import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { keepFile, readKept } from '../../src/node/private-cache.ts';
import { SchemaCache } from '../../src/node/schema-cache.ts';
import { extractSchemaOfFile } from '../../src/node/schema-file.ts';
import { serializeSchema } from '../../src/schema/serialize-schema.ts';
import { main, temporaryFolder } from '../cli/run.ts';
import { sectionOf, withoutSections } from '../extract/elf/edit-sections.ts';
import { symbolFixture } from '../extract/symbol-fixtures.ts';

const devices = symbolFixture('qemu-10.0-devices');
const NAME = 'qemu-system-x86_64';

/** Runs vmwalk on a binary with a cache, and what it prints without one. */
function run(cache: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], XDG_CACHE_HOME: cache, ...env },
  });
  return { status, stdout, stderr };
}

function folderOf(cache: string): string {
  return join(cache, 'vmwalk', 'schemas');
}

/** Files that are kept. */
function keptIn(cache: string): string[] {
  return readdirSync(folderOf(cache))
    .sort()
    .map((name) => join(folderOf(cache), name));
}

/** A folder with a binary, and one for the cache. */
function withBinary(bytes: Uint8Array = devices) {
  const folder = temporaryFolder();
  const binary = join(folder, NAME);
  writeFileSync(binary, bytes);
  return { folder, binary, cache: temporaryFolder() };
}

/** Was a file used since it was made to look old? */
const LONG_AGO = new Date('2001-01-01');
function age(path: string): void {
  utimesSync(path, LONG_AGO, LONG_AGO);
}
function wasUsed(path: string): boolean {
  return statSync(path).mtimeMs > LONG_AGO.getTime();
}

describe('a schema that was kept', () => {
  test('gives what the binary gives, wherever a copy of that is', () => {
    const { folder, binary, cache } = withBinary();
    const commands = [
      ['schema', 'extract', binary],
      ['schema', 'list', binary, '--json'],
      ['schema', 'show', binary, 'serial'],
      ['compat', binary, '10.0-x86_64', '--all'],
    ];
    const plain = commands.map((args) => run(cache, args, { VMWALK_NO_CACHE: '1' }));
    expect(readdirSync(cache)).toEqual([]);
    expect(plain.map(({ status, stderr }) => [status, stderr])).toEqual([
      [0, ''],
      [0, ''],
      [0, ''],
      [expect.any(Number), ''],
    ]);
    expect(commands.map((args) => run(cache, args))).toEqual(plain);
    const [kept, ...others] = keptIn(cache);
    expect(others).toEqual([]);
    expect(statSync(kept!).mode & 0o777).toBe(0o600);
    const content = readFileSync(kept!);
    for (const [i, args] of commands.entries()) {
      age(kept!);
      expect(run(cache, args)).toEqual(plain[i]);
      expect(wasUsed(kept!), args.join(' ')).toBe(true);
    }
    expect(readFileSync(kept!)).toEqual(content);
    const copy = join(folder, 'copy', NAME);
    mkdirSync(join(folder, 'copy'));
    copyFileSync(binary, copy);
    age(kept!);
    expect(run(cache, ['schema', 'extract', copy])).toEqual(plain[0]);
    expect(wasUsed(kept!)).toBe(true);
    // Its name is in the schema.
    const other = join(folder, 'other');
    copyFileSync(binary, other);
    expect(run(cache, ['schema', 'extract', other]).stdout).toContain('"other"');
  });

  test('is not that of a binary that was changed in place, with the same build id, size and times', () => {
    const { binary, cache } = withBinary();
    const before = run(cache, ['schema', 'list', binary]);
    expect(before.stdout).toContain('serial/tsr ');
    const changed = Buffer.from(devices);
    const { offset, size } = sectionOf(devices, '.rodata');
    const at = changed.indexOf('serial/tsr\0', offset);
    expect(at).toBeLessThan(offset + size);
    changed.write('serial/tsx', at);
    const { atime, mtime } = statSync(binary);
    writeFileSync(binary, changed);
    utimesSync(binary, atime, mtime);
    const after = run(cache, ['schema', 'list', binary]);
    expect(after).toEqual(run(cache, ['schema', 'list', binary], { VMWALK_NO_CACHE: '1' }));
    expect(after.stdout).toContain('serial/tsx ');
    expect(keptIn(cache)).toHaveLength(2);
  });

  test('is not that of a binary with other debug information', () => {
    const { binary, cache } = withBinary(withoutSections(devices, /^\.debug/));
    const lines = /serial\.c:\d/;
    expect(run(cache, ['schema', 'show', binary, 'serial']).stdout).not.toMatch(lines);
    writeFileSync(binary, devices);
    expect(run(cache, ['schema', 'show', binary, 'serial']).stdout).toMatch(lines);
  });

  test('goes with what is in other files', () => {
    const { folder, binary, cache } = withBinary(symbolFixture('qemu-10.0-devices-dwz'));
    const supplement = join(folder, 'common.debug');
    const put = () => writeFileSync(supplement, symbolFixture('qemu-10.0-supplement'));
    const extract = () => run(cache, ['schema', 'extract', binary]);
    const partly = extract();
    expect(partly.stderr).toContain('common.debug');
    // What is warned of is warned of each time.
    expect(extract()).toEqual(partly);
    put();
    const whole = extract();
    expect(whole.stderr).toBe('');
    expect(whole.stdout.length).toBeGreaterThan(partly.stdout.length);
    const [kept] = keptIn(cache);
    age(kept!);
    expect(extract()).toEqual(whole);
    expect(wasUsed(kept!)).toBe(true);
    rmSync(supplement);
    expect(extract()).toEqual(partly);
    put();
    expect(extract()).toEqual(whole);
  });

  test('is replaced where it is damaged, a link, or no schema', () => {
    const { folder, binary, cache } = withBinary();
    const list = () => run(cache, ['schema', 'list', binary]);
    const plain = list();
    const [path] = keptIn(cache);
    const good = readFileSync(path!);
    const state = `${path!.replace(/^.*\/|\.schema$/g, '')}\n`;
    const target = join(folder, 'target');
    const damages: ((path: string) => void)[] = [
      (kept) => truncateSync(kept, good.length - 1),
      (kept) => truncateSync(kept, 0),
      (kept) =>
        writeFileSync(
          kept,
          good.map((byte, i) => (i === good.length >> 1 ? byte ^ 1 : byte)),
        ),
      (kept) =>
        writeFileSync(
          kept,
          good.map((byte, i) => (i === 3 ? byte ^ 1 : byte)),
        ),
      (kept) => keepFile(kept, state, Buffer.from('[]\n{"format":"vmwalk-qemu-schema"}\n')),
      (kept) => keepFile(kept, state, Buffer.from('[{"of":7}]\n')),
      (kept) => keepFile(kept, state, Buffer.from('[null]\n{}')),
      (kept) => keepFile(kept, state, Buffer.from('')),
      (kept) => {
        // To what would be right.
        renameSync(kept, target);
        symlinkSync(target, kept);
      },
      (kept) => {
        rmSync(kept);
        spawnSync('mkfifo', [kept]);
      },
    ];
    for (const [i, damage] of damages.entries()) {
      damage(path!);
      expect(list(), `damage ${i}`).toEqual(plain);
      expect(lstatSync(path!).isFile(), `damage ${i}`).toBe(true);
      expect(readFileSync(path!).equals(good), `damage ${i}`).toBe(true);
    }
    expect(readFileSync(target).equals(good)).toBe(true);
    expect(keptIn(cache)).toEqual([path]);
  });

  test('is done without where nothing can be written, or others can write', () => {
    const { binary } = withBinary();
    const args = ['schema', 'extract', binary];
    const plain = run(temporaryFolder(), args, { VMWALK_NO_CACHE: '1' });
    const full = temporaryFolder();
    const limited = spawnSync('sh', ['-c', 'ulimit -f 0; exec "$0" "$@"', process.execPath, main, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], XDG_CACHE_HOME: full },
    });
    expect(limited).toMatchObject(plain);
    expect(keptIn(full)).toEqual([]);
    const open = temporaryFolder();
    mkdirSync(folderOf(open), { recursive: true, mode: 0o777 });
    spawnSync('chmod', ['-R', '777', join(open, 'vmwalk')]);
    expect(run(open, args)).toEqual(plain);
    expect(keptIn(open)).toEqual([]);
    const linked = temporaryFolder();
    mkdirSync(join(linked, 'vmwalk'));
    const elsewhere = temporaryFolder();
    symlinkSync(elsewhere, folderOf(linked));
    expect(run(linked, args)).toEqual(plain);
    expect(readdirSync(elsewhere)).toEqual([]);
    const file = temporaryFolder();
    mkdirSync(join(file, 'vmwalk'));
    writeFileSync(folderOf(file), '');
    expect(run(file, args)).toEqual(plain);
  });
});

describe('what is kept in files', () => {
  afterEach(() => vi.restoreAllMocks());

  test('is not taken from another user, nor beyond a size', () => {
    const path = join(temporaryFolder(), 'kept');
    keepFile(path, 'state\n', Buffer.from('content'));
    expect(readKept(path, 'state\n', 100)?.toString()).toBe('content');
    expect(readKept(path, 'other\n', 100)).toBeUndefined();
    expect(readKept(path, 'state\n', 10)).toBeUndefined();
    const { uid } = statSync(path);
    vi.spyOn(process, 'geteuid').mockReturnValue(uid + 1);
    expect(readKept(path, 'state\n', 100)).toBeUndefined();
  });

  test('is another thing for another program, and for another build', async () => {
    const { binary } = withBinary();
    const schema = await extractSchemaOfFile(binary, []);
    const folder = temporaryFolder();
    const files = { binary: memorySource(devices, NAME), modules: [] };
    const entry = await new SchemaCache(folder, 'one').entry(files);
    expect(await entry.find()).toBeUndefined();
    entry.keep(schema, []);
    expect(serializeSchema((await entry.find())!)).toBe(serializeSchema(schema));
    expect(await (await new SchemaCache(folder, 'two').entry(files)).find()).toBeUndefined();
    // Without a build id debug information counts, too.
    const noId = withoutSections(devices, /^\.note/);
    const other = Uint8Array.from(noId);
    other[sectionOf(other, '.debug_str').offset]! ^= 1;
    const [a, b] = await Promise.all(
      [noId, other].map((bytes) =>
        new SchemaCache(folder, 'one').entry({ binary: memorySource(bytes, NAME), modules: [] }),
      ),
    );
    a!.keep(schema, []);
    expect(await a!.find()).toBeDefined();
    expect(await b!.find()).toBeUndefined();
  });
});
