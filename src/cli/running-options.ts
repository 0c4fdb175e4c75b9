import { Option } from '@commander-js/extra-typings';
import { CaptureRefused } from '../node/capture-running.ts';
import { parseSeconds, splitWords } from './options.ts';

/** Seconds for each step: what a busy host takes. */
const STEP_LIMIT = 20;

/** Options of commands that capture VMs. */
export const connectOption = () =>
  new Option('--connect <uri>', 'libvirt to ask: qemu:///system; the one that virsh takes without it');
export const viaOption = () =>
  new Option('--via <command>', 'words in front of all commands: "ssh HOST"').argParser(splitWords);
export const forceOption = () =>
  new Option('--force', 'also where it could hurt: what stands against it is a warning then');
export const ringsOption = () =>
  new Option(
    '--rings',
    'read how far the guest is with virtqueues, too: two bytes of each ring, in its memory',
  );
export const auditOption = () =>
  new Option(
    '--audit <file>',
    'append a line of JSON: who, which commands, pause, result; "journal" is the journal',
  );
export const stepLimitOption = () =>
  new Option('--timeout <seconds>', 'give up when a step takes longer')
    .argParser(parseSeconds)
    .default(STEP_LIMIT);

/** Throws an error again; of one that --force gets over, with a word of that. */
export function adviseForce(error: unknown): never {
  if (error instanceof CaptureRefused) throw new Error(`${error.message} (--force captures it all the same)`);
  throw error;
}
