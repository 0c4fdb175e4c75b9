/**
 * The cases of loads.mjs: sets of devices, each loaded by every QEMU that has the machine type; pairs of command lines
 * that differ in one thing, loaded both ways; and streams with one thing damaged.
 */

import { damagedCases } from './load-damages.mjs';
import { differenceCases } from './load-differences.mjs';
import { asDestination, DEVICE_SETS, machineOf, versionsWith } from './load-sets.mjs';

/** @typedef {import("./loads.mjs").LoadCase} LoadCase */

/** @returns {LoadCase[]} */
function versionCases() {
  return DEVICE_SETS.flatMap((set) =>
    set.pins.flatMap((pin) => {
      const versions = versionsWith(set, pin);
      return versions.flatMap((from) =>
        versions.map((to) => ({
          id: `${set.name}${pin === undefined ? '' : `@${pin}`} ${from} to ${to}`,
          set: set.name,
          kind: from === to ? 'same' : pin === undefined ? 'version unpinned' : 'version',
          source: machineOf(set, pin, from),
          destination: asDestination(machineOf(set, pin, to)),
        })),
      );
    }),
  );
}

/**
 * The state of CPU hotplug, which 11.1 sends always, and older destinations that have not booted do not.
 *
 * @returns {LoadCase[]}
 */
function hotplugCases() {
  const machine = (
    /** @type {string} */ version,
    /** @type {string} */ family,
    /** @type {number} */ cpus,
  ) => ({
    ...{ version, target: 'x86_64' },
    args: ['-machine', `${family}-7.2`, '-m', '32', '-nodefaults', '-smp', `1,maxcpus=${cpus}`],
  });
  return ['pc-q35', 'pc-i440fx'].flatMap((family) =>
    ['7.2', '10.0'].flatMap((to) =>
      [
        [2, 4],
        [4, 2],
        [4, 4],
      ].map(([from = 0, most = 0]) => ({
        id: `hotplug-max-cpus ${family} ${from} to ${most} 11.1 to ${to}`,
        set: `hotplug-max-cpus-${family}-${from}`,
        kind: 'CPU count',
        source: { ...machine('11.1', family, from), runMs: 1000 },
        destination: machine(to, family, most),
      })),
    ),
  );
}

/** @returns {LoadCase[]} */
export function loadCases() {
  return [...differenceCases(), ...hotplugCases(), ...damagedCases(), ...versionCases()];
}
