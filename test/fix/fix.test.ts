import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readLoads } from '../../scripts/truth/read-loads.mjs';
import { memorySource, readExactly } from '../../src/bytes/source.ts';
import { type FixOptions, fixStream } from '../../src/fix/fix.ts';
import { walk } from '../../src/layout/children.ts';
import { packagedSchemas } from '../../src/node/packaged-schemas.ts';
import { openVm, type Vm } from '../../src/vm/vm.ts';
import { destinationOf } from '../check/recorded-destination.ts';
import { temporaryFolder, vmwalk } from '../cli/run.ts';

/** Streams that real QEMUs refused. */
const refused = readLoads(fileURLToPath(new URL('../../fixtures/loads/', import.meta.url))).filter(
  ({ loaded }) => !loaded,
);
const caseOf = (id: string) => refused.find((each) => each.id === id)!;
const open = (bytes: Uint8Array) => openVm(memorySource(bytes), { schemas: packagedSchemas });

async function fix(id: string, options: FixOptions = {}) {
  const load = caseOf(id);
  const vm = await open(load.stream());
  const result = await fixStream(vm, await destinationOf(load), {
    open: { schemas: packagedSchemas },
    ...options,
  });
  const { source } = result;
  return { vm, ...result, fixed: source && (await open(await readExactly(source, 0, source.size))) };
}

/** Values of a section by path, but for headers of subsections. */
async function valuesOf(vm: Vm, idstr: string): Promise<Map<string, string>> {
  const section = vm.sections.find((each) => each.idstr === idstr)!;
  const values = new Map<string, string>();
  for (const { node, path } of walk((await vm.layout(section)).root))
    if (node.kind === 'leaf' && node.type !== 'subsection header')
      values.set(path.join('/'), node.value instanceof Uint8Array ? node.value.join() : String(node.value));
  return values;
}

describe('a stream that a destination refuses', () => {
  test('is the same but for a command that the destination does not know', async () => {
    const { changes, fixed, vm } = await fix('sparc-ss5 10.0 to 7.2');
    expect(changes.map((each) => [each.class, each.rule, each.message])).toEqual([
      ['harmless', 'unknown-command', 'SWITCHOVER_START is taken out'],
    ]);
    const [{ range }] = vm.stream.records.filter((each) => each.kind === 'command') as [
      Vm['stream']['records'][0],
    ];
    const bytes = Buffer.from(caseOf('sparc-ss5 10.0 to 7.2').stream());
    const whole = Buffer.concat([bytes.subarray(0, range.start), bytes.subarray(range.end)]);
    expect(Buffer.from(await readExactly(fixed!.source, 0, fixed!.source.size)).equals(whole)).toBe(true);
  });

  test('has the value of the destination in a field that the source has given up', async () => {
    const { changes, fixed } = await fix('ppc-mac99 10.0 to 7.2');
    expect(changes.map((each) => [each.class, each.rule, each.message])).toEqual([
      ['harmless', 'unknown-command', 'SWITCHOVER_START is taken out'],
      [
        'harmless',
        'section-layout',
        'env.reserve_addr, in whose place the stream has zeros, stays as the destination has it',
      ],
    ]);
    // No address is reserved.
    const values = await valuesOf(await open(caseOf('ppc-mac99 10.0 to 7.2').profile()), 'cpu');
    expect([values.get('env.reserve_addr'), fixed]).toEqual([String(2n ** 32n - 1n), expect.anything()]);
  });

  test('has a section of another version in the form of the destination, and says which values went', async () => {
    const id = 'pc-storage@5.2 10.0 to 5.2';
    const idstr = '0000:00:05.0/pciespscsi';
    expect((await fix(id)).source).toBeUndefined();
    const { changes, fixed, vm } = await fix(id, { allow: ['loses'] });
    const [change] = changes;
    expect([changes.length, change?.rule, change?.section]).toEqual([1, 'section-too-new', idstr]);
    const [before, after, own] = [
      await valuesOf(vm, idstr),
      await valuesOf(fixed!, idstr),
      await valuesOf(await open(caseOf(id).profile()), idstr),
    ];
    const lost = change!.lost.map(({ path }) => path.join('/'));
    const taken = change!.taken.map((path) => path.join('/'));
    expect([...after.keys()]).toEqual([...own.keys()]);
    // What has a place there has its value, and what has none is told.
    for (const [path, value] of before)
      expect(after.get(path), path).toBe(lost.includes(path) ? undefined : value);
    for (const path of after.keys()) if (!before.has(path)) expect(taken).toContain(path);
  });

  test('has the registers that the CPU of the destination has', async () => {
    const { changes, fixed } = await fix('arm-sbsa 10.0 to 11.1', { allow: ['cpu-registers'] });
    expect(changes.map(({ lost }) => lost.map(({ name }) => name))).toEqual(
      Array(4).fill(['ID_AA64ISAR0_EL1 (S3_0_C0_C6_0)']),
    );
    const own = await open(caseOf('arm-sbsa 10.0 to 11.1').profile());
    const indexes = async (vm: Vm) =>
      [...(await valuesOf(vm, 'cpu'))].filter(([path]) => path.startsWith('cpreg_vmstate_indexes'));
    expect(await indexes(fixed!)).toEqual(await indexes(own));
  });

  test('gets other constants of the CPU only where their rule is allowed', async () => {
    const id = 'arm-pmu ab 7.2 to 7.2';
    const loses = await fix(id, { allow: ['loses', 'harmless'] });
    expect(loses.source).toBeUndefined();
    expect(loses.refused.map((each) => [each.class, each.rule])).toContainEqual([
      'refuse',
      'cpu-register-value',
    ]);
    expect((await fix(id, { allow: ['loses', 'cpu-register-value'] })).report.verdict).toBe(
      'no blocker found',
    );
  });

  // QEMU 7.2 refuses it with the larger ROM: its base address is none of that size, and the load compares it.
  test('stays refused where an option ROM is at an address that a larger one cannot have', async () => {
    const { source, changes, report } = await fix('memory-rom-other ab 7.2 to 7.2', { allow: ['loses'] });
    expect([source, changes, report.verdict]).toEqual([undefined, [], 'will be rejected']);
  });

  test('stays refused where RAM has another size', async () => {
    const { source, report, changes } = await fix('memory-size ab 7.2 to 7.2', { allow: ['loses'] });
    expect([source, changes, report.verdict]).toEqual([undefined, [], 'will be rejected']);
  });
});

describe('vmwalk fix', () => {
  function files(id: string): [stream: string, profile: string, output: string] {
    const folder = temporaryFolder();
    const names = ['vm.qevm', 'there.qevm', 'fixed.qevm'].map((name) => join(folder, name));
    writeFileSync(names[0]!, caseOf(id).stream());
    writeFileSync(names[1]!, caseOf(id).profile());
    return names as [string, string, string];
  }

  test('writes what is accepted, and what was changed', async () => {
    const [stream, profile, output] = files('pc-storage@5.2 10.0 to 5.2');
    const args = ['fix', stream, '--profile', profile, '--schema', '5.2-x86_64', '-o', output];
    const no = await vmwalk(args);
    expect([no.status, existsSync(output)]).toEqual([1, false]);
    expect(no.stdout).toContain('not allowed: --allow loses or --allow section-too-new makes the change');
    const yes = await vmwalk([...args, '--allow', 'loses', '--json']);
    expect(yes.status).toBe(0);
    expect(JSON.parse(readFileSync(`${output}.changes.json`, 'utf8'))).toEqual(JSON.parse(yes.stdout));
    const check = await vmwalk(['check', output, '--profile', profile, '--schema', '5.2-x86_64']);
    expect(check.status).toBe(0);
    expect((await vmwalk([...args, '--allow', 'loses'])).stderr).toContain('exists already');
  });

  test('refuses a class that there is not', async () => {
    const [stream, profile] = files('ppc-mac99 10.0 to 7.2');
    const { status, stderr } = await vmwalk([
      'fix',
      stream,
      '--profile',
      profile,
      '--dry-run',
      '--allow',
      'all',
    ]);
    expect(status).toBe(2);
    expect(stderr).toContain('harmless, loses, or a rule');
  });
});
