import type { PathComponent } from '../bytes/diagnostic.ts';
import { viewOf } from '../bytes/view.ts';
import { armRegisterName } from '../check/arm-registers.ts';
import { childNamed, childrenOf, integerOf } from '../layout/children.ts';
import type { LayoutNode, StructNode } from '../layout/node.ts';

/** System registers of an Arm CPU: a sorted list of numbers and one of values (target/arm/machine.c). */
const LENGTH = 'cpreg_vmstate_array_len';
const INDEXES = 'cpreg_vmstate_indexes';
const VALUES = 'cpreg_vmstate_values';
/** Bytes of a value, big endian. */
const VALUE_SIZE = 8;

/** Registers in the destination's order, with the values of the source. */
interface MergedRegisters {
  /** The fields that they are in. */
  readonly names: ReadonlySet<PathComponent>;
  /** By name of the field, where it is not as the destination has it. */
  readonly bytes: ReadonlyMap<PathComponent, Uint8Array>;
  readonly lost: readonly {
    readonly path: readonly PathComponent[];
    readonly node: LayoutNode;
    readonly name: string;
  }[];
  /** Names of registers that the source does not have. */
  readonly taken: readonly string[];
}

/** Are there lists of registers in both, of other registers? */
export function hasOtherRegisters(node: StructNode, own: StructNode): boolean {
  const [theirs, ours] = [node, own].map((each) => childNamed(each, INDEXES));
  if (!theirs || !ours) return false;
  const [indexes, ownIndexes] = [numbersIn(theirs), numbersIn(ours)];
  return indexes.length !== ownIndexes.length || indexes.some((index, i) => index !== ownIndexes[i]);
}

/**
 * Those that the destination has, in its order: a register that the source does not have keeps the value of the
 * destination. One that only the source has is no loss where another name of it stays and has its value.
 */
export function mergeRegisters(node: StructNode, own: StructNode): MergedRegisters {
  const theirs = registersOf(node);
  const ours = registersOf(own);
  const bytes = new Uint8Array(VALUE_SIZE * ours.size);
  const view = viewOf(bytes);
  const kept = new Map<string, bigint>();
  const taken: string[] = [];
  for (const [i, [index, ownValue]] of [...ours].entries()) {
    const value = integerOf(theirs.get(index));
    if (value === undefined) taken.push(armRegisterName(index));
    else kept.set(plainName(index), value);
    view.setBigUint64(i * VALUE_SIZE, value ?? integerOf(ownValue) ?? 0n);
  }
  const lost = [...theirs].flatMap(([index, value], i) => {
    const twin = kept.get(plainName(index));
    if (ours.has(index) || (twin !== undefined && twin === integerOf(value))) return [];
    return [{ path: [VALUES, i], node: value, name: armRegisterName(index) }];
  });
  return { names: new Set([LENGTH, INDEXES, VALUES]), bytes: new Map([[VALUES, bytes]]), lost, taken };
}

/** By number, in their order. */
function registersOf(node: StructNode): Map<bigint, LayoutNode> {
  const values = leavesOf(childNamed(node, VALUES));
  const registers = new Map<bigint, LayoutNode>();
  for (const [i, index] of numbersIn(childNamed(node, INDEXES)).entries()) {
    const value = values[i];
    if (value) registers.set(index, value);
  }
  return registers;
}

function numbersIn(node: LayoutNode | undefined): bigint[] {
  return leavesOf(node).flatMap((leaf) => integerOf(leaf) ?? []);
}

/** An array of one element is the element. */
function leavesOf(node: LayoutNode | undefined): LayoutNode[] {
  if (!node) return [];
  return node.kind === 'array' ? [...childrenOf(node)] : [node];
}

/** Without the encoding: `PAR` of `PAR (p15,0,c7)` and of `PAR (p15,0,c7,c4,0)`. */
function plainName(index: bigint): string {
  return armRegisterName(index).replace(/ \(.*$/, '');
}
