import { DecodeError, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { hexOffset } from '../bytes/range.ts';
import { type FinishedSource, locate, readExactly } from '../bytes/source.ts';
import { type ContainerEnvironment, mostUnpacked } from './container.ts';
import { ClusterMap, type CompressedExtent, type Extent } from './qcow2-clusters.ts';
import { imageError } from './qcow2-error.ts';
import type { Qcow2Header } from './qcow2-header.ts';
import type { Qcow2Snapshot } from './qcow2-snapshots.ts';

/** QEMU's limit for an L1 table, in bytes (block/qcow2.h, QCOW_MAX_L1_SIZE). */
const MAX_L1_LENGTH = 32 << 20;
/** More bytes of holes and zero clusters are no VM state: in a stream, a page of zeros is a few bytes. */
const MAX_ZEROS = 2 ** 30;
/** Bytes that a compressed cluster takes at least. */
const MIN_COMPRESSED = 4;

/**
 * The VM state of a snapshot as a source. It lies in the snapshot behind the disk, from the first byte on that has an L1
 * entry of its own (block/qcow2.h, qcow2_vm_state_offset), where a guest cannot get at it.
 *
 * All tables are checked here, so that reading finds nothing new: where something is wrong, the state ends, and a
 * diagnostic says so. Throws DecodeError `bad-container` where nothing can be read at all, and what the environment throws.
 */
export async function openVmState(
  file: FinishedSource,
  header: Qcow2Header,
  snapshot: Qcow2Snapshot,
  environment: ContainerEnvironment,
): Promise<{ source: FinishedSource; diagnostics: readonly Diagnostic[] }> {
  const l1 = await readL1Table(file, header, snapshot);
  const map = new ClusterMap(file, header, l1, snapshot.l1Offset);
  const disk = snapshot.diskSize ?? header.diskSize;
  const state = new VmState(file, header, environment, map, map.roundUpToTable(disk));
  const { length, problem } = await state.check(snapshot.vmStateSize);
  const diagnostics: Diagnostic[] = [];
  if (problem !== undefined) {
    const message = `the VM state of snapshot '${printable(snapshot.name)}' is ${snapshot.vmStateSize} bytes long, but ends after ${length}: ${problem}`;
    if (length === 0) throw imageError(file, 'bad-container', message);
    const range = { start: length, end: snapshot.vmStateSize };
    diagnostics.push({ severity: 'error', code: 'bad-container', message, range });
  }
  return { source: state.source(`${file.name}#${snapshot.name}`, length), diagnostics };
}

async function readL1Table(
  file: FinishedSource,
  header: Qcow2Header,
  { l1Offset, l1Size, name }: Qcow2Snapshot,
): Promise<Uint8Array> {
  const fail = (problem: string) => {
    const message = `the L1 table of snapshot '${printable(name)}', ${l1Size} entries at ${hexOffset(l1Offset)} of the file, ${problem}`;
    return imageError(file, 'bad-container', message);
  };
  const length = 8 * l1Size;
  if (length > MAX_L1_LENGTH) throw fail('is larger than QEMU allows');
  if (l1Offset % 2 ** header.clusterBits !== 0) throw fail('is inside a cluster');
  if (l1Offset + length > file.size) throw fail('is past the end of the file');
  return readExactly(file, l1Offset, length);
}

class VmState {
  readonly #file: FinishedSource;
  readonly #header: Qcow2Header;
  readonly #environment: ContainerEnvironment;
  readonly #map: ClusterMap;
  /** Of the VM state in the snapshot. */
  readonly #start: number;
  /** The compressed cluster that was read last. */
  #cluster: { readonly offset: number; readonly bytes: Promise<Uint8Array> } | undefined;

  constructor(
    file: FinishedSource,
    header: Qcow2Header,
    environment: ContainerEnvironment,
    map: ClusterMap,
    start: number,
  ) {
    this.#file = file;
    this.#header = header;
    this.#environment = environment;
    this.#map = map;
    this.#start = start;
  }

  /**
   * How many of `size` bytes can be read, and what is wrong with the next. That each cluster of the file is used once, and
   * that zeros are few, also bounds the time that this takes, whatever is in the tables.
   */
  async check(size: number): Promise<{ length: number; problem?: string }> {
    let length = 0;
    let zeros = 0;
    let used = 0;
    let unpacked = 0;
    while (length < size) {
      const extent = await this.#extent(length, Math.min(size - length, MAX_ZEROS + 1));
      if (extent.kind === 'lost') return { length, problem: extent.problem };
      if (extent.kind === 'zero') zeros += extent.length;
      else used += extent.kind === 'stored' ? extent.length : MIN_COMPRESSED;
      if (zeros > MAX_ZEROS) return { length, problem: 'more zeros follow than a stream has' };
      if (used > this.#file.size) return { length, problem: 'clusters of the file are in it several times' };
      if (extent.kind === 'compressed') {
        unpacked += extent.length;
        if (unpacked > mostUnpacked(this.#file.size))
          return { length, problem: 'its compressed clusters unpack to more than can be in the file' };
        try {
          await this.#decompress(extent);
        } catch (error) {
          if (!(error instanceof DecodeError) || error.code !== 'bad-container') throw error;
          return { length, problem: error.message };
        }
      }
      length += extent.length;
    }
    return { length };
  }

  source(name: string, size: number): FinishedSource {
    return {
      name,
      size,
      identity: this.#file.identity,
      end: () => Promise.resolve(size),
      read: (offset, length, into) => this.#read(offset, Math.max(0, Math.min(length, size - offset)), into),
      locate: async (offset) => {
        if (offset >= size) return { offset: undefined, length: 0 };
        const extent = await this.#extent(offset, size - offset);
        if (extent.kind !== 'stored') return { offset: undefined, length: extent.length };
        const place = await locate(this.#file, extent.offset);
        return { offset: place.offset, length: Math.min(place.length, extent.length) };
      },
    };
  }

  async #read(
    offset: number,
    length: number,
    into: Uint8Array = new Uint8Array(length),
  ): Promise<Uint8Array> {
    for (let done = 0; done < length; ) {
      const extent = await this.#extent(offset + done, length - done);
      const target = into.subarray(done, done + extent.length);
      if (extent.kind === 'lost') throw imageError(this.#file, 'bad-container', extent.problem);
      if (extent.kind === 'zero') target.fill(0);
      else if (extent.kind === 'stored') {
        const bytes = await this.#file.read(extent.offset, extent.length, target);
        if (bytes.byteLength < extent.length)
          throw imageError(this.#file, 'io', 'the file has become shorter');
        if (bytes.buffer !== target.buffer || bytes.byteOffset !== target.byteOffset) target.set(bytes);
      } else {
        const { skip } = extent;
        target.set((await this.#decompress(extent)).subarray(skip, skip + extent.length));
      }
      done += extent.length;
    }
    return into.subarray(0, length);
  }

  #extent(offset: number, atMost: number): Promise<Extent> {
    return this.#map.extent(this.#start + offset, atMost);
  }

  /** The whole cluster. */
  #decompress({ offset, size }: CompressedExtent): Promise<Uint8Array> {
    if (this.#cluster?.offset !== offset) {
      const { compression } = this.#header;
      const bytes = this.#file
        .read(offset, size)
        .then((data) => this.#environment.decompressCluster(compression, data, this.#map.clusterSize));
      // Whoever waits for it sees its failure.
      bytes.catch(() => {});
      this.#cluster = { offset, bytes };
    }
    return this.#cluster.bytes;
  }
}
