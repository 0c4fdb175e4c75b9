import { childNamed, integerOf, type StructNode } from '../layout/node.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import type { SectionValues } from './values.ts';
import { isOlder } from './version.ts';

const INDEXES = 'cpreg_vmstate_indexes';
const VALUES = 'cpreg_vmstate_values';

/** First QEMU seen that compares the lists to their ends; 10.2 does not. */
const COMPARES_ALL = [11, 1] as const;
/** Registers that are named at the most. */
const MAX_NAMED = 4;

/**
 * target/arm/machine.c, cpu_post_load: system registers come as a sorted list of numbers and one of values. A number
 * that the destination does not have ends the load, and so does a constant register that does not keep its value.
 */
export function checkCpuRegisters({ root, own, destination }: SectionValues): Finding[] {
  const indexes = integers(root, INDEXES);
  const ownIndexes = integers(own, INDEXES);
  if (!indexes || !ownIndexes) return [];
  const node = childNamed(root, INDEXES);
  const unknown = unknownRegisters(indexes, ownIndexes, destination);
  if (unknown.length > 0) {
    const names = unknown.slice(0, MAX_NAMED).map(registerName);
    return [
      {
        rule: 'cpu-registers',
        severity: 'blocks',
        path: [INDEXES],
        ...(node ? { range: node } : {}),
        message: `${unknown.length} registers that the CPU of the destination does not have: ${names.join(', ')}${unknown.length > MAX_NAMED ? ' …' : ''}`,
        says: "error while loading state for instance 0x0 of device 'cpu'",
        fix: 'the same -cpu model and features at both sides, and a machine type that both QEMUs have',
      },
    ];
  }
  const values = integers(root, VALUES);
  const ownValues = integers(own, VALUES);
  if (!values || !ownValues) return [];
  const local = new Map(ownIndexes.map((index, i) => [index, ownValues[i]]));
  const changed = indexes.filter((index, i) => isIdentification(index) && local.get(index) !== values[i]);
  if (changed.length === 0) return missingConstants(indexes, local);
  const [first] = changed;
  return [
    {
      rule: 'cpu-register-value',
      severity: 'blocks',
      path: [VALUES],
      message: `${changed.length} constant registers have other values at the destination: ${changed.slice(0, MAX_NAMED).map(registerName).join(', ')}; ${registerName(first!)} is 0x${values[indexes.indexOf(first!)]?.toString(16)}, and 0x${local.get(first!)?.toString(16)} there`,
      says: "error while loading state for instance 0x0 of device 'cpu'",
      fix: 'the same -cpu model and features at both sides',
    },
  ];
}

/**
 * A register that is not in the stream is set to what its memory happens to be, mostly 0 (target/arm/helper.c,
 * arm_init_cpreg_list and write_list_to_cpustate): a constant other than that does not keep it.
 */
function missingConstants(
  indexes: readonly bigint[],
  local: ReadonlyMap<bigint, bigint | undefined>,
): Finding[] {
  const sent = new Set(indexes);
  const missing = [...local.keys()].filter(
    (index) => !sent.has(index) && isConstant(index) && local.get(index) !== 0n,
  );
  if (missing.length === 0) return [];
  return [
    {
      rule: 'cpu-register-value',
      severity: 'blocks',
      path: [VALUES],
      message: `${missing.length} constant registers of the destination are not in the stream, and are set to no value: ${missing.slice(0, MAX_NAMED).map(registerName).join(', ')}`,
      says: "error while loading state for instance 0x0 of device 'cpu'",
      fix: 'the same -cpu model and features at both sides, and a machine type that both QEMUs have',
    },
  ];
}

/** Both lists are sorted. Up to 10.2, registers behind the last one of the destination are passed over. */
function unknownRegisters(
  indexes: readonly bigint[],
  own: readonly bigint[],
  { qemuVersion }: Destination,
): bigint[] {
  const known = new Set(own);
  const last = own.at(-1) ?? 0n;
  const comparesAll = qemuVersion !== undefined && !isOlder(qemuVersion, COMPARES_ALL);
  return indexes.filter((index) => !known.has(index) && (comparesAll || index < last));
}

function integers(root: StructNode, name: string): bigint[] | undefined {
  const node = childNamed(root, name);
  if (!node) return undefined;
  const leaves = node.kind === 'array' ? node.children : [node];
  return [...leaves].flatMap((leaf) => integerOf(leaf) ?? []);
}

/** KVM's numbers of registers (linux/include/uapi/asm/kvm.h): 0x60… is AArch64, 0x40… AArch32. */
const AARCH64 = 0x6n;

interface Register {
  readonly is64: boolean;
  readonly op0: number;
  readonly op1: number;
  readonly crn: number;
  readonly crm: number;
  readonly op2: number;
}

function register(index: bigint): Register {
  const bits = (shift: number, mask: number) => Number((index >> BigInt(shift)) & BigInt(mask));
  const is64 = index >> 60n === AARCH64;
  return is64
    ? { is64, op0: bits(14, 3), op1: bits(11, 7), crn: bits(7, 15), crm: bits(3, 15), op2: bits(0, 7) }
    : { is64, op0: bits(16, 15), op1: bits(3, 15), crn: bits(11, 15), crm: bits(7, 15), op2: bits(0, 7) };
}

/**
 * Of group c0, which identifies the CPU (c0 with op1 2 and 4 are registers that are written), and L2CTLR, where the
 * number of cores is (target/arm/cortex-regs.c).
 */
function isIdentification(index: bigint): boolean {
  const { is64, op0, op1, crn, crm, op2 } = register(index);
  const isL2Control = op1 === 1 && crm === 0 && op2 === 2 && crn === (is64 ? 11 : 9);
  if (isL2Control && (is64 ? op0 === 3 : op0 === 15)) return true;
  return crn === 0 && (op1 === 0 || op1 === 1 || op1 === 3) && (is64 ? op0 === 3 : op0 === 15);
}

/** Feature registers, RMR of each exception level, and of the debug interface what it is (DBGDEVID, DBGDEVID1). */
function isConstant(index: bigint): boolean {
  const { is64, op0, op1, crn, crm, op2 } = register(index);
  const isSystem = op0 === (is64 ? 3 : 15);
  if (!isSystem)
    return !is64 && op0 === 14 && op1 === 0 && crn === 7 && crm === 0 && (op2 === 1 || op2 === 2);
  return crn === 0 ? op1 === 0 && crm > 0 : crn === 12 && crm === 0 && op2 === 2;
}

function registerName(index: bigint): string {
  const { is64, op0, op1, crn, crm, op2 } = register(index);
  return is64 ? `S${op0}_${op1}_C${crn}_C${crm}_${op2}` : `p${op0},${op1},c${crn},c${crm},${op2}`;
}
