import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { nodeInflater } from '../../src/node/inflater.ts';

const PAGE = new Uint8Array(4096).fill(7);

async function* payloads(...all: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* all;
}

const path = process.env['PATH'];
afterEach(() => {
  process.env['PATH'] = path;
});

describe.each([
  ['zlib', deflateSync(PAGE)],
  ['gzip', gzipSync(PAGE)],
] as const)('a payload of %s', (format, packed) => {
  const next = async (length: number, ...all: readonly Uint8Array[]) => {
    const opened = nodeInflater.open(format, payloads(...all));
    try {
      return await opened.next(length);
    } finally {
      await opened.close();
    }
  };

  test('comes out whole', async () => {
    expect(await next(PAGE.length, packed)).toEqual(Buffer.from(PAGE));
  });

  test('that has more bytes than a packet says is not taken', async () => {
    await expect(next(PAGE.length - 1, packed)).rejects.toThrow();
  });

  test('that has fewer is not taken', async () => {
    await expect(next(PAGE.length + 1, packed)).rejects.toThrow(/4096 bytes instead of 4097/);
  });

  test('that is not there is told', async () => {
    await expect(next(PAGE.length)).rejects.toThrow('the channel ends before it');
  });

  test('that is damaged is told', async () => {
    await expect(
      next(
        PAGE.length,
        packed.map((byte) => byte ^ 0x5a),
      ),
    ).rejects.toThrow();
  });
});

/** A folder with a program `zstd` of this text, and nothing else on PATH but what a shell needs. */
function fakeZstd(text: string): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'inflater-'));
  const program = join(folder, 'zstd');
  writeFileSync(program, `#!/bin/sh\n${text}\n`);
  chmodSync(program, 0o755);
  process.env['PATH'] = `${folder}:/usr/bin:/bin`;
  return () => rmSync(folder, { recursive: true });
}

// From Node 22.15 on no program is asked.
describe.skipIf('zstdDecompressSync' in process.getBuiltinModule('node:zlib'))('zstd by its program', () => {
  test.each([
    ['kill -KILL $$', /zstd was ended by SIGKILL/],
    ['echo "zstd: cannot say" >&2; exit 1', /cannot say/],
    ['exit 0', /it ends after 0 of 4096 bytes/],
  ])('that does %j is no damage of the pages, or says what it is', async (text, message) => {
    const remove = fakeZstd(text);
    try {
      const opened = nodeInflater.open('zstd', payloads(PAGE));
      await expect(opened.next(PAGE.length)).rejects.toThrow(message);
      await opened.close().catch(() => {});
    } finally {
      remove();
    }
  });

  test('that gives more than there are pages is told at the end', async () => {
    const remove = fakeZstd('head -c 5000 /dev/zero');
    try {
      const opened = nodeInflater.open('zstd', payloads(PAGE));
      expect(await opened.next(PAGE.length)).toEqual(new Uint8Array(PAGE.length));
      await expect(opened.close()).rejects.toThrow('there are more bytes than pages');
    } finally {
      remove();
    }
  });

  test('that is not installed is asked for', () => {
    process.env['PATH'] = '/nowhere';
    expect(() => nodeInflater.open('zstd', payloads(PAGE))).toThrow(/Node 22.15 or the program zstd/);
  });
});
