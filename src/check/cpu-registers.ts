import { childNamed, childrenOf, integerOf } from '../layout/children.ts';
import type { LayoutNode, StructNode } from '../layout/node.ts';
import { type ArmRegister, armRegister, armRegisterName, qemuRegisterNumber } from './arm-registers.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import type { SectionValues } from './value-input.ts';
import { isOlder } from './version.ts';

const INDEXES = 'cpreg_vmstate_indexes';
export const VALUES = 'cpreg_vmstate_values';

/** First QEMU seen that compares the lists to their ends; 10.2 does not. */
const COMPARES_ALL = [11, 1] as const;
/** Registers that are named at the most. */
const MAX_NAMED = 4;
const SAYS = "error while loading state for instance 0x0 of device 'cpu'";
const SAME_CPU = 'the same -cpu model and features at both sides';

/** Registers that QEMU's CPUs have lost, and the last version seen to have them; no machine type keeps one. */
const LOST: ReadonlyMap<bigint, readonly [major: number, minor: number]> = new Map([
  // PAR of both banks, and ID_AA64ISAR0_EL1.
  [0x4020_0000_000f_3a00n, [7, 2]],
  [0x4020_0000_200f_3a00n, [7, 2]],
  [0x6030_0000_0013_c030n, [10, 2]],
]);

/** SCR_EL3, of which bits are 1 where EL1 has only AArch64 (target/arm/helper.c, scr_write): 5.2 does not set them. */
const SECURE_CONFIGURATION = 0x6030_0000_0013_f088n;
const ALWAYS_SECURE = 0x30n;

/** What gives a CPU registers of a kind that it otherwise has not. */
const FEATURES: readonly (readonly [setting: string, isOfIt: (register: ArmRegister) => boolean])[] = [
  [
    '-cpu …,pmu=on',
    ({ op1, crn, crm }) => (crn === 9 ? crm >= 12 && crm <= 14 : crn === 14 && op1 === 3 && crm >= 8),
  ],
  [
    '-cpu …,sve=on',
    ({ isAarch64, op0, crn, crm, op2 }) => isAarch64 && op0 === 3 && crn === 1 && crm === 2 && op2 === 0,
  ],
  [
    '-cpu …,pauth=on',
    ({ isAarch64, op0, op1, crn, crm }) =>
      isAarch64 && op0 === 3 && op1 === 0 && crn === 2 && crm >= 1 && crm <= 3,
  ],
];

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
    return [
      {
        rule: 'cpu-registers',
        severity: 'blocks',
        path: [INDEXES],
        ...(node ? { range: node } : {}),
        message: `the CPU of the destination does not have ${countText(unknown)}: ${namesText(unknown)}${lostText(unknown, destination)}`,
        says: unknownWords(unknown[0]!, destination),
        fix: unknownFix(unknown, destination),
      },
    ];
  }
  const changed = otherConstants(root, own);
  const [first] = changed;
  const missing = missingConstants(indexes, ownIndexes, integers(own, VALUES) ?? []);
  // A register that is not there says more than bits of another one.
  if (!first || (missing.length > 0 && changed.every(({ index }) => index === SECURE_CONFIGURATION)))
    return missing;
  return [
    {
      rule: 'cpu-register-value',
      severity: 'blocks',
      path: [VALUES],
      message: `${changed.length} constant registers have other values at the destination: ${namesText(changed.map(({ index }) => index))}; ${armRegisterName(first.index)} is 0x${first.value.toString(16)}, and 0x${first.ownValue.toString(16)} there`,
      says: SAYS,
      fix: SAME_CPU,
    },
  ];
}

/** A constant register that has another value at the destination, or bits of another one that are. */
interface OtherConstant {
  readonly index: bigint;
  /** Where its value is in the stream. */
  readonly node: LayoutNode;
  readonly value: bigint;
  readonly ownValue: bigint;
}

/** Registers that identify the CPU, and do not have the value that they have at the destination. */
export function otherConstants(root: StructNode, own: StructNode): OtherConstant[] {
  const ownValues = integers(own, VALUES) ?? [];
  const local = new Map(integers(own, INDEXES)?.map((index, i) => [index, ownValues[i]]));
  const nodes = leaves(root, VALUES);
  return (integers(root, INDEXES) ?? []).flatMap((index, i): OtherConstant[] => {
    const node = nodes[i];
    const value = integerOf(node);
    const ownValue = local.get(index);
    if (!node || value === undefined || ownValue === undefined || value === ownValue) return [];
    if (index === SECURE_CONFIGURATION) {
      const kept = value | (ownValue & ALWAYS_SECURE);
      return kept === value ? [] : [{ index, node, value, ownValue: kept }];
    }
    return isIdentification(index) ? [{ index, node, value, ownValue }] : [];
  });
}

/**
 * A register that is not in the stream is set to what its memory happens to be, mostly 0 (target/arm/helper.c,
 * arm_init_cpreg_list and write_list_to_cpustate): a constant other than that does not keep it.
 */
function missingConstants(
  indexes: readonly bigint[],
  ownIndexes: readonly bigint[],
  ownValues: readonly bigint[],
): Finding[] {
  const sent = new Set(indexes);
  const missing = ownIndexes.filter(
    (index, i) => !sent.has(index) && isConstant(index) && ownValues[i] !== 0n,
  );
  if (missing.length === 0) return [];
  return [
    {
      rule: 'cpu-register-value',
      severity: 'blocks',
      path: [VALUES],
      message: `${missing.length} constant registers of the destination are not in the stream, and are set to no value: ${namesText(missing)}`,
      says: SAYS,
      fix: `${SAME_CPU}, and the same version of QEMU: no machine type keeps them`,
    },
  ];
}

/** Where the system registers are that identify the CPU: they are compared with the destination's. */
export function identifyingValues(root: StructNode): LayoutNode[] {
  const indexes = integers(root, INDEXES) ?? [];
  const values = [...childrenOf(childNamed(root, VALUES))];
  return indexes.flatMap((index, i) => (isIdentification(index) ? (values[i] ?? []) : []));
}

function countText({ length }: readonly bigint[]): string {
  return length === 1 ? 'a register of the stream' : `${length} registers of the stream`;
}

function namesText(indexes: readonly bigint[]): string {
  return `${indexes.slice(0, MAX_NAMED).map(armRegisterName).join(', ')}${indexes.length > MAX_NAMED ? ' …' : ''}`;
}

/** The last version of QEMU seen to have them, where later ones have lost all of them. */
function lastWith(indexes: readonly bigint[], { qemuVersion }: Destination): string | undefined {
  const versions = indexes.map((index) => LOST.get(index));
  const [first] = [...versions].sort((a, b) => (a?.[0] ?? 0) - (b?.[0] ?? 0));
  if (!first || qemuVersion === undefined || versions.includes(undefined)) return undefined;
  const last = first.join('.');
  const [major = 0, minor = 0] = qemuVersion.split('.').map(Number);
  return isOlder(last, [major, minor]) ? last : undefined;
}

function lostText(indexes: readonly bigint[], destination: Destination): string {
  const last = lastWith(indexes, destination);
  return last === undefined ? '' : `, which QEMU ${last} had and later ones have lost`;
}

/** target/arm/machine.c, handle_cpreg_only_in_incoming_stream. */
function unknownWords(index: bigint, { qemuVersion }: Destination): string {
  if (qemuVersion === undefined || isOlder(qemuVersion, COMPARES_ALL)) return SAYS;
  return `handle_cpreg_only_in_incoming_stream: system register ${qemuRegisterNumber(index)} in the incoming stream but unknown on the destination: fail migration`;
}

function unknownFix(indexes: readonly bigint[], destination: Destination): string {
  const last = lastWith(indexes, destination);
  if (last !== undefined)
    return `QEMU ${last} or older at the destination: no -cpu and no machine type keeps them`;
  const feature = FEATURES.find(([, isOfIt]) => indexes.every((index) => isOfIt(armRegister(index))));
  if (feature)
    return `at the destination ${feature[0]}, or off at both sides; otherwise, a CPU of the same model`;
  return `${SAME_CPU} (of -machine virt also virtualization= and secure=), and a QEMU that is as new: no machine type keeps registers`;
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
  if (!childNamed(root, name)) return undefined;
  return leaves(root, name).flatMap((leaf) => integerOf(leaf) ?? []);
}

/** Elements of a list; one of one element is the element. */
function leaves(root: StructNode, name: string): readonly LayoutNode[] {
  const node = childNamed(root, name);
  if (!node) return [];
  return node.kind === 'array' ? [...childrenOf(node)] : [node];
}

/**
 * Of group c0, which identifies the CPU (c0 with op1 2 and 4 are registers that are written), L2CTLR, where the number of
 * cores is (target/arm/cortex-regs.c), and what the debug interface (DBGDIDR, DBGDEVID, DBGDEVID1) and the counters of
 * events are (PMCEID).
 */
function isIdentification(index: bigint): boolean {
  const { isAarch64, op0, op1, crn, crm, op2 } = armRegister(index);
  const isL2Control = op1 === 1 && crm === 0 && op2 === 2 && crn === (isAarch64 ? 11 : 9);
  if (isL2Control && (isAarch64 ? op0 === 3 : op0 === 15)) return true;
  if (isDebugIdentification(index) || isEventIdentification(index)) return true;
  return crn === 0 && (op1 === 0 || op1 === 1 || op1 === 3) && (isAarch64 ? op0 === 3 : op0 === 15);
}

function isDebugIdentification(index: bigint): boolean {
  const { isAarch64, op0, op1, crn, crm, op2 } = armRegister(index);
  if (isAarch64 || op0 !== 14 || op1 !== 0 || crm !== 0) return false;
  return crn === 0 ? op2 === 0 : crn === 7 && (op2 === 1 || op2 === 2);
}

/** PMCEID0 and PMCEID1, and PMCEID2 and PMCEID3 of AArch32. */
function isEventIdentification(index: bigint): boolean {
  const { isAarch64, op0, op1, crn, crm, op2 } = armRegister(index);
  if (crn !== 9) return false;
  if (isAarch64) return op0 === 3 && op1 === 3 && crm === 12 && (op2 === 6 || op2 === 7);
  return (
    op0 === 15 &&
    op1 === 0 &&
    ((crm === 12 && (op2 === 6 || op2 === 7)) || (crm === 14 && (op2 === 4 || op2 === 5)))
  );
}

/** Feature registers, GMID_EL1, RMR of each exception level, and of the debug interface what it is. */
function isConstant(index: bigint): boolean {
  const { isAarch64, op0, op1, crn, crm, op2 } = armRegister(index);
  const isSystem = op0 === (isAarch64 ? 3 : 15);
  if (!isSystem) return crn === 7 && isDebugIdentification(index);
  if (isAarch64 && crn === 0 && op1 === 1) return crm === 0 && op2 === 4;
  return crn === 0 ? op1 === 0 && crm > 0 : crn === 12 && crm === 0 && op2 === 2;
}
