import { createHash } from 'node:crypto';
import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCore } from '../../scripts/truth/read-core.mjs';
import { temporaryFile, temporaryFolder, vmwalk } from '../cli/run.ts';
import { fixtures, readFixture } from '../fixtures.ts';

/** What QEMU's dump-guest-memory wrote of a fixture that was loaded (scripts/truth/record-cores.mjs). */
interface RecordedCore {
  readonly format: string;
  readonly loads: readonly {
    readonly address: number;
    readonly virtual: number;
    readonly fileSize: number;
    readonly size: number;
  }[];
  readonly notes: readonly { readonly name: string; readonly kind: number; readonly content: string }[];
  /** SHA-256 of all PT_LOADs. */
  readonly memory: string;
}

const recorded: Readonly<Record<string, RecordedCore>> = JSON.parse(
  readFileSync(new URL('../../fixtures/cores.json', import.meta.url), 'utf8'),
);

const NT_PRSTATUS = 1;

type Note = RecordedCore['notes'][number];

/** Leaves out what QEMU is known to write wrongly: these bytes of NT_PRSTATUS. */
const wrong: readonly { readonly name: RegExp; readonly at: number; readonly length: number }[] = [
  // pr_pid was left zero on ppc, and in the host's byte order on s390x.
  { name: /^qemu-[57]\.2-(ppc64|s390x)/, at: 32, length: 4 },
  // MSR[ME] is lost where a stream is loaded; the fixture was captured, as the monitor said then, with MSR 0x3000.
  { name: /^qemu-1[01]\.\d-ppc64/, at: 112 + 33 * 8, length: 8 },
];

function withoutWrong(name: string, note: Note): Note {
  const bytes = Buffer.from(note.content, 'hex');
  for (const { name: pattern, at, length } of wrong) {
    if (note.kind === NT_PRSTATUS && pattern.test(name)) bytes.fill(0, at, at + length);
  }
  return { ...note, content: bytes.toString('hex') };
}

test.each(Object.keys(recorded))('%s is the core that dump-guest-memory writes', async (name) => {
  const theirs = recorded[name]!;
  const path = join(temporaryFolder(), 'vm.core');
  const run = await vmwalk(['ram', 'core', temporaryFile(readFixture(name)), '-o', path]);
  expect([run.status, run.stderr]).toEqual([0, '']);
  const ours = readCore(path);
  try {
    expect(ours.format).toBe(theirs.format);
    const loads = ours.loads.map(({ address, virtual, fileSize, size }) => ({
      address,
      virtual,
      fileSize,
      size,
    }));
    expect(loads).toEqual(theirs.loads);
    const notes = ours.notes.map((note) => ({ ...note, content: note.content.toString('hex') }));
    const comparable = (note: Note) => withoutWrong(name, note);
    expect(notes.map(comparable)).toEqual(theirs.notes.map(comparable));
    const memory = createHash('sha256');
    for (const { offset, fileSize } of ours.loads) memory.update(ours.read(offset, fileSize));
    expect(memory.digest('hex')).toBe(theirs.memory);
  } finally {
    closeSync(ours.fd);
  }
});

test('there is a core of each version and architecture', () => {
  const targets = new Set(
    Object.keys(recorded).map((name) => fixtures.find((fixture) => fixture.name === name)!.target),
  );
  expect([...targets].sort()).toEqual(['aarch64', 'i386', 'ppc64', 'riscv64', 's390x', 'x86_64']);
});
