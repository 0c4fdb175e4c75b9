import { printable } from '../bytes/diagnostic.ts';
import type { Qcow2Snapshot } from '../containers/qcow2-snapshots.ts';
import { formatSize } from './size.ts';
import { formatTable } from './text-table.ts';

/** What `snapshots --json` prints of one. */
export function snapshotData(snapshot: Qcow2Snapshot): Readonly<Record<string, unknown>> {
  const { id, name, vmStateSize, vmClock, icount, diskSize } = snapshot;
  return { id, name, vmStateSize, date: isoDate(snapshot, 9), vmClock, icount, diskSize };
}

export function snapshotsText(snapshots: readonly Qcow2Snapshot[]): string[] {
  return formatTable(
    [
      { title: 'id', align: 'left' },
      { title: 'name', align: 'left' },
      { title: 'VM state', align: 'right' },
      { title: 'date', align: 'left' },
      { title: 'VM clock', align: 'right' },
      { title: 'instructions', align: 'right' },
    ],
    snapshots.map((snapshot) => [
      printable(snapshot.id),
      printable(snapshot.name),
      snapshot.vmStateSize === 0 ? 'none' : formatSize(snapshot.vmStateSize),
      isoDate(snapshot, 0),
      clockText(snapshot.vmClock),
      snapshot.icount === undefined ? 'not counted' : String(snapshot.icount),
    ]),
  );
}

/** ISO 8601, in UTC. */
function isoDate({ dateSeconds, dateNanoseconds }: Qcow2Snapshot, digits: 0 | 9): string {
  const seconds = new Date(dateSeconds * 1000).toISOString().slice(0, 19);
  return digits === 0 ? `${seconds}Z` : `${seconds}.${String(dateNanoseconds).padStart(9, '0')}Z`;
}

/** `HH:MM:SS.mmm`, as qemu-img shows it. */
function clockText(nanoseconds: bigint): string {
  const pad = (value: bigint, length: number) => String(value).padStart(length, '0');
  const seconds = nanoseconds / 1_000_000_000n;
  const milliseconds = (nanoseconds / 1_000_000n) % 1000n;
  return `${pad(seconds / 3600n, 2)}:${pad((seconds / 60n) % 60n, 2)}:${pad(seconds % 60n, 2)}.${pad(milliseconds, 3)}`;
}
