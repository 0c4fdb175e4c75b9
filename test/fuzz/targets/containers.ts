import { createHash } from 'node:crypto';
import type { Range } from '../../../src/bytes/range.ts';
import { memorySource } from '../../../src/bytes/source.ts';
import type { CompressionFormat } from '../../../src/containers/container.ts';
import { unwrap } from '../../../src/containers/open.ts';
import { listSnapshots } from '../../../src/containers/qcow2.ts';
import { nodeEnvironment } from '../../../src/node/decompress.ts';
import { compress } from '../../containers/environment.ts';
import { readImage } from '../../containers/images.ts';
import { orRefused } from '../failure.ts';
import type { Judgement, Target } from '../target.ts';
import { anyStream } from './streams.ts';

/** Of what a container claims to hold, this much is read at its start and at its end. */
const PART = 1 << 20;
const HEADER_WORDS = 64;

/** Opens whatever containers there are, and reads of what is inside. */
async function judgeContainer(bytes: Uint8Array): Promise<Judgement> {
  const problems: string[] = [];
  const result = await orRefused(async () => {
    const opened = await unwrap(memorySource(bytes, 'input'), nodeEnvironment());
    try {
      const { size } = opened.source;
      if (!Number.isSafeInteger(size) || size < 0) problems.push(`a source of ${size} bytes`);
      const hash = createHash('sha256');
      for (const start of [0, Math.max(0, size - PART)]) {
        const expected = Math.min(PART, size - start);
        const read = await opened.source.read(start, expected);
        if (read.length > expected) problems.push(`${read.length} bytes where ${expected} were asked for`);
        hash.update(read);
      }
      for (const { message } of opened.diagnostics)
        if (/\p{C}/u.test(message))
          problems.push(`a message that is no line of text: ${JSON.stringify(message)}`);
      const layers = JSON.stringify(opened.layers.map(({ kind, details }) => ({ kind, details })));
      return `${layers} ${size} ${hash.digest('hex')}`;
    } finally {
      await opened.close();
    }
  });
  return { problems, result: result ?? 'refused' };
}

/** Words of a header. */
function headerPlaces(length: number, at = 0): Range[] {
  return Array.from({ length: HEADER_WORDS }, (_, i) => ({
    start: at + 4 * i,
    end: at + 4 * i + (i % 2 === 0 ? 8 : 4),
  })).filter(({ end }) => end <= length);
}

export const qcow2: Target = {
  name: 'qcow2',
  about: 'qcow2 images with snapshots',
  seeds: () =>
    ['zlib', 'zlib-subclusters', 'zero-clusters', 'data-file', 'encrypted', 'holes', 'small-clusters'].map(
      readImage,
    ),
  places: (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const places = headerPlaces(bytes.length);
    if (bytes.length < 72) return places;
    // Offsets of the first-level, reference and snapshot tables (docs/interop/qcow2.txt), and what these lead to.
    for (const field of [40, 48, 64]) {
      const table = Number(view.getBigUint64(field));
      if (table + 512 > bytes.length) continue;
      places.push(...headerPlaces(bytes.length, table));
      for (const next of [table, table + 8]) {
        const second = Number(view.getBigUint64(next) & 0x00ff_ffff_ffff_fe00n);
        if (second > 0 && second + 512 <= bytes.length) places.push(...headerPlaces(bytes.length, second));
      }
    }
    return places;
  },
  async judge(bytes) {
    const listed = await orRefused(async () => {
      const { snapshots } = await listSnapshots(memorySource(bytes, 'input'));
      return JSON.stringify(snapshots, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
    });
    const opened = await judgeContainer(bytes);
    return { ...opened, result: `${listed} ${opened.result}` };
  },
  testRuns: 40,
};

export const libvirt: Target = {
  name: 'libvirt',
  about: "libvirt's save images",
  seeds: () => [1, 2].flatMap((version) => [0, 1, 6].map((format) => saveImage(version, format))),
  places: (bytes) => headerPlaces(bytes.length),
  judge: judgeContainer,
  testRuns: 40,
};

/** virQEMUSaveHeader (libvirt, src/qemu/qemu_saveimage.h), a domain, and a stream. */
function saveImage(version: number, format: number): Uint8Array {
  const xml = Buffer.from('<domain type="qemu"><name>vm</name></domain>\0<cookie/>\0\0\0\0');
  const header = Buffer.alloc(92);
  header.write('LibvirtQemudSave');
  const words = [version, xml.length, 1, format, 45];
  for (const [i, word] of words.entries()) header.writeUInt32LE(word, 16 + 4 * i);
  const stream = anyStream();
  return new Uint8Array(Buffer.concat([header, xml, format === 1 ? compress('gzip', stream) : stream]));
}

function wrapper(format: CompressionFormat, testRuns: number): Target {
  return {
    name: format,
    about: `streams in ${format} files`,
    seeds: () =>
      [anyStream(), new Uint8Array(0), new Uint8Array(100_000)].map(
        (content) => new Uint8Array(compress(format, content)),
      ),
    places: (bytes) => headerPlaces(bytes.length),
    judge: judgeContainer,
    testRuns,
  };
}

/** Programs decode most of them: there are few inputs a second. */
export const wrappers: readonly Target[] = [
  wrapper('gzip', 100),
  wrapper('zstd', 5),
  wrapper('xz', 5),
  wrapper('bzip2', 5),
  wrapper('lzop', 5),
];
