import { type BitField, bits, bitsMeaning, choice, count, highFirst, unlessZero } from './bits.ts';
import { leafNode } from './field-reader.ts';
import type { Info, InfoLength } from './info.ts';

/** A register that QEMU writes as one big endian integer; its value stays the bytes of the field. */
interface FlagRegister {
  readonly length: InfoLength;
  readonly meaning: readonly BitField[] | ((value: bigint) => string | undefined);
}

/** Arm Architecture Reference Manuals: condition flags are the same in CPSR, PSTATE and the XPSR of M profile. */
const ARM_CONDITIONS = highFirst({ 31: 'N', 30: 'Z', 29: 'C', 28: 'V' });

const ARM_MASKS = highFirst({ 9: 'D', 8: 'A', 7: 'I', 6: 'F' });

const AARCH32_MODES: Readonly<Record<number, string>> = {
  16: 'usr',
  17: 'fiq',
  18: 'irq',
  19: 'svc',
  22: 'mon',
  23: 'abt',
  26: 'hyp',
  27: 'und',
  31: 'sys',
};

const AARCH64_MODES: Readonly<Record<number, string>> = {
  0: 'EL0t',
  4: 'EL1t',
  5: 'EL1h',
  8: 'EL2t',
  9: 'EL2h',
  12: 'EL3t',
  13: 'EL3h',
};

const CPSR = [
  ...ARM_CONDITIONS,
  ...highFirst({
    27: 'Q',
    24: 'J',
    23: 'SSBS',
    22: 'PAN',
    21: 'DIT',
    20: 'IL',
    9: 'E',
    8: 'A',
    7: 'I',
    6: 'F',
    5: 'T',
  }),
  choice(0, 5, 'mode', AARCH32_MODES),
];

const PSTATE = [
  ...ARM_CONDITIONS,
  ...highFirst({
    34: 'EXLOCK',
    25: 'TCO',
    24: 'DIT',
    23: 'UAO',
    22: 'PAN',
    21: 'SS',
    20: 'IL',
    13: 'ALLINT',
  }),
  ...highFirst({ 12: 'SSBS' }),
  count(10, 2, 'BTYPE', unlessZero),
  ...ARM_MASKS,
  choice(0, 4, 'mode', AARCH64_MODES),
];

/**
 * target/arm/machine.c, put_cpsr: PSTATE in AArch64 state and CPSR in AArch32, which bit 4 tells apart; of M profile the
 * XPSR without its low 9 bits. Where these are 0 it is the XPSR, or PSTATE at EL0.
 */
function cpsrMeaning(value: bigint): string | undefined {
  if (bits(value, 4, 1) === 1) return bitsMeaning(value, CPSR);
  return bitsMeaning(value, bits(value, 0, 9) === 0 ? ARM_CONDITIONS : PSTATE);
}

const ROUNDING = choice(22, 2, 'rounding', ['', 'round to +inf', 'round to -inf', 'round to zero']);

const ARM_FP_STATUS = [
  ...ARM_CONDITIONS,
  ...highFirst({ 27: 'QC', 7: 'IDC', 4: 'IXC', 3: 'UFC', 2: 'OFC', 1: 'DZC', 0: 'IOC' }),
];

const ARM_FP_CONTROL = [
  ...highFirst({ 26: 'AHP', 25: 'DN', 24: 'FZ' }),
  ROUNDING,
  count(20, 2, 'STRIDE', unlessZero),
  ...highFirst({ 19: 'FZ16' }),
  count(16, 3, 'LEN or LTPSIZE', unlessZero),
  ...highFirst({ 15: 'IDE', 13: 'EBF', 12: 'IXE', 11: 'UFE', 10: 'OFE', 9: 'DZE', 8: 'IOE' }),
];

/** Alpha Architecture Handbook, version 4: floating-point control register. */
const ALPHA_FP_CONTROL = [
  ...highFirst({ 63: 'SUM', 62: 'INED', 61: 'UNFD', 60: 'UNDZ' }),
  choice(58, 2, 'rounding', ['chopped', 'round to -inf', 'normal rounding', 'round to +inf']),
  ...highFirst({
    57: 'IOV',
    56: 'INE',
    55: 'UNF',
    54: 'OVF',
    53: 'DZE',
    52: 'INV',
    51: 'OVFD',
    50: 'DZED',
    49: 'INVD',
  }),
  ...highFirst({ 48: 'DNZ', 47: 'DNOD' }),
];

/** Two targets call a register so: Alpha's has no bit below 47, and Arm's none above 31. */
function fpcrMeaning(value: bigint): string | undefined {
  if (value === 0n) return undefined;
  const low = bits(value, 0, 32);
  const high = bits(value, 32, 32);
  if (low !== 0 && high !== 0) return undefined;
  return low !== 0
    ? bitsMeaning(value, [...ARM_FP_CONTROL, ...highFirst({ 2: 'NEP', 1: 'AH', 0: 'FIZ' })])
    : bitsMeaning(value, ALPHA_FP_CONTROL);
}

/** SPARC Architecture Manual, versions 8 and 9: integer condition codes in their place of version 8. */
const SPARC_CONDITIONS = highFirst({ 23: 'N', 22: 'Z', 21: 'V', 20: 'C' });

const SPARC_EXCEPTIONS = ['NX', 'DZ', 'UF', 'OF', 'NV'];

/** Five bits of IEEE exceptions as one word: `accrued NX+DZ`. */
function sparcExceptions(low: number, label: string): BitField {
  return count(low, 5, label, (value) => {
    const names = SPARC_EXCEPTIONS.filter((_, bit) => bits(value, bit, 1) === 1);
    return names.length === 0 ? undefined : names.join('+');
  });
}

const FCC = ['', '<', '>', 'unordered'];

/** By the name of the VMStateInfo. */
const registers: readonly (readonly [name: string, register: FlagRegister])[] = [
  ['cpsr', { length: 4, meaning: cpsrMeaning }],
  ['pstate64', { length: 8, meaning: cpsrMeaning }],
  // FPSCR is FPCR and FPSR in one; QEMU writes 0 when those are in a subsection of their own.
  ['fpscr', { length: 4, meaning: [...ARM_FP_STATUS, ...ARM_FP_CONTROL] }],
  ['fpsr', { length: 8, meaning: ARM_FP_STATUS }],
  ['fpcr', { length: 8, meaning: fpcrMeaning }],
  ['powered_off', { length: 1, meaning: (value) => (value === 0n ? 'on' : 'off') }],
  [
    // Of a 64-bit CPU only the condition codes are here (cpu_get_psr).
    'psr',
    {
      length: 4,
      meaning: [
        ...SPARC_CONDITIONS,
        ...highFirst({ 13: 'EC', 12: 'EF' }),
        count(8, 4, 'PIL', unlessZero),
        ...highFirst({ 7: 'S', 6: 'PS', 5: 'ET' }),
        count(0, 5, 'CWP', unlessZero),
      ],
    },
  ],
  ['xcc', { length: 4, meaning: SPARC_CONDITIONS }],
  [
    'fsr',
    {
      // target_ulong.
      length: (size) => size,
      meaning: [
        choice(30, 2, 'rounding', ['', 'round to zero', 'round to +inf', 'round to -inf']),
        sparcExceptions(23, 'traps'),
        ...highFirst({ 22: 'NS' }),
        count(17, 3, 'version', unlessZero),
        count(14, 3, 'trap type', unlessZero),
        ...highFirst({ 13: 'queue not empty' }),
        count(10, 2, 'fcc0', (n) => FCC[n] || undefined),
        count(32, 2, 'fcc1', (n) => FCC[n] || undefined),
        count(34, 2, 'fcc2', (n) => FCC[n] || undefined),
        count(36, 2, 'fcc3', (n) => FCC[n] || undefined),
        sparcExceptions(5, 'accrued'),
        sparcExceptions(0, 'current'),
      ],
    },
  ],
  // Power ISA: vector status and control register.
  ['cpu/altivec/vscr', { length: 4, meaning: highFirst({ 16: 'NJ', 0: 'SAT' }) }],
  [
    // PA-RISC 2.0 Architecture: processor status word; 4 bytes in QEMU 7.2, 8 in 10.0.
    'psw',
    {
      length: [4, 8],
      meaning: [
        ...highFirst({
          27: 'W',
          26: 'E',
          25: 'S',
          24: 'T',
          23: 'H',
          22: 'L',
          21: 'N',
          20: 'X',
          19: 'B',
          18: 'C',
        }),
        ...highFirst({ 17: 'V', 16: 'M', 7: 'O', 6: 'G', 5: 'F', 4: 'R', 3: 'Q', 2: 'P', 1: 'D', 0: 'I' }),
      ],
    },
  ],
  [
    // OpenRISC 1000 Architecture Manual: supervision register.
    'sr',
    {
      length: 4,
      meaning: [
        ...highFirst({
          0: 'SM',
          1: 'TEE',
          2: 'IEE',
          3: 'DCE',
          4: 'ICE',
          5: 'DME',
          6: 'IME',
          7: 'LEE',
          8: 'CE',
          9: 'F',
        }),
        ...highFirst({ 10: 'CY', 11: 'OV', 12: 'OVE', 13: 'DSX', 14: 'EPH', 15: 'FO', 16: 'SUMRA' }),
        count(28, 4, 'CID', unlessZero),
      ],
    },
  ],
  [
    // MicroBlaze Processor Reference Guide: machine status register.
    'msr',
    {
      length: 4,
      meaning: [
        ...highFirst({
          31: 'CC',
          14: 'VMS',
          13: 'VM',
          12: 'UMS',
          11: 'UM',
          10: 'PVR',
          9: 'EIP',
          8: 'EE',
          7: 'DCE',
        }),
        ...highFirst({ 6: 'DZO', 5: 'ICE', 4: 'FSL', 3: 'BIP', 2: 'C', 1: 'IE' }),
      ],
    },
  ],
  // AVR Instruction Set Manual: status register.
  [
    'sreg',
    { length: 1, meaning: highFirst({ 7: 'I', 6: 'T', 5: 'H', 4: 'S', 3: 'V', 2: 'N', 1: 'Z', 0: 'C' }) },
  ],
  // hw/rtc/twl92230.c: a member of struct tm.
  ['int32_as_uint16', { length: 2, meaning: (value) => value.toString() }],
];

/** A CPU's flag registers: says which flags are set. */
export const flagRegisters: readonly Info[] = registers.map(([name, { length, meaning }]) => ({
  names: [name],
  length,
  open({ section }, place) {
    const size = place.end - place.start;
    if (!isLength(length, size)) return undefined;
    const bytes = section.bytes.subarray(place.start - section.base, place.end - section.base);
    let value = 0n;
    for (const byte of bytes) value = (value << 8n) | BigInt(byte);
    const text = typeof meaning === 'function' ? meaning(value) : bitsMeaning(value, meaning);
    return leafNode(place, place.type, bytes, text);
  },
}));

function isLength(length: InfoLength, size: number): boolean {
  if (typeof length === 'number') return length === size;
  return typeof length === 'function' ? size === 4 || size === 8 : length.includes(size);
}
