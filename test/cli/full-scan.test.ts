import { beforeAll, describe, expect, test } from 'vitest';
import { grow, takeApart } from '../layout/grown-stream.ts';
import { temporaryFile, vmwalk } from './run.ts';

/** More RAM than is scanned where nobody asks for it. */
const RAM = 20 << 20;
/** Bytes in front of a stream that `--offset` skips. */
const AHEAD = 4096;

let bytes: Uint8Array;
/** A place among the pages. */
let inRam: number;

beforeAll(async () => {
  const parts = await takeApart('qemu-7.2-pc-devices');
  const source = grow(parts, Math.ceil(RAM / parts.part.length), () => {});
  bytes = await source.read(0, source.size);
  inRam = parts.front.length + RAM / 2;
});

async function run(...args: readonly string[]): Promise<string> {
  const { status, stderr, stdout } = await vmwalk(args);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

describe('--full-scan', () => {
  test('changes nothing but the lines of RAM', async () => {
    const file = temporaryFile(bytes);
    const lines = async (...args: readonly string[]) =>
      (await run('dump', '--ndjson', ...args, file)).trimEnd().split('\n');
    const [fast, full] = [await lines(), await lines('--full-scan')];
    const isRam = (line: string) => line.startsWith('{"section":"ram"');
    expect(fast.filter((line) => !isRam(line))).toEqual(full.filter((line) => !isRam(line)));
    const [root, start, rest] = fast.filter(isRam).map((line) => JSON.parse(line));
    const [fullRoot, fullStart, ...records] = full.filter(isRam).map((line) => JSON.parse(line));
    expect(start).toEqual(fullStart);
    expect(rest).toMatchObject({ path: ['(not scanned)'], kind: 'leaf', type: 'ram', value: null });
    // From behind the footer of the START record to behind that of the last one.
    expect(rest.offset).toBe(start.offset + start.size + 5);
    expect(rest.offset + rest.size).toBe(records.at(-1).offset + records.at(-1).size + 5);
    expect([root.offset, root.size]).toEqual([fullRoot.offset, fullRoot.size + 5]);
  });

  test('changes nothing of what has no pages in it', async () => {
    const file = temporaryFile(bytes);
    for (const args of [
      ['describe', file],
      ['dump', '--analyze-migration', file],
      ['dump', file, 'timer'],
    ])
      expect(await run(...args, '--full-scan')).toBe(await run(...args));
  });

  test('sees damage among the pages', async () => {
    const damaged = Uint8Array.from(bytes).fill(0xff, inRam, inRam + 5000);
    const file = temporaryFile(damaged);
    await run('dump', file);
    const { status, stderr } = await vmwalk(['dump', '--full-scan', file]);
    expect(stderr).toMatch(/section ram/);
    expect(status).toBe(1);
  });

  test('is made by info, and where a file need not end with the stream', async () => {
    const file = temporaryFile(Buffer.concat([new Uint8Array(AHEAD), bytes]));
    expect(await run('dump', '--offset', String(AHEAD), file)).not.toContain('not scanned');
    expect(await run('dump', temporaryFile(bytes))).toContain('(not scanned)');
    expect(await run('info', temporaryFile(bytes))).not.toContain('not scanned');
  });
});
