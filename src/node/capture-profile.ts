import type { Profile } from '../check/profile.ts';
import { isOlder } from '../check/version.ts';
import { withoutRamPages } from '../ops/without-ram-pages.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { openVm } from '../vm/vm.ts';
import { askDestination, checkedAnswers, type DestinationAnswers } from './ask-destination.ts';
import { binaryOfProcess } from './binary-of-process.ts';
import { saveState } from './save-state.ts';
import { extractSchemaOfFile } from './schema-file.ts';
import { PausedQemu, QemuEnded, type StartOptions } from './start-qemu.ts';
import { withVirtioFeatures } from './virtio-status.ts';

export interface CaptureOptions extends StartOptions {
  /** Called with the bytes of RAM that QEMU has looked at, and all of them. */
  onProgress?(done: number, total: number): void;
}

export interface Capture {
  readonly profile: Profile;
  /** Options of the command line that were left out. */
  readonly removed: readonly string[];
  /** Why something is missing in the profile. */
  readonly warnings: readonly string[];
}

/**
 * Starts the command line of a destination, with its CPUs stopped, lets it write its own state, and ends it. No guest
 * code runs, nothing is loaded. All connections are on the loopback interface. Throws QemuEnded where QEMU does not
 * start, and an error with QEMU's words where its machine cannot be migrated.
 */
export function captureProfile(command: readonly string[], options: CaptureOptions = {}): Promise<Capture> {
  let version: string | undefined;
  return PausedQemu.use(command, options, async (qemu) => {
    const { qmp } = qemu;
    const warnings = [...qemu.warnings];
    const destination = await askDestination(qmp);
    version = destination.qemu.version;
    const stream = await captureStream(qemu, destination, options);
    const schema = await extractSchema(qemu).catch((error: Error) => {
      warnings.push(`the tables of the QEMU that ran are not in the profile: ${error.message}`);
      return undefined;
    });
    // QEMU has crashed here: nothing is asked of it afterwards.
    const devices = await withVirtioFeatures(qmp, destination, warnings);
    const profile: Profile = {
      kind: 'profile',
      ...checkedAnswers({ ...destination, devices }),
      commandLine: command,
      messages: qemu.messages,
      schema,
      stream,
    };
    return { profile, removed: qemu.removed, warnings };
  }).catch((error) => {
    if (!(error instanceof QemuEnded) || error.signal !== 'SIGFPE' || version === undefined) throw error;
    throw isOlder(version, [8, 0]) ? dividedByZero(error) : error;
  });
}

/** ram_save_host_page of migration/ram.c; QEMU 8.0 has mended it (https://gitlab.com/qemu-project/qemu/-/issues/1456). */
function dividedByZero({ message, lines, signal }: QemuEnded): QemuEnded {
  const why =
    "known of QEMU before 8.0 where the target's pages are larger than the host's (alpha, loongarch64, or1k, sparc64, tricore)";
  return new QemuEnded(`${message}: ${why}`, lines, signal);
}

async function extractSchema(qemu: PausedQemu): Promise<QemuSchema> {
  return extractSchemaOfFile(await binaryOfProcess(await qemu.findPid()));
}

/** QEMU's state, without the pages of RAM. */
async function captureStream(
  qemu: PausedQemu,
  destination: DestinationAnswers,
  { onProgress }: CaptureOptions,
): Promise<Uint8Array> {
  const received = await saveState(qemu, destination, 'the stream that QEMU sent', onProgress);
  try {
    return await withoutRamPages(await openVm(received));
  } finally {
    await received.close();
  }
}
