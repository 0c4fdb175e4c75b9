import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type Fixture, fixtures, readFixture } from '../fixtures.ts';
import { readBlob } from '../layout/blob-reader.ts';

export const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** Writes the peak of the process's memory, in KiB, to descriptor 3 when it ends. */
const REPORT_MEMORY = `data:text/javascript,${encodeURIComponent(
  "import { writeSync } from 'node:fs'; process.on('exit', () => writeSync(3, String(process.resourceUsage().maxRSS)));",
)}`;

export interface RunOptions {
  /** Standard input through a pipe; none without. */
  readonly input?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Options of Node. */
  readonly node?: readonly string[];
  /** Another Node than the one that runs the test. */
  readonly execPath?: string;
  /** Milliseconds after which the process is ended. */
  readonly timeout?: number;
}

export interface Run {
  /** Undefined when it was ended by a signal. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Peak of the memory, in MiB. */
  readonly memory: number;
}

/** Runs `vmwalk ARGS` as it is built. */
export async function vmwalk(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const { input, env, cwd, node = [], execPath = process.execPath, timeout = 600_000 } = options;
  const child = spawn(execPath, [...node, '--import', REPORT_MEMORY, main, ...args], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
    timeout,
    ...(cwd === undefined ? {} : { cwd }),
  });
  const texts = child.stdio.slice(1).map((stream) => {
    const chunks: Uint8Array[] = [];
    (stream as NodeJS.ReadableStream).on('data', (chunk: Uint8Array) => chunks.push(chunk));
    return chunks;
  });
  // A process that has seen enough closes its input.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [status] = (await once(child, 'close')) as [number | null];
  const [stdout, stderr, memory] = texts.map((chunks) => Buffer.concat(chunks).toString());
  return { status: status ?? undefined, stdout: stdout!, stderr: stderr!, memory: Number(memory) / 1024 };
}

/** A folder that lasts as long as the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vmwalk-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A file with these bytes that lasts as long as the test. */
export function temporaryFile(bytes: Uint8Array, name = 'vm.qevm'): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, bytes);
  return path;
}

/** A fixture as a file that lasts as long as the test. */
export function fixtureFile({ name }: Fixture): string {
  return temporaryFile(readFixture(name), `${name}.qevm`);
}

/** The first fixture, from the smallest on, that a test can use. Fails where there is none. */
export function pickFixture(suits: (fixture: Fixture) => boolean): Fixture {
  const found = [...fixtures].sort((a, b) => a.size - b.size).find(suits);
  if (!found) throw new Error('no fixture is of use for this test');
  return found;
}

/** The smallest fixture that describes itself. */
export const described = pickFixture(({ name }) => readBlob(Buffer.from(readFixture(name))) !== undefined);
