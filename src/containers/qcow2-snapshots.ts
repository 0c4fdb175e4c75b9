import type { Diagnostic } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import { decodeText } from '../bytes/window.ts';
import { imageError } from './qcow2-error.ts';
import type { Qcow2Header } from './qcow2-header.ts';

/** Limits of QEMU (block/qcow2.h, QCOW_MAX_SNAPSHOTS, QCOW_MAX_SNAPSHOT_EXTRA_DATA). */
const MAX_SNAPSHOTS = 65536;
const MAX_EXTRA_DATA = 1024;
/** QCowSnapshotHeader. */
const ENTRY_HEADER_LENGTH = 40;
/** What QEMU writes into icount where instructions are not counted. */
const NO_ICOUNT = 2n ** 64n - 1n;

/** An internal snapshot of an image. Sizes in bytes. */
export interface Qcow2Snapshot {
  readonly id: string;
  readonly name: string;
  /** 0 for a snapshot of the disk alone. */
  readonly vmStateSize: number;
  /** Of the host, since 1970. */
  readonly dateSeconds: number;
  readonly dateNanoseconds: number;
  /** Nanoseconds that the guest had run. */
  readonly vmClock: bigint;
  /** Guest instructions executed; undefined where they were not counted (`-icount`). */
  readonly icount: bigint | undefined;
  /** Size of the disk at that time; undefined in images of QEMU before 1.1, in which it could not change. */
  readonly diskSize: number | undefined;
  readonly l1Offset: number;
  /** Entries. */
  readonly l1Size: number;
}

export interface Qcow2SnapshotTable {
  readonly snapshots: readonly Qcow2Snapshot[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads the snapshot table (block/qcow2-snapshot.c, qcow2_do_read_snapshots). Entries behind one that cannot be are lost,
 * which is a diagnostic. Throws DecodeError `bad-container` where the table cannot be at all, and `io`.
 */
export async function readSnapshotTable(
  file: FinishedSource,
  header: Qcow2Header,
): Promise<Qcow2SnapshotTable> {
  const { snapshotCount, snapshotsOffset, clusterBits } = header;
  const snapshots: Qcow2Snapshot[] = [];
  const diagnostics: Diagnostic[] = [];
  if (snapshotCount === 0) return { snapshots, diagnostics };
  if (snapshotCount > MAX_SNAPSHOTS) {
    throw imageError(file, 'bad-container', `the image has ${snapshotCount} snapshots`, {
      start: 60,
      end: 64,
    });
  }
  if (snapshotsOffset % 2 ** clusterBits !== 0 || snapshotsOffset >= file.size) {
    const problem =
      snapshotsOffset >= file.size ? 'past the end of the file' : 'not at the start of a cluster';
    const message = `the snapshot table is at ${hexOffset(snapshotsOffset)}, ${problem}`;
    throw imageError(file, 'bad-container', message, { start: 64, end: 72 });
  }
  let offset = snapshotsOffset;
  for (let i = 0; i < snapshotCount; i++) {
    const entry = await readEntry(file, offset);
    if (typeof entry === 'string') {
      const message = `entry ${i} of ${snapshotCount} of the snapshot table, at ${hexOffset(offset)} of the file, ${entry}`;
      diagnostics.push({ severity: 'error', code: 'bad-container', message });
      break;
    }
    snapshots.push(entry.snapshot);
    offset = Math.ceil(entry.end / 8) * 8;
  }
  return { snapshots, diagnostics };
}

/** The entry at an offset, or what is wrong with it. */
async function readEntry(
  file: FinishedSource,
  offset: number,
): Promise<{ snapshot: Qcow2Snapshot; end: number } | string> {
  const header = await file.read(offset, ENTRY_HEADER_LENGTH);
  if (header.length < ENTRY_HEADER_LENGTH) return 'is past the end of the file';
  const view = viewOf(header);
  const l1Offset = Number(view.getBigUint64(0));
  const l1Size = view.getUint32(8);
  const idLength = view.getUint16(12);
  const nameLength = view.getUint16(14);
  const dateSeconds = view.getUint32(16);
  const dateNanoseconds = view.getUint32(20);
  const vmClock = view.getBigUint64(24);
  const smallVmStateSize = view.getUint32(32);
  const extraLength = view.getUint32(36);
  if (extraLength > MAX_EXTRA_DATA) return `has ${extraLength} bytes of extra data`;
  const length = extraLength + idLength + nameLength;
  const rest = await file.read(offset + ENTRY_HEADER_LENGTH, length);
  if (rest.length < length) return 'ends past the end of the file';
  // QCowSnapshotExtraData grew: the size of the VM state in 64 bits, the size of the disk, and instructions.
  const extra = new DataView(rest.buffer, rest.byteOffset, extraLength);
  const vmStateSize = extraLength >= 8 ? Number(extra.getBigUint64(0)) : smallVmStateSize;
  const diskSize = extraLength >= 16 ? Number(extra.getBigUint64(8)) : undefined;
  const icount = extraLength >= 24 ? extra.getBigUint64(16) : NO_ICOUNT;
  if (!Number.isSafeInteger(vmStateSize)) return `says that its VM state is ${vmStateSize} bytes long`;
  if (diskSize !== undefined && !Number.isSafeInteger(diskSize))
    return `says that its disk has ${diskSize} bytes`;
  const snapshot = {
    id: decodeText(rest.subarray(extraLength, extraLength + idLength)),
    name: decodeText(rest.subarray(extraLength + idLength)),
    vmStateSize,
    dateSeconds,
    dateNanoseconds,
    vmClock,
    icount: icount === NO_ICOUNT ? undefined : icount,
    diskSize,
    l1Offset,
    l1Size,
  };
  return { snapshot, end: offset + ENTRY_HEADER_LENGTH + length };
}
