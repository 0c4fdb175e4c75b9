import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { memorySource } from '../../src/bytes/source.ts';
import { unwrap } from '../../src/containers/open.ts';
import { nodeEnvironment } from '../../src/node/decompress.ts';
import { temporaryFolder, vmwalk } from '../cli/run.ts';
import { compress } from '../containers/environment.ts';
import { growingInputs } from './growing-inputs.ts';

/** Bytes of an input, MiB of V8's heap, and MiB of memory in all that a command on it may take. */
const SIZE = 1 << 18;
const HEAP = 128;
const MEMORY = 300;

describe('inputs that are made to take memory', () => {
  test.each([
    ['sections that nothing describes', 'dump --ndjson @in'],
    ['vmdesc in gzip: fields, 30 times the size', 'dump @in'],
    ['vmdesc: an array of structs with fields of no bytes', 'dump @in'],
    ['vmdesc: arrays in each other', 'dump --ndjson @in'],
    ['RAM: a page in each 4 MiB', 'diff --ram @in @in'],
    ['RAM: blocks, a page of each in turn', 'ram @in'],
    ['postcopy: discarded pages, one range over the other, and pages sent', 'ram @in'],
    ['qcow2: compressed clusters that are used again and again', 'info @in'],
    ['-dump-vmstate: fields', 'compat @in @other'],
    ['diff: fields that have nothing in common', 'diff @in @other'],
  ])('%s: %s', async (name, command) => {
    const { make } = growingInputs.find((input) => input.name === name)!;
    const folder = temporaryFolder();
    for (const [file, content] of Object.entries(make(SIZE))) writeFileSync(join(folder, file), content);
    const args = command.split(' ').map((arg) => (arg.startsWith('@') ? join(folder, arg.slice(1)) : arg));
    const { status, stderr, memory } = await vmwalk(args, { node: [`--max-old-space-size=${HEAP}`] });
    expect(stderr).not.toMatch(/heap|internal error/);
    expect([0, 1, 2]).toContain(status);
    expect(memory).toBeLessThan(MEMORY);
  });
});

describe('compressed data that unpacks to far more than its size', () => {
  const PART = 16 << 20;
  const ROOM = 256 << 20;
  const bomb = (format: 'bzip2' | 'zstd') =>
    Buffer.concat(Array(ROOM / PART + 1).fill(compress(format, new Uint8Array(PART))));

  test.each([
    ['bzip2', bomb('bzip2')],
    ['zstd', compress('gzip', bomb('zstd'))],
  ])('%s: its beginning is read, and it is said', async (format, bytes) => {
    const { source, diagnostics, close } = await unwrap(memorySource(bytes, 'bomb'), nodeEnvironment());
    try {
      expect(source.size).toBeGreaterThan(ROOM);
      expect(source.size).toBeLessThanOrEqual(ROOM + 512 * bytes.length);
      expect(await source.read(ROOM - 10, 10)).toEqual(new Uint8Array(10));
      expect(diagnostics.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
        `error: the ${format} data unpacks to more than 512 times the size of the file, and is not read further: what you trust, unpack yourself; its content ends at 0x${source.size.toString(16)}`,
      ]);
    } finally {
      await close();
    }
  });
});
