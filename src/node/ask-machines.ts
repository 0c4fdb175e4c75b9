import { type MachineTables, readQueryMachines } from '../schema/query-machines.ts';
import { PausedQemu, type StartOptions } from './start-qemu.ts';

/**
 * Starts a QEMU without a machine, asks what its machine types set, and ends it. Throws QemuEnded where it does not
 * start, and QmpError where it is older than 9.1, which does not tell.
 */
export function askMachines(binary: string, options: StartOptions = {}): Promise<MachineTables> {
  return PausedQemu.use([binary, '-M', 'none', '-nodefaults'], options, ({ qmp }) =>
    qmp.execute('query-machines', { 'compat-props': true }, readQueryMachines),
  );
}
