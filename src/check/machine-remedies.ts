import type { PathComponent } from '../bytes/diagnostic.ts';

/** Parts of a section that the machine's own options make longer or shorter, and these. */
const REMEDIES: readonly { readonly section: RegExp; readonly part: RegExp; readonly fix: string }[] = [
  { section: /./, part: /^cpuhp_state$/, fix: '-smp …,maxcpus= as at the source' },
  { section: /^spapr-xive$/, part: /./, fix: '-smp …,maxcpus= as at the source' },
  { section: /./, part: /^(acpi_memory_hotplug|memhp_state)$/, fix: '-m …,slots= as at the source' },
  {
    section: /piix4_pm$/,
    part: /^acpi_pci_hotplug\b/,
    fix: '-global PIIX4_PM.acpi-pci-hotplug-with-bridge-support=on or off, as at the source',
  },
  {
    section: /ICH9LPC$/,
    part: /^(ich9_pm\/pcihp$|acpi_pci_hotplug\b)/,
    fix: '-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=on or off, as at the source',
  },
];

/** What helps where there is no `-device` to set it on; undefined where nothing is known. */
export function machineRemedy(idstr: string, path: readonly PathComponent[]): string | undefined {
  return REMEDIES.find(
    ({ section, part }) => section.test(idstr) && path.some((component) => part.test(String(component))),
  )?.fix;
}
