import { flatMachines } from './flat.ts';
import type { Machine } from './machine.ts';
import { pcMachines } from './pc.ts';

/** The machines whose memory layout is known. */
const machines: readonly Machine[] = [...pcMachines, ...flatMachines];

export function findMachine(machineType: string, architecture: string): Machine | undefined {
  return machines.find(
    (machine) => machine.machineType.test(machineType) && machine.architectures.includes(architecture),
  );
}
