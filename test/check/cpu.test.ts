import { describe, expect, test } from 'vitest';
import { checkStream } from '../../src/check/check.ts';
import type { CheckReport } from '../../src/check/finding.ts';
import { blocking, checkLoad, destinationOf, hasSaid, openBytes, recorded } from './recorded.ts';
import { nodeNamed, patch, splice } from './splice.ts';

/** What any `cpu_post_load` that refuses makes QEMU say. */
const SAYS = "error while loading state for instance 0x0 of device 'cpu'";

/** A changed copy of the stream that the destination of a recorded load would send, checked against it. */
async function checkChanged(id: string, change: (own: Buffer) => Promise<Uint8Array>): Promise<CheckReport> {
  const load = recorded(id);
  const own = load.profile();
  const { version, target } = load.destination;
  const stream = await change(Buffer.from(own));
  return checkStream(await openBytes(stream), await destinationOf(own, version, target));
}

describe('constant registers of an Arm CPU that the stream lacks', () => {
  test.each([
    ['arm-sbsa 5.2 to 7.2', 'DBGDEVID1 (p14,0,c7,c0,1), DBGDEVID (p14,0,c7,c0,2)'],
    ['arm-ast2500 7.2 to 10.0', 'RMR_EL3 (S3_6_C12_C0_2)'],
  ])('%s: %s', async (id, registers) => {
    const load = recorded(id);
    expect(load.loaded).toBe(false);
    const [finding] = blocking(await checkLoad(load));
    expect(finding).toMatchObject({ rule: 'cpu-register-value', says: SAYS });
    expect(finding?.message).toContain('not in the stream');
    expect(finding?.message.endsWith(`: ${registers}`)).toBe(true);
    expect(hasSaid(load.words, SAYS)).toBe(true);
  });

  /** cortex-a57 of `-machine virt-5.2` in 7.2, with one register taken out of both lists. */
  const lacking = (index: bigint) =>
    checkChanged('arm-cpu ba 7.2 to 7.2', async (own) => {
      const length = await nodeNamed(own, 'cpu', 'cpreg_vmstate_array_len');
      const indexes = await nodeNamed(own, 'cpu', 'cpreg_vmstate_indexes');
      const values = await nodeNamed(own, 'cpu', 'cpreg_vmstate_values');
      const count = own.readInt32BE(length.start);
      let at = 0;
      while (own.readBigUInt64BE(indexes.start + at) !== index) at += 8;
      own.writeInt32BE(count - 1, length.start);
      const withoutValue = splice(own, values.start + at, values.start + at + 8);
      return splice(withoutValue, indexes.start + at, indexes.start + at + 8);
    });

  // QEMU 7.2 refused these streams with SAYS, and loaded those of the next test, with the same bytes taken out.
  test.each([
    ['ID_AA64MMFR0_EL1 (S3_0_C0_C7_0)', 0x603000000013c038n],
    ['ID_MMFR0 (p15,0,c0,c1,4)', 0x40200000200f0084n],
    ['DBGDEVID1 (p14,0,c7,c0,1)', 0x40200000200e3801n],
    ['DBGDEVID (p14,0,c7,c0,2)', 0x40200000200e3802n],
  ])('%s', async (register, index) => {
    const found = blocking(await lacking(index));
    expect(found).toMatchObject([{ rule: 'cpu-register-value', section: 'cpu', says: SAYS }]);
    expect(found[0]!.message.endsWith(`: ${register}`)).toBe(true);
  });

  test.each([
    ['S3_0_C0_C4_1, a constant that is 0', 0x603000000013c021n],
    ['S3_0_C0_C5_4, a constant that is 0', 0x603000000013c02cn],
    ['p15,0,c0,c2,6, a constant that is 0', 0x40200000200f0106n],
    ['S3_0_C1_C0_0, which the guest writes', 0x603000000013c080n],
    ['S3_3_C14_C0_0, which the guest writes', 0x603000000013df00n],
  ])('%s: QEMU loads it', async (_, index) => {
    expect(blocking(await lacking(index))).toEqual([]);
  });
});

describe('registers of an Arm CPU that the destination does not have', () => {
  // Both of the same command line, or of one that differs in the feature.
  test.each([
    [
      'arm-virt-virtio@7.2 7.2 to 10.0',
      'PAR (p15,0,c7,c4,0), which QEMU 7.2 had and later',
      'QEMU 7.2 or older',
    ],
    [
      'arm-virt-virtio@7.2 7.2 to 11.1',
      'PAR (p15,0,c7,c4,0), ID_AA64ISAR0_EL1 (S3_0_C0_C6_0)',
      'QEMU 7.2 or older',
    ],
    [
      'arm-virt-virtio@7.2 10.0 to 11.1',
      'ID_AA64ISAR0_EL1 (S3_0_C0_C6_0), which QEMU',
      'or older at the destination',
    ],
    ['arm-sve ab 11.1 to 11.1', 'ZCR_EL1 (S3_0_C1_C2_0), ZCR_EL2', '-cpu …,sve=on'],
  ])('%s', async (id, registers, fix) => {
    const load = recorded(id);
    expect(load.loaded).toBe(false);
    const [finding] = blocking(await checkLoad(load));
    expect(finding).toMatchObject({ rule: 'cpu-registers', section: 'cpu' });
    expect(finding?.message).toContain(registers);
    expect(finding?.fix).toContain(fix);
    expect(finding?.fix).not.toContain('a machine type that both');
    expect(hasSaid(load.words, finding!.says!), finding?.says).toBe(true);
  });
});

describe('processor version of a POWER CPU', () => {
  test.each([
    ['pseries-cpu ab 7.2 to 7.2', '0x4d0200', '0x4e1200'],
    ['pseries-cpu ab 11.1 to 11.1', '0x4d0200', '0x4e1202'],
    // 7.2 makes a POWER9 DD2.0, newer QEMUs a DD2.2.
    ['pseries-virtio@5.2 7.2 to 10.0', '0x4e1200', '0x4e1202'],
    ['pseries-virtio@5.2 5.2 to 11.1', '0x4e1200', '0x4e1202'],
  ])('%s', async (id, version, local) => {
    const load = recorded(id);
    expect(load.loaded).toBe(false);
    const [finding] = blocking(await checkLoad(load));
    expect(finding).toMatchObject({ rule: 'post-load', section: 'cpu', path: ['env.spr', 287], says: SAYS });
    expect(finding?.message).toBe(`the processor version is ${version}, and ${local} at the destination`);
    expect(hasSaid(load.words, SAYS)).toBe(true);
  });

  test.each(['pseries-cpu-compat ba 7.2 to 7.2', 'pseries-cpu-compat ba 5.2 to 10.0'])(
    'a guest in a compatibility mode: %s',
    async (id) => {
      const load = recorded(id);
      expect(load.loaded).toBe(true);
      const { findings } = await checkLoad(load);
      expect(findings.filter(({ section }) => section === 'cpu')).toEqual([]);
    },
  );

  // POWER9 of `-machine pseries-5.2`, whose own stream was loaded with the last four bytes of register 287 changed.
  const withVersion = (qemu: string, version: string) =>
    checkChanged(`pseries-cpu ab ${qemu} to ${qemu}`, async (own) =>
      patch(own, (await nodeNamed(own, 'cpu', 'env.spr')).start + 287 * 8 + 4, version),
    );

  test.each([
    ['7.2', '004d0200'],
    ['7.2', '004e1100'],
    ['7.2', '004e1300'],
    ['11.1', '004e1102'],
    ['11.1', '004e1302'],
    ['11.1', '004e1200'],
    ['11.1', '004e1201'],
  ])('QEMU %s refuses %s', async (qemu, version) => {
    const found = blocking(await withVersion(qemu, version));
    expect(found).toMatchObject([{ rule: 'post-load', section: 'cpu', path: ['env.spr', 287], says: SAYS }]);
  });

  test.each([
    ['7.2', '004e1201'],
    ['7.2', '004e1202'],
    ['7.2', '004e0200'],
    ['11.1', '004e1203'],
  ])('QEMU %s loads %s', async (qemu, version) => {
    const { verdict, findings } = await withVersion(qemu, version);
    expect(verdict).toBe('no blocker found');
    // Recorded streams have no pages with content, of which a note says that they may be in channels.
    const others = findings.filter(({ severity }) => severity !== 'note');
    expect(others).toMatchObject([{ rule: 'post-load', severity: 'suspicious', section: 'cpu' }]);
  });
});
