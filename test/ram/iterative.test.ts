import { describe, expect, test } from 'vitest';
import { findIterativeScanner } from '../../src/ram/iterative.ts';
import { bytes, context, hex, scanBodies, text8, u8, u16, u32, u64 } from './section-bytes.ts';

const zeros = (length: number) => new Uint8Array(length);

test('which sections have a scanner', () => {
  for (const idstr of ['ram', 'spapr/htab', 'block', '0000:00:04.0/vfio', 'vfio']) {
    expect(findIterativeScanner(idstr), idstr).toBeDefined();
  }
  for (const idstr of ['cpu', '0000:00:04.0/vfio-user', 'not-vfio', 'ram/x', '']) {
    expect(findIterativeScanner(idstr), idstr).toBeUndefined();
  }
});

describe('spapr/htab', () => {
  const htab = context('spapr/htab', 1);

  test('of a pseries guest that uses none of it, by QEMU 7.2', async () => {
    const summary = await scanBodies(htab, [
      ['SECTION_START', hex('00000015')],
      ['SECTION_PART', hex('000000000000000000000000')],
      ['SECTION_END', hex('000000000000000000000000')],
    ]);
    expect(summary).toEqual({ kind: 'htab', shift: 21, chunks: 0, valid: 0, invalid: 0 });
  });

  test('of a pseries guest that has entered six translations, by QEMU 7.2', async () => {
    const part = hex(
      `00000000
       00000010 0004 0000
       0000000000001001 0000000000000192 0000000000002001 0000000000001192
       0000000000003001 0000000000002192 0000000000004001 0000000000003192
       00000100 0001 0000 0000000000005001 0000000000004192
       00007ff8 0001 0000 0000000000006001 0000000000005192
       00000000 0000 0000`,
    );
    const summary = await scanBodies(htab, [
      ['SECTION_START', hex('00000015')],
      ['SECTION_PART', part],
      ['SECTION_END', hex('000000000000000000000000')],
    ]);
    expect(summary).toEqual({ kind: 'htab', shift: 21, chunks: 3, valid: 6, invalid: 0 });
  });

  test('entries that have become invalid take no bytes', async () => {
    const part = bytes(
      u32(0),
      bytes(u32(0x1ff00), u16(0), u16(0x100)),
      bytes(u32(0), u16(1), u16(3), zeros(16)),
      zeros(8),
    );
    const summary = await scanBodies(htab, [
      ['SECTION_START', u32(21)],
      ['SECTION_PART', part],
    ]);
    expect(summary).toEqual({ kind: 'htab', shift: 21, chunks: 2, valid: 1, invalid: 259 });
  });

  test('-1 says that there is no table', async () => {
    const none = hex('ffffffff');
    const summary = await scanBodies(htab, [
      ['SECTION_START', none],
      ['SECTION_PART', none],
      ['SECTION_END', none],
    ]);
    expect(summary).toMatchObject({ shift: undefined, chunks: 0 });
  });

  test.each([
    ['a shift of 47', [u32(47)], 'bad-iterative', /2\^47 bytes; expected a shift of 18 to 46/],
    [
      'an index outside',
      [u32(18), bytes(u32(0), u32(0x4000), u16(1), u16(0))],
      'bad-iterative',
      /index 0x4000 of a .* 0x4000/,
    ],
    [
      'a cut entry',
      [u32(18), bytes(u32(0), u32(1), u16(9), u16(0))],
      'truncated',
      /ends inside the hash page table/,
    ],
  ])('an error for %s', async (_, bodies, code, message) => {
    const scan = scanBodies(
      htab,
      bodies.map((body) => ['SECTION_PART', body]),
    );
    await expect(scan).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('s390x', () => {
  test('storage attributes of a guest without, by QEMU 7.2', async () => {
    const summary = await scanBodies(context('s390-storage_attributes', 0), [
      ['SECTION_START', hex('0000000000000001')],
      ['SECTION_END', hex('00000000000000080000000000000001')],
    ]);
    expect(summary).toEqual({ kind: 's390-storage_attributes', runs: 0, pages: 0, done: true });
  });

  test('storage attributes are a byte a page', async () => {
    const part = bytes(u64(0x5002), u64(3), zeros(3), u64(0x9002), u64(1), zeros(1), u64(1));
    const summary = await scanBodies(context('s390-storage_attributes', 0), [['SECTION_PART', part]]);
    expect(summary).toMatchObject({ runs: 2, pages: 4, done: false });
  });

  test.each([
    ['ERROR', u64(4), 'bad-iterative', /could not read its storage attributes/],
    ['an unknown flag', u64(0x10), 'bad-iterative', /flags 0x10; expected MORE, DONE or EOS/],
    ['more bytes than there are', bytes(u64(2), u64(2n ** 60n)), 'truncated', /ends inside a run/],
  ])('storage attributes with %s', async (_, body, code, message) => {
    const scan = scanBodies(context('s390-storage_attributes', 0), [['SECTION_PART', body]]);
    await expect(scan).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('storage keys of a guest that has set five, by QEMU 7.2', async () => {
    // 16 MiB; the code of the guest was at 64 KiB, and using it set the reference bit of that page.
    const keys = zeros(4096);
    keys.set(hex('04'), 0x10);
    keys.set(hex('303030f8'), 0x100);
    keys.set(hex('06'), 0xfff);
    const body = bytes(hex('0000000000000002 0000000000001000'), keys, hex('0000000000000001'));
    const summary = await scanBodies(context('s390-skeys', 1), [['SECTION_FULL', body]]);
    expect(summary).toEqual({
      kind: 's390-skeys',
      ranges: [{ address: 0, pages: 4096 }],
      runs: [
        { address: 0, pages: 0x10, key: 0 },
        { address: 0x10000, pages: 1, key: 0x04 },
        { address: 0x11000, pages: 0xef, key: 0 },
        { address: 0x100000, pages: 3, key: 0x30 },
        { address: 0x103000, pages: 1, key: 0xf8 },
        { address: 0x104000, pages: 0xefb, key: 0 },
        { address: 0xfff000, pages: 1, key: 0x06 },
      ],
      keys: { 0: 4090, 4: 1, 6: 1, 48: 3, 248: 1 },
      failed: false,
    });
  });

  test('storage keys in runs over several ranges', async () => {
    const body = bytes(
      bytes(u64(0x10002), u64(6), hex('303030063010')),
      bytes(u64(0x80000002), u64(2), hex('1010')),
      u64(4),
    );
    const summary = await scanBodies(context('s390-skeys', 1), [['SECTION_FULL', body]]);
    expect(summary).toMatchObject({
      ranges: [
        { address: 0x10000, pages: 6 },
        { address: 0x80000000, pages: 2 },
      ],
      runs: [
        { address: 0x10000, pages: 3, key: 0x30 },
        { address: 0x13000, pages: 1, key: 0x06 },
        { address: 0x14000, pages: 1, key: 0x30 },
        { address: 0x15000, pages: 1, key: 0x10 },
        { address: 0x80000000, pages: 2, key: 0x10 },
      ],
      keys: { 6: 1, 16: 3, 48: 4 },
      failed: true,
    });
  });

  test('the clock, by QEMU 5.2', async () => {
    const summary = await scanBodies(context('todclock', 1), [['SECTION_FULL', hex('0100e39ffe6b168e0e00')]]);
    expect(summary).toEqual({ kind: 'todclock', tod: { high: 0, low: 0xe39ffe6b168e0e00n } });
    // Bit 51 counts microseconds from 1900; the stream was written on 2026-11-23.
    const microseconds = Number(0xe39ffe6b168e0e00n >> 12n);
    expect(new Date(Date.UTC(1900, 0, 1) + microseconds / 1000).toISOString().slice(0, 10)).toBe(
      '2026-11-23',
    );
  });

  test('a clock that could not be read', async () => {
    const summary = await scanBodies(context('todclock', 1), [['SECTION_FULL', u8(0)]]);
    expect(summary).toEqual({ kind: 'todclock', tod: undefined });
    await expect(scanBodies(context('todclock', 1), [['SECTION_FULL', u8(2)]])).rejects.toThrow(
      /begins with 0x2/,
    );
  });
});

describe('dirty-bitmap', () => {
  test('four bitmaps on two nodes, by QEMU 7.2', async () => {
    const start = hex(
      `1c 02 6430 08 64697361626c6564 00010000 00
       14 0a 726177206269746d6170 00010000 01
       1c 02 6431 04 66696e65 00000200 01
       14 0b 70657273697374656e7430 00010000 03
       01`,
    );
    // The beginning of the END record, and one COMPLETE chunk of its last ones.
    const end = bytes(
      hex('4e 02 6430 08 64697361626c6564 0000000000000000 00008000'),
      hex('44 0a 726177206269746d6170 0000000000000000 00008000 0000000000000020'),
      new Uint8Array(32).fill(0xff),
      hex('24 08 64697361626c6564'),
      hex('01'),
    );
    const summary = await scanBodies(context('dirty-bitmap', 1), [
      ['SECTION_START', start],
      ['SECTION_PART', u8(1)],
      ['SECTION_END', end],
    ]);
    const none = { chunks: 0, zeroChunks: 0, bytes: 0, dirty: 0, covered: 0, complete: false };
    expect(summary).toEqual({
      kind: 'dirty-bitmap',
      bitmaps: [
        {
          ...{ node: 'd0', name: 'disabled', granularity: 65536, enabled: false, persistent: false },
          ...{ ...none, chunks: 1, zeroChunks: 1, covered: 16 << 20, complete: true },
        },
        {
          ...{ node: 'd0', name: 'raw bitmap', granularity: 65536, enabled: true, persistent: false },
          ...{ ...none, chunks: 1, bytes: 32, dirty: 256, covered: 16 << 20 },
        },
        { node: 'd1', name: 'fine', granularity: 512, enabled: true, persistent: false, ...none },
        { node: 'd1', name: 'persistent0', granularity: 65536, enabled: true, persistent: true, ...none },
      ],
    });
  });

  const named = bytes(text8('d0'), text8('b'));
  test.each([
    ['two-byte flags', u8(0x80), /more than 8 bits of flags/],
    ['no names', u8(0x40), /flags 0x40\) before the name of a node/],
    ['no bitmap', bytes(u8(0x48), text8('d0')), /before the name of a bitmap/],
    ['nothing to do', bytes(u8(0x0c), named), /flags 0xc; expected START, BITS, COMPLETE or EOS/],
    ['two things to do', bytes(u8(0x1c), named, u32(512), u8(0), u8(0x60)), /flags 0x60; expected one of/],
    ['an odd granularity', bytes(u8(0x1c), named, u32(513), u8(0)), /granularity of 513 bytes/],
    ['unknown properties', bytes(u8(0x1c), named, u32(512), u8(8)), /unknown flags 0x8/],
    ['bits of no bitmap', bytes(u8(0x4c), named, u64(0), u32(1)), /no START chunk has announced/],
    [
      'too many bits',
      bytes(u8(0x1c), named, u32(512), u8(0), u8(0x40), u64(0), u32(1), u64(10241)),
      /10241 bytes/,
    ],
  ])('an error for %s', async (_, body, message) => {
    const scan = scanBodies(context('dirty-bitmap', 1), [['SECTION_PART', bytes(body, zeros(32))]]);
    await expect(scan).rejects.toMatchObject({
      code: 'bad-iterative',
      message: expect.stringMatching(message),
    });
  });
});

describe('block', () => {
  test('a disk of 4 MiB with one block that is not zero, by QEMU 7.2', async () => {
    // The content of the block, 1 MiB, is replaced by zeros.
    const part = bytes(
      bytes(hex('0000000000300009026430'), hex('0000000000200001026430'), zeros(1 << 20)),
      hex('00000000001000090264300000000000000009026430'),
      hex('0000000000000002'),
    );
    const summary = await scanBodies(context('block', 1), [
      ['SECTION_START', hex('0000000000000002')],
      [
        'SECTION_PART',
        hex('00000000000000040000000000003204000000000000640400000000000096040000000000000002'),
      ],
      ['SECTION_PART', part],
      ['SECTION_END', hex('000000000000c8040000000000000002')],
    ]);
    expect(summary).toEqual({
      kind: 'block',
      devices: [{ device: 'd0', blocks: 1, zeroBlocks: 3, covered: 4 << 20 }],
      progress: 100,
    });
  });

  test.each([
    ['unknown flags', u64(0x10), 'bad-iterative', /flags 0x10; expected DEVICE_BLOCK, PROGRESS or EOS/],
    ['a cut block', bytes(u64(1), text8('d0'), zeros(100)), 'truncated', /ends inside a block of a disk/],
  ])('an error for %s', async (_, body, code, message) => {
    const scan = scanBodies(context('block', 1), [['SECTION_PART', body]]);
    await expect(scan).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('slirp', () => {
  test('a table with one lease', async () => {
    const clients = zeros(128);
    clients.set(hex('0001525400123456'), 8);
    const body = bytes(u8(0), u16(7), clients);
    const summary = await scanBodies(context('slirp', 4), [['SECTION_FULL', body]]);
    expect(summary).toEqual({
      kind: 'slirp',
      ipId: 7,
      bootpClients: [{ index: 1, mac: '52:54:00:12:34:56' }],
    });
  });

  test.each([
    [u8(42), 'unsupported'],
    [u8(1), 'bad-iterative'],
    [u8(0), 'truncated'],
  ])('%j is refused', async (body, code) => {
    await expect(scanBodies(context('slirp', 4), [['SECTION_FULL', body]])).rejects.toMatchObject({ code });
  });
});

describe('vfio', () => {
  const tag = (low: number) => bytes(u32(0xffffffff), u32(low));
  const END_OF_STATE = tag(0xef100001);
  const DEV_CONFIG_STATE = tag(0xef100002);
  const DEV_SETUP_STATE = tag(0xef100003);
  const DEV_DATA_STATE = tag(0xef100004);
  const DEV_INIT_DATA_SENT = tag(0xef100005);
  const vfio = context('0000:00:04.0/vfio', 1);

  /** PCIDevice: version, config space, interrupt states; MSI-X state as its capability says. */
  function pciConfig(configSize: number, vectors: number): Uint8Array {
    const config = zeros(configSize);
    if (vectors > 0) {
      config[0x06] = 0x10;
      config[0x34] = 0x40;
      config.set([0x05, 0x50], 0x40);
      config.set([0x11, 0x00, (vectors - 1) & 0xff, (vectors - 1) >> 8], 0x50);
    }
    return bytes(u32(2), config, zeros(16), zeros(vectors * 16 + Math.ceil(vectors / 8)));
  }

  test('setup, data, and the configuration in a record of its own', async () => {
    const config = pciConfig(4096, 65);
    const summary = await scanBodies(vfio, [
      ['SECTION_START', bytes(DEV_SETUP_STATE, END_OF_STATE)],
      ['SECTION_PART', bytes(DEV_DATA_STATE, u64(5), zeros(5), DEV_INIT_DATA_SENT)],
      ['SECTION_END', bytes(DEV_DATA_STATE, u64(70000), zeros(70000), DEV_DATA_STATE, u64(0), END_OF_STATE)],
      ['SECTION_FULL', bytes(DEV_CONFIG_STATE, config, END_OF_STATE)],
    ]);
    expect(summary).toEqual({
      kind: 'vfio',
      dataChunks: 3,
      dataBytes: 70005,
      configBytes: config.length,
      initialDataSent: true,
    });
  });

  test.each([
    [256, 0],
    [256, 3],
    [4096, 0],
  ])(
    'a configuration of %i bytes with %i vectors, and data behind it as QEMU 5.2 has it',
    async (size, vectors) => {
      const config = pciConfig(size, vectors);
      const body = bytes(
        DEV_CONFIG_STATE,
        config,
        END_OF_STATE,
        DEV_DATA_STATE,
        u64(1),
        zeros(1),
        END_OF_STATE,
      );
      const summary = await scanBodies(vfio, [['SECTION_END', body]]);
      expect(summary).toMatchObject({ configBytes: config.length, dataBytes: 1 });
    },
  );

  test('a configuration with a subsection', async () => {
    const subsection = bytes(u8(5), text8('VFIOPCIDevice/VFIODisplay'), u32(1), zeros(10));
    const config = bytes(pciConfig(256, 1), subsection);
    const summary = await scanBodies(vfio, [['SECTION_FULL', bytes(DEV_CONFIG_STATE, config, END_OF_STATE)]]);
    expect(summary).toMatchObject({ configBytes: config.length });
  });

  test.each([
    [
      'a configuration without an end',
      bytes(DEV_CONFIG_STATE, pciConfig(256, 0), zeros(8)),
      'unsupported',
      /does not end where/,
    ],
    ['another tag', tag(0xef1000ff), 'bad-iterative', /0xffffffffef1000ff is not a VFIO_MIG_FLAG/],
    ['no tag', u64(1), 'bad-iterative', /0x0000000000000001 is not a VFIO_MIG_FLAG/],
    ['cut data', bytes(DEV_DATA_STATE, u64(2n ** 63n)), 'truncated', /the stream ends inside/],
  ])('an error for %s', async (_, body, code, message) => {
    const scan = scanBodies(vfio, [['SECTION_PART', body]]);
    await expect(scan).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

test.each([
  ['spapr/htab', 2],
  ['s390-storage_attributes', 1],
  ['s390-skeys', 2],
  ['todclock', 2],
  ['dirty-bitmap', 2],
  ['block', 2],
  ['slirp', 9],
  ['x/vfio', 2],
])('%s version %i is not read', async (idstr, version) => {
  const scan = scanBodies(context(idstr, version), [['SECTION_FULL', zeros(64)]]);
  await expect(scan).rejects.toMatchObject({ code: 'unsupported' });
});
