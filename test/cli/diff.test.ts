import { expect, test } from 'vitest';
import { fixtures, readFixture } from '../fixtures.ts';
import { readBlob } from '../layout/blob-reader.ts';
import { described, fixtureFile, temporaryFile, vmwalk } from './run.ts';

const fixture = (name: string) => fixtureFile(fixtures.find((each) => each.name === name)!);

test('a stream does not differ from itself, whether it is read by its own description or by tables', async () => {
  const file = fixture('qemu-7.2-pc-devices');
  for (const args of [[], ['--no-blob-b'], ['--ram']]) {
    const { status, stdout } = await vmwalk(['diff', file, file, ...args]);
    expect({ args, status }).toEqual({ args, status: 0 });
    expect(stdout).toContain('no difference');
  }
});

test('the same VM without its description differs in clocks only', async () => {
  const [a, b] = [fixture('qemu-11.1-suppress-vmdesc'), fixture('qemu-11.1-suppress-vmdesc-twin')];
  const all = await vmwalk(['diff', '--json', a, b]);
  expect(all.status).toBe(1);
  const sections = JSON.parse(all.stdout).sections.map(({ section }: { section: string }) => section);
  expect(sections).toEqual(['mc146818rtc']);
  const rest = await vmwalk(['diff', '--ignore-volatile', a, b]);
  expect(rest.status).toBe(0);
  expect(rest.stderr).toContain('timer/cpu_ticks_offset');
});

test('standard input is one of the sides', async () => {
  const bytes = readFixture(described.name);
  const { status } = await vmwalk(['diff', '-', fixtureFile(described)], { input: bytes });
  expect(status).toBe(0);
  expect((await vmwalk(['diff', '-', '-'], { input: bytes })).status).toBe(2);
});

test('what is no stream, or damaged, is trouble and no difference', async () => {
  const file = fixtureFile(described);
  const bytes = readFixture(described.name);
  const cut = temporaryFile(bytes.subarray(0, readBlob(Buffer.from(bytes))!.start - 20), 'cut.qevm');
  const text = temporaryFile(Buffer.from('root:x:0:0:root:/root:/bin/bash\n'), 'passwd');
  const gone = `${cut}.gone`;
  for (const other of [cut, text, gone]) {
    const { status, stderr } = await vmwalk(['diff', file, other]);
    expect({ other, status }).toEqual({ other, status: 2 });
    expect(stderr).toMatch(/^vmwalk: error: /m);
  }
  // Not even from itself.
  const { status, stdout } = await vmwalk(['diff', cut, cut]);
  expect({ status, isSame: /^no difference:/m.test(stdout) }).toEqual({ status: 2, isSame: false });
});

test('binaries and schema files are for another command', async () => {
  const elf = temporaryFile(Buffer.from('\u007fELF\u0002\u0001\u0001'), 'qemu');
  const { status, stderr } = await vmwalk(['diff', elf, elf]);
  expect(status).toBe(2);
  expect(stderr).toContain('vmwalk compat');
});

test('selectors that match nothing are a mistake', async () => {
  const file = fixtureFile(described);
  const { status, stderr } = await vmwalk(['diff', file, file, '--only', 'no-such-device']);
  expect(status).toBe(2);
  expect(stderr).toContain('nothing matches');
});

test('each line of the text is a change of the JSON, in one column or in two', async () => {
  const args = ['diff', fixture('qemu-7.2-pc-devices'), fixture('qemu-10.0-pc-devices')];
  const { sections } = JSON.parse((await vmwalk([...args, '--json'])).stdout) as {
    sections: { section: string; kind: string; changes: { kind: string; path: unknown[] }[] }[];
  };
  const changes = sections.flatMap((section) => section.changes);
  for (const when of ['never', 'always']) {
    const { stdout, status } = await vmwalk([...args, '--side-by-side', when]);
    expect(status).toBe(1);
    const [text] = stdout.split('\norder of sections\n') as [string];
    const lines = text.slice(text.indexOf('\nconfiguration')).split('\n');
    expect(lines.filter((line) => /^ {2}[-+~!] /.test(line)).length).toBe(changes.length);
    if (when === 'always') expect(lines.every((line) => line.length <= 120)).toBe(true);
  }
});

test('--structure shows no values', async () => {
  const args = [fixture('qemu-7.2-pc-devices'), fixture('qemu-10.0-pc-devices')];
  const { stdout, status } = await vmwalk(['diff', '--structure', ...args]);
  expect(status).toBe(1);
  expect(stdout).not.toContain('mc146818rtc  ');
  expect(stdout).toContain('+ has_vm_was_suspended  uint8  at 0x');
});
