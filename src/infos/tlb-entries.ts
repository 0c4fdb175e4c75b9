import { type BitField, bitsMeaning, choice, count, flags, highFirst, unlessZero } from './bits.ts';
import { FieldReader } from './field-reader.ts';
import type { Info } from './info.ts';

/** MIPS32 and MIPS64 Architecture, volume III, EntryLo and EntryHi: 0 and 1 are the even and the odd page. */
const MIPS_FLAGS: readonly BitField[] = [
  ...highFirst({ 15: 'EHINV', 14: 'RI1', 13: 'RI0', 12: 'XI1', 11: 'XI0', 10: 'G' }),
  count(7, 2, 'C0', unlessZero),
  count(4, 2, 'C1', unlessZero),
  ...highFirst({ 3: 'V0', 2: 'V1', 1: 'D0', 0: 'D1' }),
];

/**
 * target/mips/system/machine.c, put_tlb: VPN as wide as the target, PageMask, ASID, from version 3 of `cpu/tlb` on MMID,
 * flags, two PFN. 28 bytes are a 32-bit target without MMID, 36 a 64-bit one with it; 32 bytes are either of the
 * others, so that what comes before the flags is left as it is.
 */
const mipsTlbEntry: Info = {
  names: ['tlb_entry'],
  length: [28, 32, 36],
  open({ section }, place) {
    const reader = new FieldReader(section, place);
    const size = place.end - place.start;
    if (size === 32) reader.buffer('VPN, PageMask, ASID', 14);
    else {
      if (size === 36) reader.uint64('VPN');
      else reader.uint32('VPN');
      reader.uint32('PageMask');
      reader.uint16('ASID');
      if (size === 36) reader.uint32('MMID');
    }
    reader.uint16('flags', MIPS_FLAGS);
    reader.uint64('PFN[0]');
    reader.uint64('PFN[1]');
    return reader.finish(place);
  },
};

/** Access rights of a page; `low` is where the field of the page's type begins. */
function hppaRights(low: number, accessIdBits: number): readonly BitField[] {
  return [
    count(low, 3, 'type'),
    count(low - 2, 2, 'PL1'),
    count(low - 4, 2, 'PL2'),
    ...flags({ [low - 5]: 'U', [low + 3]: 'B', [low + 4]: 'D', [low + 5]: 'T' }),
    count(1, accessIdBits, 'access id'),
  ];
}

/**
 * target/hppa/machine.c, put_tlb: 16 bytes in QEMU 7.2, 32 in 10.0. Rights are those of the PA-RISC 2.0 Architecture;
 * an entry that is not valid has none.
 */
const hppaTlbEntry: Info = {
  names: ['tlb entry'],
  length: [16, 32],
  open({ section }, place) {
    const reader = new FieldReader(section, place);
    const rights = (low: number, accessIdBits: number) => (value: number | bigint) =>
      BigInt(value) === 0n ? 'not valid' : bitsMeaning(value, hppaRights(low, accessIdBits));
    if (place.end - place.start === 16) {
      reader.uint64('va_b');
      reader.uint32('pa');
      reader.uint32('rights', rights(24, 18));
    } else {
      reader.uint64('start');
      reader.uint64('last');
      reader.uint64('pa');
      reader.uint64('rights', rights(56, 31));
    }
    return reader.finish(place);
  },
};

/** Power ISA, segment lookaside buffer: what slbmte takes in RB and in RS. */
const slbEntry: Info = {
  names: ['slbe'],
  length: 16,
  open({ section }, place) {
    const reader = new FieldReader(section, place);
    reader.uint64('esid', flags({ 27: 'valid' }));
    reader.uint64('vsid', [
      choice(62, 2, 'size', ['', '1 TiB']),
      ...highFirst({ 11: 'Ks', 10: 'Kp', 9: 'N', 8: 'L', 7: 'C' }),
      count(4, 2, 'LP', unlessZero),
    ]);
    return reader.finish(place);
  },
};

export const tlbEntries: readonly Info[] = [mipsTlbEntry, hppaTlbEntry, slbEntry];
