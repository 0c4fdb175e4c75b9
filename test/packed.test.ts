import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memorySource } from '../src/bytes/source.ts';
import { openVm } from '../src/vm/vm.ts';
import { vmwalk } from './cli/run.ts';
import { fixtures, readFixture } from './fixtures.ts';
import { installPackage } from './install-package.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'vmwalk-packed-'));

beforeAll(async () => {
  const installed = await installPackage(folder);
  cpSync(join(installed, 'examples'), folder, { recursive: true });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function example(name: string, ...args: readonly string[]): Promise<string[]> {
  const { stdout, stderr } = await run(process.execPath, [`${name}.mjs`, ...args], { cwd: folder });
  expect(stderr).toBe('');
  return stdout.trimEnd().split('\n');
}

test('the features of all virtio devices are printed by name, with a vmdesc and without', async () => {
  const bytes = readFixture('qemu-7.2-aarch64-linux');
  const { stream } = await openVm(memorySource(bytes));
  const [described, bare] = [join(folder, 'described.qevm'), join(folder, 'bare.qevm')];
  writeFileSync(described, bytes);
  writeFileSync(bare, bytes.subarray(0, stream.vmdescription!.range.start));
  const printed = await example('virtio-features', described);
  expect(await example('virtio-features', bare)).toEqual(printed);
  // As the command shows them, which names its source.
  const { stdout } = await vmwalk(['dump', '--full', described]);
  const shown = stdout.replace(/\s+/g, ' ');
  for (const line of printed) expect(shown).toContain(line.slice(line.lastIndexOf('  ') + 2));
  // Linux takes them of every device.
  const devices = new Set(
    stream.sections.map(({ idstr }) => idstr).filter((idstr) => /virtio-(net|blk)/.test(idstr)),
  );
  expect(devices.size).toBeGreaterThan(0);
  for (const device of devices)
    expect(printed.some((line) => line.startsWith(`${device}@`) && line.includes('VERSION_1'))).toBe(true);
});

test('a field is tracked over streams', async () => {
  // What QEMU's monitor said when each was saved.
  const known = fixtures.filter(({ target, registers }) => target === 'x86_64' && registers).slice(0, 3);
  expect(known.length).toBe(3);
  const files = known.map(({ name }) => {
    writeFileSync(join(folder, `${name}.qevm`), readFixture(name));
    return `${name}.qevm`;
  });
  const lines = await example('track-field', 'cpu@0/env.eip', ...files);
  expect(lines).toEqual(
    known.map(({ registers }, i) => {
      const [, digits] = /\b[ER]IP=([0-9a-f]+)/.exec(registers!)!;
      return `${files[i]}  cpu@0/env.eip  ${BigInt(`0x${digits}`)}`;
    }),
  );
});

test("an info and an operation of the user's own are plugged in", async () => {
  const rtc = readFixture('qemu-7.2-pc-devices');
  writeFileSync(join(folder, 'pc.qevm'), rtc);
  const { sections } = await openVm(memorySource(rtc));
  const { body } = sections.find(({ idstr }) => idstr === 'mc146818rtc')!.records[0]!;
  // The registers of an MC146818, in binary-coded decimal, are the section's first field.
  const [seconds, , minutes, , hours] = [...rtc.subarray(body.start, body.start + 5)].map((byte) =>
    byte.toString(16).padStart(2, '0'),
  );
  expect(await example('own-info', 'pc.qevm')).toEqual([`${hours}:${minutes}:${seconds}`]);
});

describe('an example', () => {
  const failing = async (name: string, ...args: readonly string[]) => {
    const ended = run(process.execPath, [`${name}.mjs`, ...args], { cwd: folder });
    return ended.catch(({ code, stdout, stderr }) => ({ code, stdout, stderr }));
  };

  test.each(['virtio-features', 'track-field', 'own-info'])(
    '%s says in a line what it cannot read',
    async (name) => {
      const selector = name === 'track-field' ? ['cpu'] : [];
      writeFileSync(join(folder, 'no-stream'), 'no stream at all');
      for (const file of ['missing.qevm', 'no-stream']) {
        const stderr = expect.stringMatching(new RegExp(`^${name}: .*${file}.*\\n$`));
        expect(await failing(name, ...selector, file)).toEqual({ code: 2, stdout: '', stderr });
      }
    },
  );

  test('says what it is to be given', async () => {
    for (const args of [[], ['cpu']]) {
      const stderr = expect.stringMatching(/^track-field: usage: .*\n$/);
      expect(await failing('track-field', ...args)).toEqual({ code: 2, stdout: '', stderr });
    }
  });

  test('tells the instances of a device apart', async () => {
    const bytes = readFixture('qemu-10.0-q35-devices');
    writeFileSync(join(folder, 'several.qevm'), bytes);
    const { sections } = await openVm(memorySource(bytes));
    const lines = await example('track-field', 'cpu_common/halted', 'several.qevm');
    const ids = sections.filter(({ idstr }) => idstr === 'cpu_common').map(({ instanceId }) => instanceId);
    expect(ids).toEqual([0, 1]);
    expect(lines.map((line) => line.split('  ')[1])).toEqual(ids.map((id) => `cpu_common@${id}/halted`));
  });

  test('says that there is no clock of the kind', async () => {
    writeFileSync(join(folder, 'aarch64.qevm'), readFixture('qemu-7.2-aarch64-linux'));
    const stderr = 'own-info: aarch64.qevm has no such clock\n';
    expect(await failing('own-info', 'aarch64.qevm')).toEqual({ code: 2, stdout: '', stderr });
  });
});
