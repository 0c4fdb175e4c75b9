import { describe, expect, test } from 'vitest';
import { at, bytesOf, checkTree, decodeHex, decodeInfo, leaf, meaning } from './decode-info.ts';

describe('msix state', () => {
  // Of the e1000e of pci-configs.ts. Monitor, `xp /20wx 0xfe840000`, which is its MSI-X table:
  // 0xfee01004 0x00000000 0x0000002c 0x00000000
  // 0xfee01004 0x00000000 0x0000002d 0x00000000
  // 0xfee01004 0x00000000 0x0000002e 0x00000000
  // 0x00000000 0x00000000 0x00000000 0x00000001
  // 0x00000000 0x00000000 0x00000000 0x00000001
  const state = bytesOf(
    81,
    `
    000 0410e0fe000000002c00000000000000
    010 0410e0fe000000002d00000000000000
    020 0410e0fe000000002e00000000000000
    030 00000000000000000000000001000000
    040 00000000000000000000000001000000`,
  );

  test('a table of five vectors, and five pending bits', () => {
    const node = decodeInfo('msix state', state)!;
    checkTree(node, 81);
    expect(at(node, 'vectors')).toMatchObject({ kind: 'array', length: 5, type: 'struct' });
    for (const [i, data] of [0x2c, 0x2d, 0x2e].entries()) {
      expect(leaf(node, 'vectors', i, 'address').value).toBe(0xfee01004n);
      expect(leaf(node, 'vectors', i, 'data').value).toBe(data);
      expect(leaf(node, 'vectors', i, 'control')).toEqual({ value: 0, meaning: undefined });
    }
    expect(leaf(node, 'vectors', 4, 'control')).toEqual({ value: 1, meaning: 'masked' });
    expect(leaf(node, 'pending').value).toEqual(new Uint8Array(1));
  });

  test('pending bits count from the lowest of each byte', () => {
    const pending = new Uint8Array(16 * 12 + 2);
    pending.set([0x0b, 0x08], 16 * 12);
    expect(meaning(decodeInfo('msix state', pending), 'pending')).toBe('vectors 0-1, 3, 11');
  });

  test('a size that no number of vectors has stays bytes', () => {
    for (const size of [0, 1, 16, 18, 32, 34, 80, 82, 16 * 8 + 2]) {
      expect(decodeInfo('msix state', new Uint8Array(size))).toBeUndefined();
    }
    checkTree(decodeInfo('msix state', new Uint8Array(2048 * 16 + 256))!, 2048 * 16 + 256);
    expect(decodeInfo('msix state', new Uint8Array(2049 * 16 + 257))).toBeUndefined();
  });
});

test('pci irq state: a level for each pin', () => {
  const node = decodeHex('pci irq state', '00000000000000010000000000000000')!;
  checkTree(node, 16);
  expect(leaf(node, 'pins', 1)).toEqual({ value: 1, meaning: 'INTB# asserted' });
  expect(leaf(node, 'pins', 0)).toEqual({ value: 0, meaning: undefined });
  expect(decodeHex('pci irq state', '00000000')).toBeUndefined();
});

describe('shpc', () => {
  // Of the pci-bridge of pci-configs.ts; query-pci: behind it is one device, in slot 3.
  const state = bytesOf(
    160,
    `
    000 000000001f000000000000001f0101e0
    010 00000001000000000000000000000000
    020 0f0000000f0d007f0f0d007f0600007f${'\n'}${[0x30, 0x40, 0x50, 0x60, 0x70, 0x80, 0x90]
      .map((offset) => `${offset.toString(16)} ${'0f0d007f'.repeat(4)}`)
      .join('\n')}`,
  );

  test('slots and what is in them', () => {
    const node = decodeInfo('shpc', state)!;
    checkTree(node, 160);
    expect(meaning(node, 'slots')).toBe('slots 31');
    expect(meaning(node, 'first_device')).toBe('device 1');
    expect(at(node, 'slot')).toMatchObject({ kind: 'array', length: 31 });
    // Slots count from device 1.
    const presence = Array.from({ length: 31 }, (_, i) =>
      meaning(node, 'slot', i, 'status')!.split(', ').at(-1),
    );
    expect(presence.flatMap((text, i) => (text === 'empty' ? [] : [`device ${i + 1}: ${text}`]))).toEqual([
      'device 3: card 7.5 W',
    ]);
    expect(meaning(node, 'slot', 2, 'status')).toMatch(/^enabled, power LED on/);
  });

  test('a number of slots that is not the size stays bytes', () => {
    expect(decodeInfo('shpc', state.subarray(0, 156))).toBeUndefined();
    expect(decodeInfo('shpc', state.subarray(0, 0x24))).toBeUndefined();
    expect(decodeInfo('shpc', state.subarray(0, 8))).toBeUndefined();
    expect(decodeInfo('shpc', new Uint8Array(0))).toBeUndefined();
    checkTree(decodeInfo('shpc', new Uint8Array(0x24))!, 0x24);
  });
});

describe('bitmap', () => {
  test('option vector 5 of a pseries with Linux: the bits that both sides agreed on', () => {
    // QEMU 10.0.13, spapr/spapr_option_vector_ov5_cas, first word. PAPR numbers byte b and bit n, QEMU 8(b - 1) + n:
    // DRCONF_MEMORY 2.2, FORM1_AFFINITY 5.0, FORM2_AFFINITY 5.2, HP_EVT 6.5, HPT_RESIZE 6.7.
    const bits = [10, 32, 34, 45, 47];
    expect([2, 5, 5, 6, 6].map((byte, i) => 8 * (byte - 1) + [2, 0, 2, 5, 7][i]!)).toEqual(bits);
    expect(leaf(decodeHex('bitmap', '0000a00500000400'))).toEqual({
      value: new Uint8Array(Buffer.from('0000a00500000400', 'hex')),
      meaning: `bits ${bits.join(', ')}`,
    });
  });

  test('the irq map of the same machine: the first interrupts are taken', () => {
    expect(meaning(decodeHex('bitmap', `00000000000000ff${'00'.repeat(408)}`))).toBe('bits 0-7');
  });

  test('ranges across words; many are counted', () => {
    expect(meaning(decodeHex('bitmap', `8000000000000000${'0000000000000001'}`))).toBe('bits 63-64');
    expect(meaning(decodeHex('bitmap', 'ff'.repeat(16)))).toBe('bits 0-127');
    expect(meaning(decodeHex('bitmap', '00'.repeat(16)))).toBeUndefined();
    expect(meaning(decodeHex('bitmap', '55'.repeat(8)))).toMatch(
      /^bits 0, 2, 4, .* 30, … 16 more ranges, 32 bits set$/,
    );
  });

  test('other than words stay bytes', () => {
    expect(decodeHex('bitmap', '')).toBeUndefined();
    expect(decodeHex('bitmap', '00'.repeat(12))).toBeUndefined();
  });
});
