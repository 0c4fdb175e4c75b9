import { describe, expect, test } from 'vitest';
import type { InstructionSet } from '../../../src/extract/code/instruction-set.ts';
import { loadInstructionSet } from '../../../src/extract/code/load-instruction-set.ts';
import { analysePut, type PutArguments, type PutShape } from '../../../src/extract/code/put-function.ts';
import { findPutPrimitives } from '../../../src/extract/code/put-primitives.ts';
import { codeImage } from './code-image.ts';

const set = (await loadInstructionSet('x86_64')) as InstructionSet;

/*
 * struct { u64 high, low; u32 flags (16); u8 state (20), bits (21); u16 asid (22); u32 count (24); u8 key[6] (28); }
 * of an object `e`; gcc 12 -O2 -fcf-protection. 0x1100 is qemu_put_byte, then be16, be32, be64, buffer.
 */
const memory: Readonly<Record<number, string>> = {
  4352: 'f30f1efac3',
  4368: 'f30f1efac3',
  4384: 'f30f1efac3',
  4400: 'f30f1efac3',
  4416: 'f30f1efac3',
  4432: 'f30f1efa4883ec080fb636e8a0ffffff31c04883c408c3',
  4464: 'f30f1efa4883ec080fb736e890ffffff31c04883c408c3',
  4496: 'f30f1efa4883ec088b36e881ffffff31c04883c408c3',
  4528: 'f30f1efa4883ec08488b36e870ffffff31c04883c408c3',
  4560: 'f30f1efa4883ec08e863ffffff31c04883c408c3',
  4592: 'f30f1efa554889f5534889fb4883ec08488b36e828ffffff488b75084889dfe81cffffff0fb675164889dfe8f0feffff4883c40831c05b5dc3',
  4656: 'f30f1efa41544989fc554889f55331db0fb6751589d94c89e783c301d3fe83e601e8aafeffff83fb0375e55b31c05d415cc3',
  4720: 'f30f1efa0fb676144080fe01760ab801000000c30f1f40004883ec08e86ffeffff31c04883c408c3',
  4768: 'f30f1efa4883ec08488b4608f646100174164889c6e876feffff31c04883c408c30f1f800000000089c6e851feffff31c04883c408c3',
  4832:
    'f30f1efa8b461885c0743541544989fc554889f55331db660f1f84000000000089de4c89e783c301e813feffff3b5d1872ee5b31c05d415cc3' +
    '0f1f800000000031c0c3',
  4912: 'f30f1efa4883ec084883c61cba06000000e8fafdffff31c04883c408c3',
  4944: 'f30f1efa4883ec08ff1631c04883c408c3',
  4976: 'f30f1efa807e1401760631c0c30f1f004883ec088b7610e894fdffffb8010000004883c408c3',
};
const image = codeImage({ memory });
const baseTypes = [
  { name: 'uint8', put: 0x1150 },
  { name: 'uint16', put: 0x1170 },
  { name: 'uint32', put: 0x1190 },
  { name: 'uint64', put: 0x11b0 },
  { name: 'buffer', put: 0x11d0 },
  { name: 'timer', put: 0x11b0 },
];
const primitives = findPutPrimitives(image, set, baseTypes);

function shape(put: number, args?: PutArguments): PutShape | undefined {
  return analysePut(image, set, put, primitives, args);
}

describe('a put function', () => {
  test('of a base type calls the function that writes so many bytes', () => {
    expect([...primitives]).toEqual([
      [0x1100, 1],
      [0x1110, 2],
      [0x1120, 4],
      [0x1130, 8],
      [0x1140, 'buffer'],
    ]);
  });

  test('where base types disagree about a function, none is believed', () => {
    expect(findPutPrimitives(image, set, [...baseTypes, { name: 'int64', put: 0x1190 }]).size).toBe(0);
  });

  test('put_be64(high); put_be64(low); put_be16(asid & 0xff)', () => {
    expect(shape(0x11f0)).toEqual({
      length: 18,
      items: [
        { kind: 'integer', size: 8, value: ['load', 'opaque', 0, 8] },
        { kind: 'integer', size: 8, value: ['load', 'opaque', 8, 8] },
        { kind: 'integer', size: 2, value: ['load', 'opaque', 22, 1] },
      ],
    });
  });

  test('for (i = 0; i < 3; i++) put_byte(bits >> i & 1)', () => {
    const bits = ['load', 'opaque', 21, 1];
    expect(shape(0x1230)).toEqual({
      length: 3,
      items: [
        { kind: 'integer', size: 1, value: ['and', bits, 1] },
        { kind: 'integer', size: 1, value: ['and', ['shr', bits, 1], 1] },
        { kind: 'integer', size: 1, value: ['and', ['shr', bits, 2], 1] },
      ],
    });
  });

  test('if (state > 1) return 1; put_byte(state == 1)', () => {
    expect(shape(0x1270)?.length).toBe(1);
  });

  test('bool save: if (state > 1) return false; put_be32(flags); return true', () => {
    const expected = { length: 4, items: [{ kind: 'integer', size: 4, value: ['load', 'opaque', 16, 4] }] };
    expect(shape(0x1370, { isSave: true })).toEqual(expected);
    // Taken for a put, it would succeed only where it writes nothing.
    expect(shape(0x1370)?.length).toBe(0);
  });

  test('if (flags & 1) put_be64(low); else put_be32(low)', () => {
    const low = ['load', 'opaque', 8, 8];
    expect(shape(0x12a0)).toEqual({
      length: undefined,
      items: [
        {
          kind: 'choice',
          condition: ['eq', ['and', ['load', 'opaque', 16, 1], 1], 0],
          whenTrue: [{ kind: 'integer', size: 4, value: ['trunc', low, 32] }],
          whenFalse: [{ kind: 'integer', size: 8, value: low }],
        },
      ],
    });
  });

  test('put_buffer(key, 6)', () => {
    expect(shape(0x1330)).toEqual({
      length: 6,
      items: [{ kind: 'bytes', size: 6, value: ['add', 'opaque', 28] }],
    });
  });

  test('put_buffer(pv, size), as long as the field says', () => {
    expect(shape(0x11d0)).toBeUndefined();
    expect(shape(0x11d0, { size: 40 })).toEqual({
      length: 40,
      items: [{ kind: 'bytes', size: 40, value: 'opaque' }],
    });
  });

  test('an element for each of a list has no shape', () => {
    expect(shape(0x12e0)).toBeUndefined();
  });

  test('a call through a pointer may write anything', () => {
    expect(shape(0x1350)).toBeUndefined();
  });
});
