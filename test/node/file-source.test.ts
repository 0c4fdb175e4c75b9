import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { type FileSource, openFile } from '../../src/node/file-source.ts';

const content = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff);

async function openedFile(): Promise<{ source: FileSource; path: string; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'vmwalk-file-'));
  const path = join(folder, 'file');
  writeFileSync(path, content);
  const source = await openFile(path);
  onTestFinished(async () => {
    await source.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { source, path, folder };
}

describe('a file that is read', () => {
  const changes: Readonly<Record<string, { change(path: string): void; message: RegExp }>> = {
    'cut short': { change: (path) => truncateSync(path, 100), message: /it had 5000 bytes, and has 100$/ },
    'appended to': {
      change: (path) => appendFileSync(path, 'more'),
      message: /it had 5000 bytes, and has 5004$/,
    },
    'written to': {
      // Its time may be that of a tick of the clock that is over.
      change(path) {
        for (const before = Date.now(); Date.now() < before + 50; );
        writeFileSync(path, Buffer.alloc(5000));
      },
      message: /it was written to$/,
    },
    replaced: {
      change(path) {
        writeFileSync(`${path}.new`, content);
        renameSync(`${path}.new`, path);
      },
      message: /another file has its name$/,
    },
  };

  test.each(Object.entries(changes))('and %s meanwhile is another one', async (_, { change, message }) => {
    const { source, path } = await openedFile();
    expect(Uint8Array.from(await source.read(10, 20))).toEqual(content.subarray(10, 30));
    const { identity } = source;
    expect(identity).toMatch(/^\d+:\d+:[\d.]+:5000$/);
    change(path);
    for (const [offset, length] of [
      [0, 10],
      [4990, 10],
    ] as const) {
      const error: unknown = await source.read(offset, length).catch((reason) => reason);
      expect(error).toBeInstanceOf(DecodeError);
      expect((error as DecodeError).code).toBe('changed');
      expect((error as DecodeError).message).toMatch(message);
    }
    const again = await openFile(path);
    expect(again.identity).not.toBe(identity);
    await again.close();
  });

  test('and removed meanwhile is the same one', async () => {
    const { source, path } = await openedFile();
    unlinkSync(path);
    expect(Uint8Array.from(await source.read(0, 5000))).toEqual(content);
  });

  test('is read as it is where its identity does not matter', async () => {
    const { source, path } = await openedFile();
    appendFileSync(path, 'more');
    const all = source.withoutIdentity?.();
    expect(Uint8Array.from(await all!.read(0, 6000))).toEqual(content);
  });
});

test('reads of a whole file in small pieces let timers and signals have their turn', async () => {
  const { path } = await openedFile();
  const size = 64 << 20;
  truncateSync(path, size);
  const source = await openFile(path);
  onTestFinished(() => source.close());
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const into = new Uint8Array(256 << 10);
  for (let offset = 0; offset < size; offset += into.length) await source.read(offset, into.length, into);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
});
