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

/** @returns {LoadCase[]} */
export function loadCases() {
  return [...differenceCases(), ...damagedCases(), ...versionCases()];
}
