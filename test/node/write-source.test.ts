import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { splicedSource } from '../../src/bytes/splice.ts';
import { openFile } from '../../src/node/file-source.ts';
import { writeSource } from '../../src/node/write-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'vmwalk-copy-'));
afterAll(() => rmSync(folder, { recursive: true }));

const size = 3 << 20;
const content = Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
const model = join(folder, 'model');
writeFileSync(model, content);
chmodSync(model, 0o755);

test.each([
  ['bytes in the middle', [{ start: 0, end: 70_000 }, Uint8Array.of(1, 2, 3), { start: 70_003, end: size }]],
  ['a longer beginning', [Uint8Array.of(9, 9), { start: 0, end: size }]],
  ['a shorter end', [{ start: 0, end: 2 << 20 }, Uint8Array.of(5)]],
  ['nothing', [{ start: 0, end: size }]],
])('a copy with other %s has them, and permissions of its own', async (name, pieces) => {
  const file = await openFile(model);
  const source = splicedSource(file, pieces);
  const path = join(folder, name);
  expect(await writeSource(path, source, model)).toBe(source.size);
  await file.close();
  const expected = Buffer.concat(
    pieces.map((piece) => (piece instanceof Uint8Array ? piece : content.subarray(piece.start, piece.end))),
  );
  expect(readFileSync(path).equals(expected)).toBe(true);
  expect(statSync(path).mode & 0o111).toBe(0);
});
