import { createHash } from 'node:crypto';
import * as zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { fileOffsets } from '../../src/bytes/file-offsets.ts';
import { type FinishedSource, memorySource } from '../../src/bytes/source.ts';
import { listSnapshots } from '../../src/containers/qcow2.ts';
import { layouts, openStream } from '../../src/layout/open.ts';
import { images, openImage, readAll, readImage } from './images.ts';

const hasZstd = 'zstdDecompressSync' in zlib;
const readable = images.filter(
  ({ info }) => hasZstd || info['format-specific'].data['compression-type'] !== 'zstd',
);
const states = readable.flatMap(({ name, vmStates }) =>
  Object.entries(vmStates).map(([id, sha256]) => ({ name, id, sha256 })),
);

/** (`toEqual` takes its time with long arrays.) */
function expectSame(bytes: Uint8Array, expected: Uint8Array): void {
  expect(bytes.length).toBe(expected.length);
  expect(Buffer.compare(bytes, expected)).toBe(0);
}

describe.each(states)('$name, snapshot $id', ({ name, id, sha256 }) => {
  const image = readImage(name);

  test('has the bytes that QEMU reads', async () => {
    const { source, diagnostics } = await openImage(image, id);
    expect(
      createHash('sha256')
        .update(await readAll(source))
        .digest('hex'),
    ).toBe(sha256);
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  test('is read in any pieces', async () => {
    const { source } = await openImage(image, id);
    const whole = await readAll(source);
    const pieces = fc.tuple(fc.nat(source.size + 10), fc.nat(source.size));
    await fc.assert(
      fc.asyncProperty(pieces, async ([offset, length]) => {
        const into = new Uint8Array(length).fill(0xee);
        expectSame(await source.read(offset, length, into), whole.subarray(offset, offset + length));
      }),
      { numRuns: 30 },
    );
  });

  test('says where its bytes are in the file', async () => {
    const { source } = await openImage(image, id);
    const bytes = await readAll(source);
    const places = await fileOffsets(source, { start: 0, end: source.size });
    for (let offset = 0; offset < source.size; offset++) {
      const place = places.of(offset);
      if (place !== undefined && image[place] !== bytes[offset])
        expect.fail(`byte ${offset} is not at ${place}`);
    }
    const compressed = name.startsWith('z') && name !== 'zero-clusters';
    expect(places.of(0) === undefined).toBe(compressed);
  });

  test('is a stream without problems', async () => {
    const { source } = await openImage(image, id);
    const opened = await openStream(source);
    const diagnostics = [...opened.diagnostics];
    for await (const layout of layouts(opened)) diagnostics.push(...layout.diagnostics);
    expect(diagnostics.filter(({ severity }) => severity !== 'note')).toEqual([]);
  });
});

test('zeros and holes have no place in the file', async () => {
  for (const name of ['holes', 'zero-clusters']) {
    const { source } = await openImage(readImage(name), '1');
    const places = await fileOffsets(source, { start: 0, end: source.size });
    const bytes = await readAll(source);
    const nowhere = bytes.filter((_, offset) => places.of(offset) === undefined);
    expect(nowhere.length).toBeGreaterThan(50_000);
    expect(nowhere.every((byte) => byte === 0)).toBe(true);
  }
});

test.skipIf(hasZstd)('clusters in zstd are an error that says so where Node has no zstd', async () => {
  await expect(openImage(readImage('zstd'), '1')).rejects.toThrow(/zstd.*Node 22/);
});

test.each(images)('$name: lists the snapshots that qemu-img lists', async ({ name, info }) => {
  const { snapshots, diagnostics } = await listSnapshots(memorySource(readImage(name)));
  const expected = (info.snapshots ?? []).map((snapshot) => ({
    id: snapshot.id,
    name: snapshot.name,
    vmStateSize: snapshot['vm-state-size'],
    dateSeconds: snapshot['date-sec'],
    dateNanoseconds: snapshot['date-nsec'],
    vmClock: BigInt(snapshot['vm-clock-sec']) * 1_000_000_000n + BigInt(snapshot['vm-clock-nsec']),
    icount: snapshot.icount === undefined ? undefined : BigInt(snapshot.icount),
  }));
  expect(snapshots.map(({ diskSize, l1Offset, l1Size, ...listed }) => listed)).toEqual(expected);
  expect(diagnostics.map(({ severity }) => severity)).toEqual(name === 'in-use' ? ['warning'] : []);
});

describe('the choice of a snapshot', () => {
  const reasonOf = (image: Uint8Array, selector?: string) =>
    openImage(image, selector).then(
      () => undefined,
      (error: unknown) => (error instanceof DecodeError ? `${error.code}: ${error.message}` : error),
    );

  test('is made where just one has a VM state, and said', async () => {
    const { source, diagnostics, layers } = await openImage(readImage('large-clusters'));
    expect(source.name).toBe('disk.qcow2#only');
    expect(diagnostics.map(({ code, severity }) => [code, severity])).toEqual([['chosen-snapshot', 'note']]);
    expect(layers[0]).toMatchObject({ kind: 'qcow2', details: { snapshot: 'only', id: '1' } });
  });

  test('is the user’s where several have one', async () => {
    expect(await reasonOf(readImage('v2'))).toBe(
      "no-snapshot: the image has 2 snapshots with a VM state; append #NAME for one of them: 'first' (id 1), 'second' (id 2)",
    );
  });

  test('names come before ids', async () => {
    const image = readImage('v2');
    const renamed = Buffer.from(image).toString('latin1').replace('2second', '2\x31econd');
    const { source } = await openImage(Buffer.from(renamed, 'latin1'), '2');
    expect(source.name).toBe('disk.qcow2#1econd');
    const swapped = Buffer.from(image)
      .toString('latin1')
      .replace('1first', '2first')
      .replace('2second', '1second');
    expect((await openImage(Buffer.from(swapped, 'latin1'), 'first')).layers[0]?.details['id']).toBe('2');
  });

  test('fails where two have the name', async () => {
    const image = Buffer.from(
      Buffer.from(readImage('v2')).toString('latin1').replace('1first', '2first'),
      'latin1',
    );
    expect(await reasonOf(image, '2')).toBe(
      "no-snapshot: the image has 2 snapshots '2': 'first' (id 2), 'second' (id 2)",
    );
  });

  test('fails where there is none, or none of that name', async () => {
    expect(await reasonOf(readImage('v2'), 'third')).toMatch(
      /no snapshot 'third'; it has 'first' \(id 1\), 'second'/,
    );
    expect(await reasonOf(readImage('v2'), 'disk alone')).toMatch(/'disk alone' is of the disk alone/);
    expect(await reasonOf(readImage('v2'), '\u001b[31m')).toMatch(/no snapshot '\\x1b\[31m'/);
    expect(await reasonOf(readImage('data-file'))).toMatch(/^unsupported: .*'guest data\.raw'/);
    expect(await reasonOf(readImage('encrypted'))).toMatch(/^unsupported: .*encrypted \(AES\)/);
    expect(await reasonOf(new Uint8Array(9000), 'x')).toMatch(
      /^no-snapshot: there is nothing to select with #x/,
    );
  });
});

/** The image with other bytes at a place. */
function patched(image: Uint8Array, offset: number, ...bytes: number[]): Uint8Array {
  const copy = image.slice();
  copy.set(bytes, offset);
  return copy;
}

describe('a header that cannot be', () => {
  const image = readImage('large-clusters');
  test.each([
    ['another version', patched(image, 7, 1), /qcow version 1/],
    ['cluster bits', patched(image, 23, 22), /clusters of 2\^22 bytes/],
    ['the size of the disk', patched(image, 24, 0xff), /a disk of/],
    ['encryption', patched(image, 35, 2), /encrypted \(LUKS\)/],
    ['unknown encryption', patched(image, 35, 3), /encryption of type 3/],
    ['its length', patched(image, 103, 96), /a header of 96 bytes/],
    ['an unknown feature', patched(image, 72, 0x80), /feature that is not known: bit 63/],
    ['compression', patched(image, 104, 2), /compression of type 2/],
    ['the number of snapshots', patched(image, 60, 1), /16777217 snapshots/],
    [
      'the place of the snapshots',
      patched(image, 71, 8),
      /snapshot table is at 0x[0-9a-f]+8, not at the start/,
    ],
    ['the file ends', image.subarray(0, 100), /needed here/],
  ])('%s', async (_, bytes, message) => {
    await expect(openImage(bytes)).rejects.toThrow(message);
  });

  test('an unknown feature is called by the image’s own name for it', async () => {
    // QEMU's table names the bits that it knows; the name of one is moved to another.
    const table = Buffer.from(image).indexOf('corrupt bit');
    const renamed = patched(patched(image, table - 1, 40), 72, 0, 0, 1);
    await expect(openImage(renamed)).rejects.toThrow('feature that is not known: corrupt bit');
  });

  test('marks of QEMU are warnings', async () => {
    const { diagnostics } = await openImage(patched(image, 79, 3));
    const warnings = diagnostics.filter(({ severity }) => severity === 'warning');
    expect(warnings.map(({ message }) => message.slice(0, 27))).toEqual([
      'the image is marked corrupt',
      'the image is marked dirty: ',
    ]);
    expect((await openImage(readImage('in-use'))).diagnostics.map(({ severity }) => severity)).toEqual([
      'note',
      'warning',
    ]);
  });
});

describe('a damaged table', () => {
  const image = readImage('small-clusters');
  const CLUSTER = 512;

  /** Where the L2 entry of a byte of the VM state is, by the tables as QEMU's documentation has them. */
  async function l2Entry(offset: number): Promise<number> {
    const { snapshots } = await listSnapshots(memorySource(image));
    const { l1Offset, diskSize } = snapshots[0]!;
    const view = new DataView(image.buffer, image.byteOffset);
    const cluster = (Math.ceil(diskSize! / 32768) * 32768 + offset) / CLUSTER;
    const l1Entry = view.getBigUint64(l1Offset + 8 * Math.floor(cluster / 64)) & 0xfffffffffffe00n;
    return Number(l1Entry) + 8 * (Math.floor(cluster) % 64);
  }

  test.each([
    ['low reserved bits', [0x80, 0, 0, 0, 0, 0, 0x12, 2], 'has reserved bits set'],
    ['high reserved bits', [0x90, 0, 0, 0, 0, 0, 2, 0], 'has reserved bits set'],
    ['a cluster past the end', [0x80, 0, 0, 1, 0, 0, 2, 0], 'names a cluster at 0x100000200, past the end'],
    ['a compressed cluster past the end', [0x40, 0, 0, 1, 0, 0, 2, 0], 'compressed cluster at 0x100000200'],
    ['a compressed cluster of other data', [0x40, 0, 0, 0, 0, 0, 2, 0], 'is damaged'],
  ])('%s ends the VM state there', async (_, entry, problem) => {
    const place = await l2Entry(40 * CLUSTER);
    const { source, diagnostics } = await openImage(patched(image, place, ...entry), 'before');
    expect(source.size).toBe(40 * CLUSTER);
    const whole = await readAll((await openImage(image, 'before')).source);
    expectSame(await readAll(source), whole.subarray(0, 40 * CLUSTER));
    expect(diagnostics).toMatchObject([
      { severity: 'error', code: 'bad-container', range: { start: 40 * CLUSTER, end: whole.length } },
    ]);
    expect(diagnostics[0]?.message).toMatch(new RegExp(problem));
    if (!problem.includes('damaged'))
      expect(diagnostics[0]?.message).toContain(`0x${place.toString(16)} of the file`);
    // What came before it is shown.
    const opened = await openStream(source);
    expect(opened.stream.sections.length).toBeGreaterThan(3);
  });

  test('a cluster that is not aligned ends it, too', async () => {
    const large = readImage('large-clusters');
    const { source } = await openImage(large);
    const data = (await fileOffsets(source, { start: 0, end: 1 })).of(0)!;
    // The only L2 entry of this cluster.
    const entry = Buffer.from(large).indexOf(Buffer.from(`${data.toString(16).padStart(16, '0')}`, 'hex'));
    await expect(openImage(patched(large, entry + 6, 2))).rejects.toThrow(/, inside a cluster/);
  });

  test('one cluster everywhere is no VM state', async () => {
    const bytes = image.slice();
    const first = await l2Entry(0);
    const { snapshots } = await listSnapshots(memorySource(bytes));
    const { l1Offset, l1Size } = snapshots[0]!;
    // All L1 entries name one L2 table, and the snapshot says that it is as long as that goes.
    const l2Table = Math.floor(first / CLUSTER) * CLUSTER;
    for (let i = 0; i < 64; i++) bytes.copyWithin(l2Table + 8 * i, first, first + 8);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < l1Size; i++) view.setBigUint64(l1Offset + 8 * i, BigInt(l2Table));
    const table = view.getBigUint64(64);
    view.setBigUint64(Number(table) + 40, 2n ** 40n);
    const { source, diagnostics } = await openImage(bytes, 'before');
    expect(source.size).toBeLessThanOrEqual(bytes.length);
    expect(diagnostics[0]?.message).toMatch(
      /ends after \d+: (the L1 table ends|clusters of the file are in it several)/,
    );
  });

  test('zeros without end are no VM state', async () => {
    // An L1 table behind the image whose entries all name one L2 table, which says that all is zero.
    const entries = 4 << 20;
    const l1 = Math.ceil(image.length / CLUSTER) * CLUSTER + CLUSTER;
    const bytes = new Uint8Array(l1 + 8 * entries);
    bytes.set(image);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < 64; i++) view.setBigUint64(l1 - CLUSTER + 8 * i, 1n);
    for (let i = 0; i < entries; i++) view.setBigUint64(l1 + 8 * i, BigInt(l1 - CLUSTER));
    const table = Number(view.getBigUint64(64));
    view.setBigUint64(table, BigInt(l1));
    view.setUint32(table + 8, entries);
    view.setBigUint64(table + 40, 2n ** 36n);
    await expect(openImage(bytes, 'before')).rejects.toThrow('more zeros follow than a stream has');
  });

  test('a size beyond the L1 table is cut to what there is', async () => {
    const bytes = image.slice();
    const view = new DataView(bytes.buffer);
    view.setBigUint64(Number(view.getBigUint64(64)) + 40, 2n ** 52n);
    const { source, diagnostics } = await openImage(bytes, 'before');
    expect(diagnostics[0]?.message).toMatch(
      /is 4503599627370496 bytes long, but ends after \d+: the L1 table ends at/,
    );
    const whole = await readAll((await openImage(image, 'before')).source);
    expectSame(await source.read(0, whole.length), whole);
  });

  test('an L1 table that cannot be is an error', async () => {
    const view = new DataView(image.buffer);
    const table = Number(view.getBigUint64(64));
    await expect(openImage(patched(image, table, 1), 'before')).rejects.toThrow(/past the end of the file/);
    await expect(openImage(patched(image, table + 7, 1), 'before')).rejects.toThrow(/inside a cluster/);
    await expect(openImage(patched(image, table + 8, 1), 'before')).rejects.toThrow(
      /larger than QEMU allows/,
    );
  });

  test('a snapshot table that breaks off keeps its beginning', async () => {
    const view = new DataView(image.buffer);
    const table = Number(view.getBigUint64(64));
    const second = table + 72;
    const { snapshots, diagnostics } = await listSnapshots(memorySource(patched(image, second + 36, 0xff)));
    expect(snapshots.map(({ name }) => name)).toEqual(['before']);
    expect(diagnostics[0]?.message).toMatch(/entry 1 of 2 .* has 4278190104 bytes of extra data/);
  });
});

describe('whatever the bytes', () => {
  /** Opens and reads; only a DecodeError may come of it, and no more bytes than the snapshot claims. */
  async function survives(image: FinishedSource): Promise<void> {
    try {
      const { snapshots } = await listSnapshots(image);
      for (const { id, vmStateSize } of snapshots.slice(0, 3)) {
        try {
          const { source } = await openImage(image, id);
          expect(source.size).toBeLessThanOrEqual(vmStateSize);
          // To its end, but not for ever: holes may be large.
          for (let offset = 0; offset < Math.min(source.size, 4 << 20); offset += 1 << 20) {
            const length = Math.min(1 << 20, source.size - offset);
            expect((await source.read(offset, length)).length).toBe(length);
          }
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }

  const names = ['v2', 'small-clusters', 'subclusters', 'holes', 'zlib'];

  test.each(names)('%s with changed tables', async (name) => {
    const image = readImage(name);
    const { snapshots } = await listSnapshots(memorySource(image));
    const view = new DataView(image.buffer);
    const table = Number(view.getBigUint64(64));
    const places = [0, table];
    for (const { l1Offset, l1Size } of snapshots) {
      places.push(l1Offset);
      for (let i = 0; i < l1Size; i++)
        places.push(Number(view.getBigUint64(l1Offset + 8 * i) & 0xfffffffffffe00n));
    }
    const change = fc.tuple(fc.constantFrom(...new Set(places)), fc.nat(200), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
        const bytes = image.slice();
        for (const [place, offset, byte] of changes)
          if (place + offset < bytes.length) bytes[place + offset] = byte;
        await survives(memorySource(bytes));
      }),
      { numRuns: 60 },
    );
  });

  test.each(names)('%s cut', async (name) => {
    const image = readImage(name);
    const { source } = await openImage(image, '1');
    const whole = await readAll(source);
    await fc.assert(
      fc.asyncProperty(fc.nat(image.length), async (length) => {
        const cut = image.subarray(0, length);
        await survives(memorySource(cut));
        const opened = await openImage(cut, '1').catch(() => undefined);
        if (opened) expectSame(await readAll(opened.source), whole.subarray(0, opened.source.size));
      }),
      { numRuns: 40 },
    );
  });
});
