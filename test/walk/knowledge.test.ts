import { expect, test } from 'vitest';
import { fixtureFile, vmwalk } from '../cli/run.ts';
import { fixtures } from '../fixtures.ts';
import type { Line } from '../layout/blob-reader.ts';

interface KnowledgeLine extends Line {
  readonly knowledge: string;
  readonly choice?: { readonly readings: number; readonly allTried: boolean };
}

/** isa-serial writes the bytes that pci-serial would write: only the name of the struct around them differs. */
const file = (): string => fixtureFile(fixtures.find(({ name }) => name === 'qemu-7.2-pc-devices')!);

async function serialLines(args: readonly string[]): Promise<KnowledgeLine[]> {
  const { stdout } = await vmwalk(['dump', '--ndjson', ...args]);
  const lines: KnowledgeLine[] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return lines.filter(({ section }) => section === 'serial');
}

test('where only the name of a struct is in doubt, the values in it are exact, and those of the vmdesc', async () => {
  const path = file();
  const found = await serialLines(['--no-blob', path]);
  const truth = await serialLines([path]);
  expect(found.filter(({ knowledge }) => knowledge !== 'exact').map(({ kind }) => kind)).toEqual(['struct']);
  const wrapper = found.find(({ knowledge }) => knowledge === 'chosen')!;
  expect(wrapper.choice).toMatchObject({ readings: 2, allTried: true });
  const values = (lines: readonly KnowledgeLine[]) =>
    lines
      .filter(({ kind }) => kind === 'leaf')
      .map(({ path: at, offset, size, value }) => [at.at(-1), offset, size, value]);
  expect(values(found)).toEqual(values(truth));
  expect(values(found).length).toBeGreaterThan(5);
  // With the vmdesc there is nothing to choose.
  expect(truth.every(({ knowledge }) => knowledge === 'exact')).toBe(true);
});

test('the text marks what was chosen, and says what else it could be', async () => {
  const { stdout, status } = await vmwalk(['dump', '--no-blob', file()]);
  expect(status).toBe(0);
  const section = stdout.slice(stdout.search(/^serial\b/m)).split(/\n(?=\S)/)[0]!;
  expect(section).toMatch(/^ *\? this is one of 2 readings: .*the values are certain/m);
  expect(section.split('\n').filter((line) => /^ *\S+ \? /.test(line) && !/this is one/.test(line))).toEqual([
    expect.stringMatching(/^ +state \? +struct serial v3$/),
  ]);
});

test('--strict-schema makes a chosen reading a problem', async () => {
  const path = file();
  const strict = await vmwalk(['dump', '--no-blob', '--strict-schema', path]);
  expect(strict.status).toBe(1);
  expect(strict.stderr).toMatch(
    /error: .*section serial: this is one of 2 readings: VMSD serial of \S*serial; the next one: VMSD serial of \S*serial/,
  );
  expect((await vmwalk(['dump', '--strict-schema', path])).status).toBe(0);
});
