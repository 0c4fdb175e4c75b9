import { type Diagnostic, printable } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import type { Container, ContainerContent, ContainerOptions } from './container.ts';
import { imageError } from './qcow2-error.ts';
import { QCOW_MAGIC, type Qcow2Header, readQcow2Header } from './qcow2-header.ts';
import { type Qcow2Snapshot, type Qcow2SnapshotTable, readSnapshotTable } from './qcow2-snapshots.ts';
import { openVmState } from './qcow2-vm-state.ts';

/** Names of snapshots that a message lists. */
const MAX_NAMES = 20;

/** A disk image with internal snapshots (`savevm`, `snapshot-save`), one of which is opened. */
export const qcow2: Container = {
  kind: 'qcow2',
  holdsSeveral: true,
  matches: (head) => head.length >= 4 && viewOf(head).getUint32(0) === QCOW_MAGIC,
  open: openSnapshot,
};

async function openSnapshot(
  image: FinishedSource,
  { selector, environment }: ContainerOptions,
): Promise<ContainerContent> {
  // A QEMU that runs may write to the image: what a snapshot has stays where it is.
  const file = image.withoutIdentity?.() ?? image;
  const header = await readQcow2Header(file);
  refuseForeignData(file, header);
  const table = await readSnapshotTable(file, header);
  const snapshot = selector === undefined ? onlySnapshot(file, table) : findSnapshot(file, table, selector);
  const { source, diagnostics } = await openVmState(file, header, snapshot, environment);
  const chosen: Diagnostic[] =
    selector === undefined
      ? [{ severity: 'note', code: 'chosen-snapshot', message: `VM state of snapshot ${nameOf(snapshot)}` }]
      : [];
  return {
    source,
    diagnostics: [...chosen, ...flagWarnings(header), ...table.diagnostics, ...diagnostics],
    details: { snapshot: snapshot.name, id: snapshot.id },
  };
}

/**
 * The internal snapshots of a qcow2 image, in the order of its table. Throws DecodeError `bad-container`, `unsupported`,
 * `io`, and `no-snapshot` for a file that is no qcow2 image.
 */
export async function listSnapshots(file: FinishedSource): Promise<Qcow2SnapshotTable> {
  if (!qcow2.matches(await file.read(0, 4))) {
    throw imageError(file, 'no-snapshot', 'not a qcow2 image: only those have internal snapshots');
  }
  const header = await readQcow2Header(file);
  const { snapshots, diagnostics } = await readSnapshotTable(file, header);
  return { snapshots, diagnostics: [...flagWarnings(header), ...diagnostics] };
}

/** Throws DecodeError `unsupported` where clusters are encrypted or in another file. */
function refuseForeignData(file: FinishedSource, header: Qcow2Header): void {
  if (header.encryption) {
    throw imageError(
      file,
      'unsupported',
      `the image is encrypted (${header.encryption}), so that nothing in it can be read`,
    );
  }
  if (header.dataFile !== undefined) {
    const name = header.dataFile === '' ? 'another file' : `the file '${printable(header.dataFile)}'`;
    throw imageError(file, 'unsupported', `the image keeps its data in ${name}, not in itself`);
  }
}

function flagWarnings({ dirty, corrupt }: Qcow2Header): Diagnostic[] {
  const warnings: Diagnostic[] = [];
  const warn = (message: string) => warnings.push({ severity: 'warning', code: 'bad-container', message });
  if (corrupt) warn('the image is marked corrupt: QEMU found its tables damaged');
  if (dirty) warn('the image is marked dirty: QEMU did not close it, or has it open now');
  return warnings;
}

/** The snapshot that is meant where none is named. */
function onlySnapshot(file: FinishedSource, { snapshots }: Qcow2SnapshotTable): Qcow2Snapshot {
  const withState = snapshots.filter(({ vmStateSize }) => vmStateSize > 0);
  const [first] = withState;
  if (!first) {
    const count =
      snapshots.length === 0 ? 'no snapshots' : `${snapshots.length} snapshots, all of the disk alone`;
    const advice =
      "; 'vmwalk scan FILE' finds states that are still in the image though the list of snapshots is lost";
    throw imageError(file, 'no-snapshot', `the image has no VM state: ${count}${advice}`);
  }
  if (withState.length > 1) {
    const message = `the image has ${withState.length} snapshots with a VM state; append #NAME for one of them: ${listOf(withState)}`;
    throw imageError(file, 'no-snapshot', message);
  }
  return first;
}

/** By name, else by id. (QEMU does not allow two of a name, but images that it did not make may have them.) */
function findSnapshot(
  file: FinishedSource,
  { snapshots }: Qcow2SnapshotTable,
  selector: string,
): Qcow2Snapshot {
  const named = snapshots.filter(({ name }) => name === selector);
  const found = named.length > 0 ? named : snapshots.filter(({ id }) => id === selector);
  const [first] = found;
  const wanted = `'${printable(selector)}'`;
  if (!first) {
    const others = snapshots.length === 0 ? 'no snapshots' : listOf(snapshots);
    throw imageError(file, 'no-snapshot', `the image has no snapshot ${wanted}; it has ${others}`);
  }
  if (found.length > 1) {
    throw imageError(
      file,
      'no-snapshot',
      `the image has ${found.length} snapshots ${wanted}: ${listOf(found)}`,
    );
  }
  if (first.vmStateSize === 0) {
    throw imageError(file, 'no-snapshot', `snapshot ${wanted} is of the disk alone: it has no VM state`);
  }
  return first;
}

function listOf(snapshots: readonly Qcow2Snapshot[]): string {
  const names = snapshots.slice(0, MAX_NAMES).map(nameOf).join(', ');
  return snapshots.length > MAX_NAMES ? `${names}, and ${snapshots.length - MAX_NAMES} more` : names;
}

function nameOf({ name, id }: Qcow2Snapshot): string {
  return `'${printable(name)}' (id ${printable(id)})`;
}
