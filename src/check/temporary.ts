import { childNamed, integerOf } from '../layout/children.ts';
import type { Finding } from './finding.ts';
import type { ValueInput } from './value-input.ts';

/** A field of a struct that is made for loading only, and what its device does with it. */
interface TemporaryRule {
  readonly vmsd: string;
  readonly field: string;
  /** Must it be equal to the destination's, or may it only be set where it is set there? */
  readonly relation: 'equal' | 'supported';
  says(value: bigint, own: bigint): string;
  readonly fix: string;
}

const virtioMemFix = 'the same memory backend, address and block-size= of virtio-mem at both sides';

function virtioMem(field: string, property: string): TemporaryRule {
  return {
    vmsd: 'virtio-mem-device/sanity-checks',
    field,
    relation: 'equal',
    says: (value, own) =>
      `Property '${property}' changed from 0x${value.toString(16)} to 0x${own.toString(16)}`,
    fix: virtioMemFix,
  };
}

/** hw/virtio/virtio-mem.c, virtio_mem_mig_sanity_checks_post_load; hw/net/virtio-net.c. */
const RULES: readonly TemporaryRule[] = [
  virtioMem('addr', 'memaddr'),
  virtioMem('region_size', 'memdev'),
  virtioMem('block_size', 'block-size'),
  virtioMem('node', 'node'),
  {
    vmsd: 'virtio-net-vnet',
    field: 'has_vnet_hdr',
    relation: 'supported',
    says: () => 'virtio-net: saved image requires vnet_hdr=on',
    fix: 'a network back end with vnet_hdr (tap, vhost-user) at the destination',
  },
  {
    vmsd: 'virtio-net-ufo',
    field: 'has_ufo',
    relation: 'supported',
    says: () => 'virtio-net: saved image requires TUN_F_UFO support',
    fix: 'a network back end with UFO at the destination',
  },
];

/** Structs of the info `tmp`: what is sent to be compared, and is kept nowhere. */
export function checkTemporary({ node, ownNode, path }: ValueInput): readonly Finding[] {
  const vmsd = node.kind === 'struct' ? node.vmsdName : undefined;
  return RULES.flatMap((rule): Finding[] => {
    if (rule.vmsd !== vmsd) return [];
    const at = childNamed(node, rule.field);
    const value = integerOf(at);
    const own = integerOf(childNamed(ownNode, rule.field));
    if (!at || value === undefined || own === undefined || value === own) return [];
    if (rule.relation === 'supported' && !(value !== 0n && own === 0n)) return [];
    return [
      {
        rule: 'post-load',
        severity: 'blocks',
        path: [...path, rule.field],
        range: at,
        message: `${value}, and ${own} at the destination`,
        says: rule.says(value, own),
        fix: rule.fix,
      },
    ];
  });
}
