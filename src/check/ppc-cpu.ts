import { childNamed, integerOf } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';
import type { Finding } from './finding.ts';
import type { SectionValues } from './value-input.ts';
import { isOlder } from './version.ts';

const REGISTERS = 'env.spr';
/** SPR of the processor version. */
const SPR_PVR = 287;
const BASE = 0xffff0000;
const MAJOR = 0x0f00;
const POWER9 = 0x004e0000;
/** First QEMU seen that tells DD2.2 of POWER9 from DD2.1; 7.2 does not. */
const SPLITS_POWER9 = [10, 0] as const;

/**
 * target/ppc/machine.c, cpu_post_load: the processor version must be one that the class of the destination's CPU takes
 * for its own, unless the guest runs in a compatibility mode.
 */
export function checkPpcCpu({ section, root, own, destination }: SectionValues): Finding[] {
  if (section.idstr !== 'cpu') return [];
  const at = processorVersionOf(root);
  const value = version(at);
  const local = version(processorVersionOf(own));
  if (!at || value === undefined || local === undefined || value === local) return [];
  if (root.children.some(({ name }) => name === 'cpu/compat')) return [];
  const isSameFamily = (value & BASE) === (local & BASE) && (value & MAJOR) === (local & MAJOR);
  const { qemuVersion } = destination;
  const isSplit =
    (local & BASE) === POWER9 &&
    qemuVersion !== undefined &&
    !isOlder(qemuVersion, SPLITS_POWER9) &&
    (value & 0xf) < 2 !== (local & 0xf) < 2;
  const hex = (pvr: number) => `0x${pvr.toString(16)}`;
  return [
    {
      rule: 'post-load',
      severity: !isSameFamily || isSplit ? 'blocks' : 'suspicious',
      path: [REGISTERS, SPR_PVR],
      range: at,
      message: `the processor version is ${hex(value)}, and ${hex(local)} at the destination`,
      says: "error while loading state for instance 0x0 of device 'cpu'",
      fix: 'the same -cpu model, with its version (power9_v2.0), at both sides',
    },
  ];
}

/** Where the processor version is. */
export function processorVersionOf(root: LayoutNode): LayoutNode | undefined {
  return childNamed(childNamed(root, REGISTERS), SPR_PVR);
}

/** The low 32 bits, which are the processor version. */
function version(node: LayoutNode | undefined): number | undefined {
  const value = integerOf(node);
  return value === undefined ? undefined : Number(BigInt.asUintN(32, value));
}
