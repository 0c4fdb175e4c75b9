import { describe, expect, test } from 'vitest';
import { checkTree, decodeHex, leaf, meaning } from './decode-info.ts';

/**
 * Bytes are from streams that the named QEMU wrote; behind each what its monitor said of the register at that time
 * (`info registers -a`), and what the machine was.
 */
describe('flag registers', () => {
  const cases: readonly [type: string, hex: string, meaning: string | undefined, monitor: string][] = [
    // QEMU 10.0.13
    ['cpsr', '400003cd', 'Z, D, A, I, F, EL3h', 'PSTATE=400003cd -Z-- EL3h, ast2700-evb'],
    ['cpsr', '400003c9', 'Z, D, A, I, F, EL2h', 'PSTATE=400003c9 -Z-- EL2h, npcm845-evb'],
    ['cpsr', '000003c5', 'D, A, I, F, EL1h', 'PSTATE=000003c5 ---- EL1h, aarch64 virt with Linux'],
    [
      'cpsr',
      '404020c5',
      'Z, PAN, ALLINT, I, F, EL1h',
      'PSTATE=404020c5 -Z-- EL1h BTYPE=0, cpu max with Linux',
    ],
    ['cpsr', '600001d3', 'Z, C, A, I, F, svc', 'PSR=600001d3 -ZC- A svc32, npcm750-evb'],
    ['cpsr', '400001da', 'Z, A, I, F, hyp', 'PSR=400001da -Z-- A hyp32, mps3-an536'],
    ['cpsr', '40000000', 'Z', 'XPSR=40000000 -Z-- A priv-thread, ast1030-evb'],
    ['fpscr', '00000010', 'IXC', 'FPCR=00000000 FPSR=00000010, aarch64 virt with Linux'],
    ['fpscr', '00000000', undefined, 'FPSCR: 00000000, npcm750-evb'],
    ['psr', 'f34000c0', 'Z, S, PS', 'psr: f34000c0 (icc: -Z-- SPE: SP-), leon3_generic'],
    [
      'psr',
      '04401fe4',
      'Z, EF, PIL 15, S, PS, ET, CWP 4',
      'psr: 04401fe4 (icc: -Z-- SPE: SPE), SS-5, OpenBIOS',
    ],
    ['psr', '00400000', 'Z', 'ccr: 44 (icc: -Z-- xcc: -Z--), sun4u'],
    ['xcc', '00400000', 'Z', 'ccr: 44 (icc: -Z-- xcc: -Z--), sun4u'],
    ['fsr', '00080000', 'version 4', 'fsr: 00080000, leon3_generic'],
    // QEMU 11.1 and 7.2.22
    ['psw', '0000000000000008', 'Q', 'PSW 00000008 --------------Q---, hppa 715'],
    ['psw', '00000008', 'Q', 'PSW 00000008 --------------Q---, hppa'],
  ];
  for (const [type, hex, expected, monitor] of cases) {
    test(`${type} ${hex}: ${monitor}`, () => {
      const node = decodeHex(type, hex)!;
      checkTree(node, hex.length / 2);
      expect(leaf(node)).toEqual({ value: new Uint8Array(Buffer.from(hex, 'hex')), meaning: expected });
    });
  }

  test('fpcr is that of Alpha or that of Arm, by where its bits are', () => {
    // Alpha Architecture Handbook: DYN is bits 59-58, 10 binary is normal rounding; INE is bit 56.
    expect(meaning(decodeHex('fpcr', '0900000000000000'))).toBe('normal rounding, INE');
    // Arm Architecture Reference Manual: DN is bit 25, RMode bits 23-22, 11 binary is towards zero.
    expect(meaning(decodeHex('fpcr', '0000000002c00000'))).toBe('DN, round to zero');
    expect(meaning(decodeHex('fpcr', '0900000002c00000'))).toBeUndefined();
    expect(meaning(decodeHex('fpcr', '0000000000000000'))).toBeUndefined();
  });

  test('another size stays bytes', () => {
    for (const type of ['cpsr', 'psr', 'psw', 'fsr', 'fpcr', 'sr', 'msr', 'sreg']) {
      expect(decodeHex(type, '')).toBeUndefined();
      expect(decodeHex(type, '000000')).toBeUndefined();
    }
  });
});

describe('translation buffers', () => {
  // QEMU 10.0.13, pseries with Linux on a hash MMU, `cpu/slb`: the kernel's segment c000000000000000 is valid.
  test('slbe', () => {
    const node = decodeHex('slbe', 'c000000008000000400ea1b217000510')!;
    checkTree(node, 16);
    expect(leaf(node, 'esid')).toEqual({ value: 0xc000000008000000n, meaning: 'valid' });
    expect(leaf(node, 'vsid')).toEqual({ value: 0x400ea1b217000510n, meaning: '1 TiB, Kp, L, LP 1' });
  });

  test('a TLB entry of a 32-bit MIPS before QEMU had MMID: 28 bytes', () => {
    const node = decodeHex(
      'tlb_entry',
      `c0000000${'00001fff'}${'0012'}${'041f'}${'00'.repeat(7)}05${'00'.repeat(7)}06`,
    )!;
    checkTree(node, 28);
    expect(leaf(node, 'VPN').value).toBe(0xc0000000);
    expect(leaf(node, 'PageMask').value).toBe(0x1fff);
    expect(leaf(node, 'ASID').value).toBe(0x12);
    expect(meaning(node, 'flags')).toBe('G, C1 1, V0, V1, D0, D1');
    expect(leaf(node, 'PFN[1]').value).toBe(6n);
  });

  test('36 bytes are a 64-bit MIPS with MMID, 32 bytes one of two others', () => {
    checkTree(decodeHex('tlb_entry', '00'.repeat(36))!, 36);
    const node = decodeHex('tlb_entry', '00'.repeat(32))!;
    checkTree(node, 32);
    expect(leaf(node, 'VPN, PageMask, ASID').value).toEqual(new Uint8Array(14));
    expect(decodeHex('tlb_entry', '00'.repeat(30))).toBeUndefined();
  });

  test('an entry of PA-RISC in both sizes', () => {
    const old = decodeHex('tlb entry', `00000000f0000000${'f0000000'}${'07c8000b'}`)!;
    checkTree(old, 16);
    expect(meaning(old, 'rights')).toBe('type 7, PL1 3, PL2 0, U, access id 5');
    const node = decodeHex(
      'tlb entry',
      `00000000f0000000${'00000000f0000fff'}${'00000000f0000000'}${'07c800000000000b'}`,
    )!;
    checkTree(node, 32);
    expect(meaning(node, 'rights')).toBe('type 7, PL1 3, PL2 0, U, access id 5');
    expect(meaning(decodeHex('tlb entry', '00'.repeat(16)), 'rights')).toBe('not valid');
  });
});
