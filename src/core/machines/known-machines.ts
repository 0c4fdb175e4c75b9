import type { KnownMachine } from '../device-state.ts';
import { flatMachines } from './flat.ts';
import type { MachineLayout } from './machine-layout.ts';
import { pcMachines } from './pc.ts';

/** The machines whose memory layout is known. */
const machines: readonly MachineLayout[] = [...pcMachines, ...flatMachines];

/** Machine types before 2.4 are not named in the stream; those of PCs are known by their host bridge. */
export async function machineTypeOf(state: KnownMachine): Promise<string | undefined> {
  if (state.machineType !== undefined) return state.machineType;
  if (await state.fields('I440FX')) return 'pc';
  return (await state.fields('mch')) ? 'q35' : undefined;
}

export function findMachine(machineType: string, architecture: string): MachineLayout | undefined {
  return machines.find(
    (machine) => machine.machineType.test(machineType) && machine.architectures.includes(architecture),
  );
}
