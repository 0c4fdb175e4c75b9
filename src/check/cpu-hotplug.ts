import { childNamed } from '../layout/children.ts';
import type { Finding } from './finding.ts';
import type { ValueInput } from './value-input.ts';

/** hw/acpi/cpu.c, vmstate_cpu_hotplug: one element for each CPU that can be in the machine. */
export const CPU_HOTPLUG = 'CPU hotplug state';
const DEVICES = 'devs';

/**
 * The state of CPU hotplug has an element for each possible CPU, and no number of them. A destination that has not booted
 * is in the legacy mode, and does not send it itself: its number is then in what its monitor told, or its command line.
 */
export function checkCpuHotplug({
  node,
  ownNode,
  path: parent,
  section,
  destination,
}: ValueInput): readonly Finding[] {
  if (node.kind !== 'struct' || node.vmsdName !== CPU_HOTPLUG || ownNode) return [];
  const devices = childNamed(node, DEVICES);
  const count = devices === undefined ? 0 : devices.kind === 'array' ? devices.length : 1;
  const possible = destination.possibleCpus;
  if (possible === count) return [];
  const place = { path: [...parent, DEVICES], range: devices ?? node };
  const fix = `-smp …,maxcpus=${count} at the destination: as at the source`;
  const says = `Missing section footer for ${section.idstr}`;
  if (possible !== undefined) {
    const message = `it has ${count} elements, one for each CPU that the source can have, and the destination can have ${possible}`;
    return [{ ...place, rule: 'array-length', severity: 'blocks', message, says, fix }];
  }
  const message = `it has ${count} elements, one for each CPU that the source can have (maxcpus); how many the destination can have is not known, as its own stream does not have this part. A profile made by vmwalk does`;
  return [{ ...place, rule: 'not-checked', severity: 'suspicious', message, says, fix }];
}
