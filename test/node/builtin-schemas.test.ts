import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { builtinSchemas } from '../../src/node/builtin-schema-index.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { builtinTablesOfWriter } from '../../src/vm/builtin-tables.ts';
import { openVm } from '../../src/vm/vm.ts';
import { loads } from '../check/recorded.ts';
import { vmwalk } from '../cli/run.ts';
import { readFixture } from '../fixtures.ts';

/** The own state of a destination of a set of loads, by the QEMU that wrote it. */
function stateOf(set: string, version: string): Uint8Array {
  const found = loads.find(({ id, destination }) => id.startsWith(set) && destination.version === version);
  if (!found) throw new Error(`no QEMU ${version} is recorded for ${set}`);
  return found.profile();
}

test.each([
  ['property-i8042', '7.2', 'x86_64'],
  ['property-i8042', '10.0', 'x86_64'],
  ['property-i8042', '11.1', 'x86_64'],
  ['i386-pc@5.2', '5.2', 'i386'],
  ['i386-pc@5.2', '11.1', 'i386'],
  ['arm-its', '7.2', 'aarch64'],
])('%s of QEMU %s, %s: told from the others by its description', async (set, version, target) => {
  const writer = await builtinTablesOfWriter(
    await openVm(memorySource(stateOf(set, version))),
    packagedSchemas,
  );
  expect(writer?.qemuVersion?.startsWith(`${version}.`)).toBe(true);
  expect(writer?.tables.schema.target).toBe(target);
});

test('a state that several versions describe alike is of none for certain', async () => {
  const writer = await builtinTablesOfWriter(
    await openVm(memorySource(stateOf('s390-missing', '7.2'))),
    packagedSchemas,
  );
  expect(writer?.qemuVersion).toBeUndefined();
  expect(writer?.tables.schema.target).toBe('s390x');
});

test('every built-in schema is opened by its name', async () => {
  const entries = await builtinSchemas();
  for (const entry of entries.filter((_, i) => i % 10 === 0)) {
    const { qemuVersion, target } = await openSchema(entry.name);
    expect({ qemuVersion, target }).toEqual({ qemuVersion: entry.qemuVersion, target: entry.target });
  }
  const listed = await vmwalk(['schema', 'list', '--json']);
  expect(JSON.parse(listed.stdout).map(({ name }: { name: string }) => name)).toEqual(
    entries.map(({ name }) => name),
  );
});

test('a file comes before a built-in schema of the same name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vmwalk-test-'));
  try {
    writeFileSync(join(folder, '7.2-x86_64'), '{}');
    const run = await vmwalk(['schema', 'list', '7.2-x86_64'], { cwd: folder });
    expect(run).toMatchObject({ status: 1, stdout: '' });
    expect(run.stderr).toMatch(/^vmwalk: error: 7\.2-x86_64 is no usable schema: [^\n]+\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([
  ['7.2-sparq', /^vmwalk: error: 7\.2-sparq is neither .*; those of 7\.2 are .*7\.2-sparc64.*\n$/],
  ['9.0-x86_64', /^vmwalk: error: 9\.0-x86_64 is neither .*; their versions are 5\.2, 7\.2, 10\.0, 11\.1\n$/],
])('%s is no built-in schema, which is said in a line', async (name, expected) => {
  const run = await vmwalk(['schema', 'list', name]);
  expect(run).toMatchObject({ status: 2, stdout: '' });
  expect(run.stderr).toMatch(expected);
});

test('a stream without a machine type is read by tables of the target that explains it, of two that have its devices', async () => {
  const leaves = async (ignoreVmdesc: boolean) => {
    const { stdout, stderr } = await vmwalk(
      ['dump', '--ndjson', ...(ignoreVmdesc ? ['--no-blob'] : []), '-'],
      {
        input: readFixture('qemu-7.2-machine-2.0'),
      },
    );
    return { leaves: stdout.split('\n').filter((line) => line.includes('"kind":"leaf"')), stderr };
  };
  const [described, read] = [await leaves(false), await leaves(true)];
  expect(read.stderr).toContain('x86_64: as no machine type is sent');
  expect(read.leaves).toEqual(described.leaves);
});
