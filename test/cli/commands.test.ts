import { spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fixtures, readFixture } from '../fixtures.ts';
import { type Line, readBlob, readByBlob } from '../layout/blob-reader.ts';
import { compareSections } from '../layout/compare-lines.ts';
import { described, fixtureFile, main, pickFixture, temporaryFile, vmwalk } from './run.ts';

function linesOf(stdout: string): Line[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Lines section by section. */
function sectionsOf(lines: readonly Line[]): Line[][] {
  const sections: Line[][] = [];
  for (const line of lines) {
    if (line.path.length === 0) sections.push([]);
    sections.at(-1)!.push(line);
  }
  return sections;
}

describe('info', () => {
  interface Info {
    readonly name: string;
    readonly size: number;
    readonly configuration?: { readonly machineType: string; readonly capabilities?: string[] };
    readonly pageSize?: { readonly bytes: number };
    readonly schema?: { readonly devices: number };
    readonly sections: readonly { readonly idstr: string; readonly offset: number; readonly size: number }[];
    readonly shares: { readonly size: number; readonly parts: readonly { readonly size: number }[] };
    readonly diagnostics: readonly { readonly severity: string; readonly message: string }[];
  }
  let folder: string;
  let infos: readonly Info[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vmwalk-test-'));
    for (const { name } of fixtures) writeFileSync(join(folder, name), readFixture(name));
    const run = await vmwalk(['info', '--json', ...fixtures.map(({ name }) => name)], { cwd: folder });
    expect(run.stderr).not.toMatch(/error|warning/);
    expect(run.status).toBe(0);
    infos = JSON.parse(run.stdout);
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  test('finds no error in what QEMU wrote', () => {
    expect(infos.map(({ name, size }) => ({ name, size }))).toEqual(
      fixtures.map(({ name, size }) => ({ name, size })),
    );
    const errors = infos.flatMap(({ diagnostics }) =>
      diagnostics.filter(({ severity }) => severity === 'error'),
    );
    expect(errors).toEqual([]);
  });

  test('tells what QEMU was told', () => {
    for (const [i, { args, capabilities = [], name }] of fixtures.entries()) {
      const { configuration } = infos[i]!;
      const machine = /^[^,]*/.exec(args[args.indexOf('-machine') + 1]!)![0];
      // Some are short for a longer name.
      const known: Record<string, string> = { pc: 'pc-i440fx', q35: 'pc-q35' };
      if (configuration)
        expect(configuration.machineType, name).toMatch(new RegExp(`(^|-)${known[machine] ?? machine}`));
      if (configuration?.capabilities)
        expect(configuration.capabilities.sort(), name).toEqual(
          capabilities.filter((capability) => configuration.capabilities!.includes(capability)).sort(),
        );
    }
    expect(infos.filter(({ configuration }) => configuration).length).toBeGreaterThan(fixtures.length / 2);
    expect(infos.filter(({ configuration }) => configuration?.capabilities?.length).length).toBeGreaterThan(
      3,
    );
  });

  test("tells what QEMU's description says", () => {
    for (const [i, { name }] of fixtures.entries()) {
      const blob = readBlob(Buffer.from(readFixture(name)))?.blob;
      if (!blob) continue;
      expect(infos[i]!.schema?.devices, name).toBe(blob.devices.length);
      expect(infos[i]!.pageSize?.bytes, name).toBe(blob.page_size);
      const idstrs = new Set(infos[i]!.sections.map(({ idstr }) => idstr));
      for (const device of blob.devices) expect(idstrs, name).toContain(device.name);
    }
  });

  test('accounts for every byte', () => {
    for (const { name, size, shares } of infos) {
      expect(shares.size, name).toBe(size);
      expect(
        shares.parts.reduce((sum, part) => sum + part.size, 0),
        name,
      ).toBe(size);
    }
  });

  test('as text names every section, sorted as asked', async () => {
    const file = fixtureFile(described);
    const { blob } = readBlob(Buffer.from(readFixture(described.name)))!;
    const { stdout, status } = await vmwalk(['info', '--sort', 'name', file]);
    expect(status).toBe(0);
    const table = stdout
      .split('\n')
      .map((line) => /^ +\d+ +\d+ +\d+ +0x[0-9a-f]+ .* {2}(\S+)$/.exec(line)?.[1]);
    const names = table.filter((name) => name !== undefined);
    expect(names).toEqual([...names].sort());
    for (const device of blob.devices) expect(names).toContain(device.name);
    expect(stdout).toContain(`page size     ${blob.page_size} (from the vmdesc)`);
  });
});

describe('dump', () => {
  test("--ndjson prints what QEMU's description says of the bytes", async () => {
    const bytes = Buffer.from(readFixture(described.name));
    const { stdout, stderr, status } = await vmwalk(['dump', '--ndjson', fixtureFile(described)]);
    expect([status, stderr]).toEqual([0, '']);
    const { problems, sections } = compareSections(
      readByBlob(bytes, readBlob(bytes)!),
      sectionsOf(linesOf(stdout)),
    );
    expect(problems).toEqual([]);
    expect(sections).toBeGreaterThan(0);
  });

  test('--json is the same as a tree', async () => {
    interface TreeNode extends Omit<Line, 'path' | 'section' | 'instance'> {
      readonly name: string | number;
      readonly children?: readonly TreeNode[];
    }
    const file = fixtureFile(described);
    const json = await vmwalk(['dump', '--json', file]);
    const flat: unknown[] = [];
    const flatten = (at: Pick<Line, 'section' | 'instance'>, path: Line['path'], node: TreeNode) => {
      const { name: _, children = [], ...members } = node;
      flat.push({ ...at, path, ...members });
      for (const child of children) flatten(at, [...path, child.name], child);
    };
    for (const { root, section, instance } of JSON.parse(json.stdout))
      flatten({ section, instance }, [], root);
    expect(json.status).toBe(0);
    expect(flat).toEqual(linesOf((await vmwalk(['dump', '--ndjson', file])).stdout));
  });

  test('as text shows every section, and every field of a struct in turn', async () => {
    const bytes = Buffer.from(readFixture(described.name));
    const { stdout, status } = await vmwalk(['dump', '--offsets', fixtureFile(described)]);
    expect(status).toBe(0);
    const text = stdout.split('\n');
    for (const { idstr, start, end, lines } of readByBlob(bytes, readBlob(bytes)!)) {
      const heading = text.findIndex(
        (line) => line.startsWith(`${idstr}  `) && line.includes(`at 0x${start.toString(16)}`),
      );
      expect(heading, idstr).toBeGreaterThanOrEqual(0);
      const fields = lines.filter(({ path }) => path.length === 1);
      let at = heading;
      for (const { path, offset, size } of fields) {
        const place = `0x${offset.toString(16)} +${size} `;
        at = text.findIndex((line, i) => i > at && line.startsWith(place) && line.includes(String(path[0])));
        expect(at, `${idstr}/${path} of ${start}-${end}`).toBeGreaterThan(heading);
      }
    }
  });

  test('picks by section, instance and field', async () => {
    // Two CPUs and devices on a PCI bus.
    const fixture = pickFixture(({ name }) => {
      const devices = readBlob(Buffer.from(readFixture(name)))?.blob.devices ?? [];
      return (
        devices.some(({ name: idstr, instance_id }) => idstr === 'cpu' && instance_id === 1) &&
        devices.some(({ name: idstr }) => idstr.startsWith('0000:'))
      );
    });
    const file = fixtureFile(fixture);
    const all = linesOf((await vmwalk(['dump', '--ndjson', file])).stdout);
    const pick = async (...selectors: string[]) =>
      linesOf((await vmwalk(['dump', '--ndjson', file, ...selectors])).stdout);
    const cpus = all.filter(({ section }) => section === 'cpu');
    expect(new Set(cpus.map(({ instance }) => instance)).size).toBeGreaterThan(1);
    expect(await pick('cpu')).toEqual(cpus);
    expect(await pick('cpu@1')).toEqual(cpus.filter(({ instance }) => instance === 1));
    expect(await pick('cpu*')).toEqual(all.filter(({ section }) => /^cpu[^/]*$/.test(section)));
    expect(await pick('cpu@1', 'timer')).toEqual(
      all.filter(({ section, instance }) => section === 'timer' || (section === 'cpu' && instance === 1)),
    );
    const pci = all.find(({ section }) => section.startsWith('0000:'))!.section;
    expect(await pick(pci)).toEqual(all.filter(({ section }) => section === pci));
    // An asterisk stays within a name, two do not.
    expect((await vmwalk(['dump', file, '0000*'])).status).toBe(2);
    expect(await pick('0000*/*')).toEqual(
      all.filter(
        ({ section, path }) =>
          /^0000[^/]*\/[^/]*$/.test(section) || (/^0000[^/]*$/.test(section) && path.length > 0),
      ),
    );
    expect(await pick('0000**')).toEqual(all.filter(({ section }) => section.startsWith('0000')));
    const last = pci.split('/').at(-1)!;
    expect(await pick(last)).toEqual(all.filter(({ section }) => section.split('/').at(-1) === last));
    const array = cpus.find(
      ({ kind, path, length = 0 }) => kind === 'array' && path.length === 1 && length > 3,
    )!;
    const name = String(array.path[0]);
    expect(await pick(`cpu/${name}[3]`)).toEqual(
      cpus.filter(({ path }) => path[0] === name && path[1] === 3),
    );
    expect(await pick(`cpu@0/${name}[*]`)).toEqual(
      cpus.filter(({ instance, path }) => instance === 0 && path[0] === name && path.length > 1),
    );
    const inner = String(all.find(({ section, path }) => section === pci && path.length === 2)!.path[1]);
    expect(await pick(`**/${inner}`)).toEqual(
      all.filter(({ section, path }) => path.includes(inner) || section.endsWith(`/${inner}`)),
    );
  });

  test("--analyze-migration prints what QEMU's script prints", async () => {
    const fixture = pickFixture(({ script }) => script.state !== null && script.desc !== null);
    const file = fixtureFile(fixture);
    for (const what of ['state', 'desc'] as const) {
      const { stdout, status } = await vmwalk(['dump', '--analyze-migration', '-d', what, file]);
      expect(status).toBe(0);
      expect(await sha256(stdout)).toBe(fixture.script[what]);
    }
  });
});

async function sha256(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');
}

test('describe prints the description', async () => {
  const { stdout, stderr, status } = await vmwalk(['describe', fixtureFile(described)]);
  expect([status, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toEqual(readBlob(Buffer.from(readFixture(described.name)))!.blob);
});

test('describe tells when there is nothing to describe', async () => {
  // A stream that ends in RAM.
  const cut = temporaryFile(readFixture(described.name).subarray(0, 200), 'cut.qevm');
  const { stdout, stderr, status } = await vmwalk(['describe', cut]);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^vmwalk: warning: .*no vmdesc.*$/m);
});

describe('standard input', () => {
  const bytes = readFixture(described.name);
  const expected = async () => (await vmwalk(['dump', '--ndjson', fixtureFile(described)])).stdout;

  function redirected(file: string, before = ''): string {
    const script = `${before} exec "$0" "$1" dump --ndjson -`;
    return spawnSync('sh', ['-c', script, process.execPath, main], {
      stdio: [openSync(file, 'r'), 'pipe', 'inherit'],
      encoding: 'utf8',
    }).stdout;
  }

  test('may be a pipe', async () => {
    const { stdout, status } = await vmwalk(['dump', '--ndjson', '-'], { input: bytes });
    expect([stdout, status]).toEqual([await expected(), 0]);
  });

  test('may be a file', async () => {
    expect(redirected(fixtureFile(described))).toBe(await expected());
  });

  test('may be a file whose beginning was read by someone else', async () => {
    const file = fixtureFile(described);
    writeFileSync(file, Buffer.concat([Buffer.alloc(512, 1), bytes]));
    expect(redirected(file, 'dd bs=512 count=1 of=/dev/null status=none;')).toBe(await expected());
  });
});

test('a named pipe may be given as a file', async () => {
  const file = fixtureFile(described);
  const { stdout, status } = spawnSync(
    'sh',
    [
      '-c',
      'mkfifo "$2.pipe" && { cat "$2" > "$2.pipe" & exec "$0" "$1" dump --ndjson "$2.pipe"; }',
      process.execPath,
      main,
      file,
    ],
    { encoding: 'utf8' },
  );
  expect([stdout, status]).toEqual([(await vmwalk(['dump', '--ndjson', file])).stdout, 0]);
});

test.each([['info'], ['dump'], ['describe']])(
  '%s writes no colour to a pipe, unless it is forced',
  async (command) => {
    const file = fixtureFile(described);
    const colour = '\u001b';
    const args = [command, file];
    expect((await vmwalk(args)).stdout).not.toContain(colour);
    const forced = await vmwalk(args, { env: { FORCE_COLOR: '1' } });
    expect(forced.stdout.includes(colour)).toBe(command !== 'describe');
    const both = await vmwalk(args, { env: { FORCE_COLOR: '1', NO_COLOR: '1' } });
    expect(both.stdout).not.toContain(colour);
  },
);
