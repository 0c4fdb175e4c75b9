import type { Fields } from '../fields.ts';
import type { Architecture } from './architecture.ts';
import { aarch64, arm } from './arm.ts';
import { ppc64 } from './ppc.ts';
import { riscv } from './riscv.ts';
import { s390x } from './s390x.ts';
import { x86 } from './x86.ts';

/** Those that QEMU itself can write a core of. */
const architectures: readonly Architecture[] = [x86, aarch64, arm, ppc64, s390x, riscv];

export const architectureNames = architectures.map(({ name }) => name).join(', ');

export function findArchitecture(cpu: Fields): Architecture | undefined {
  return architectures.find((architecture) => architecture.recognises(cpu));
}
