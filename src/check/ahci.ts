import { childNamed, childrenOf, firstOfType, numberOf } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';
import type { Finding } from './finding.ts';
import type { SectionValues } from './value-input.ts';
import { isOlder } from './version.ts';

const ICH9_AHCI = 'ich9_ahci';
const PCI_COMMAND_MASTER = 4;
/** Engines of a port by their bit in its command register, in the order in which they are started, and what each maps. */
const ENGINES = [
  { bit: 1 << 0, bytes: 1024, words: 'DMA engine: bad command list buffer address' },
  { bit: 1 << 4, bytes: 256, words: 'FIS receive engine: bad FIS receive buffer address' },
] as const;
/** From this version on a device has bytes for such mappings; before, all of QEMU has one mapping (softmmu/physmem.c). */
const HAS_BYTES = [9, 2] as const;
/** x-max-bounce-buffer-size of a PCI device. */
const BYTES = 4096;

/**
 * hw/ide/ahci.c, ahci_state_post_load: engines that are on are started again, and map guest memory. A PCI device that
 * may not access memory gets a copy instead, of which there are few.
 */
export function checkAhci({ root, destination }: SectionValues): Finding[] {
  const { qemuVersion } = destination;
  if (root.vmsdName !== ICH9_AHCI || qemuVersion === undefined) return [];
  const command = numberOf(childNamed(firstOfType(root, 'pci config'), 'command'));
  if (command === undefined || (command & PCI_COMMAND_MASTER) !== 0) return [];
  const hasBytes = !isOlder(qemuVersion, HAS_BYTES);
  let left = hasBytes ? BYTES : 1;
  const ports: readonly LayoutNode[] = [...childrenOf(childNamed(childNamed(root, 'ahci'), 'dev'))];
  for (const [index, port] of ports.entries()) {
    const register = childNamed(port, 'port_regs.cmd');
    for (const { bit, bytes, words } of ENGINES) {
      if (((numberOf(register) ?? 0) & bit) === 0) continue;
      left -= hasBytes ? bytes : 1;
      if (left >= 0) continue;
      return [
        {
          rule: 'post-load',
          severity: 'blocks',
          path: ['ahci', 'dev', index, 'port_regs.cmd'],
          range: register ?? port,
          message: `an engine of port ${index} is on, and the device may not access memory (bus mastering is off): QEMU has no memory to start it with`,
          says: `AHCI: Failed to start ${words}`,
          fix: hasBytes
            ? 'a stream of a moment when the guest uses the controller, or does not have it yet'
            : 'QEMU 9.2 or later at the destination; or a stream of a moment when the guest uses the controller, or does not have it yet',
        },
      ];
    }
  }
  return [];
}
