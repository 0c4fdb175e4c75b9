import { printable } from '../bytes/diagnostic.ts';
import { type FinishedSource, readExactly } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import { decodeText } from '../bytes/window.ts';
import { imageError } from './qcow2-error.ts';

/** `QFI\xfb`. */
export const QCOW_MAGIC = 0x514649fb;

const V2_HEADER_LENGTH = 72;
const V3_HEADER_LENGTH = 104;
const MIN_CLUSTER_BITS = 9;
const MAX_CLUSTER_BITS = 21;
const SUBCLUSTERS = 32;

/** Bits of incompatible_features (block/qcow2.h, QCOW2_INCOMPAT_*). */
const INCOMPAT_DIRTY = 1n << 0n;
const INCOMPAT_CORRUPT = 1n << 1n;
const INCOMPAT_DATA_FILE = 1n << 2n;
const INCOMPAT_COMPRESSION = 1n << 3n;
const INCOMPAT_EXTL2 = 1n << 4n;
const INCOMPAT_KNOWN =
  INCOMPAT_DIRTY | INCOMPAT_CORRUPT | INCOMPAT_DATA_FILE | INCOMPAT_COMPRESSION | INCOMPAT_EXTL2;

const EXTENSION_END = 0;
const EXTENSION_FEATURE_TABLE = 0x6803f857;
const EXTENSION_DATA_FILE = 0x44415441;
/** Entry of the feature name table: u8 type (0: incompatible), u8 bit, 46 bytes of name. */
const FEATURE_NAME_LENGTH = 48;

type ClusterCompression = 'zlib' | 'zstd';

/** What the header of an image says, as far as the VM states of its snapshots depend on it. Sizes in bytes. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly clusterBits: number;
  /** Size of the disk that a guest sees. */
  readonly diskSize: number;
  readonly snapshotsOffset: number;
  readonly snapshotCount: number;
  /** Refcounts may be wrong: the image was in use, with lazy refcounts, when QEMU ended. */
  readonly dirty: boolean;
  /** QEMU found the image damaged. */
  readonly corrupt: boolean;
  /** Clusters are divided into 32 subclusters. */
  readonly extendedL2: boolean;
  readonly compression: ClusterCompression;
  readonly encryption: 'AES' | 'LUKS' | undefined;
  /** Name of the file that holds the clusters instead of this one; empty where the image does not tell it. */
  readonly dataFile: string | undefined;
}

/**
 * Reads the header and its extensions (docs/interop/qcow2 of QEMU; block/qcow2.c, qcow2_do_open). Refcounts and the L1
 * table of the disk are not looked at: no snapshot depends on them. Throws DecodeError `bad-container`, `truncated`, or
 * `unsupported` for versions and features that nobody has written yet.
 */
export async function readQcow2Header(file: FinishedSource): Promise<Qcow2Header> {
  const view = viewOf(await readExactly(file, 0, V2_HEADER_LENGTH));
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) {
    throw imageError(file, 'unsupported', `qcow version ${version}; only versions 2 and 3 are read`);
  }
  const clusterBits = view.getUint32(20);
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    throw imageError(file, 'bad-container', `the image has clusters of 2^${clusterBits} bytes`, range(20, 4));
  }
  const diskSize = Number(view.getBigUint64(24));
  if (!Number.isSafeInteger(diskSize)) {
    throw imageError(file, 'bad-container', `the image has a disk of ${diskSize} bytes`, range(24, 8));
  }
  const snapshotsOffset = Number(view.getBigUint64(64));
  const common = {
    clusterBits,
    diskSize,
    snapshotsOffset,
    snapshotCount: view.getUint32(60),
    encryption: encryptionOf(file, view.getUint32(32)),
  } as const;
  if (version === 2) {
    return {
      ...common,
      version,
      dirty: false,
      corrupt: false,
      extendedL2: false,
      compression: 'zlib',
      dataFile: undefined,
    };
  }
  const { features, headerLength, compressionType } = await readVersion3(file, clusterBits);
  const extensions = await readExtensions(file, headerLength, {
    backingFileOffset: Number(view.getBigUint64(8)),
    clusterSize: 2 ** clusterBits,
  });
  const unknown = features & ~INCOMPAT_KNOWN;
  if (unknown !== 0n) {
    const names = featureNames(unknown, extensions.get(EXTENSION_FEATURE_TABLE));
    throw imageError(file, 'unsupported', `the image uses a feature that is not known: ${names}`);
  }
  const extendedL2 = (features & INCOMPAT_EXTL2) !== 0n;
  if (extendedL2 && 2 ** clusterBits / SUBCLUSTERS < 2 ** MIN_CLUSTER_BITS) {
    const message = `clusters of ${2 ** clusterBits} bytes are too small for subclusters`;
    throw imageError(file, 'bad-container', message, range(20, 4));
  }
  if (compressionType > 1) {
    throw imageError(file, 'unsupported', `cluster compression of type ${compressionType} is not known`);
  }
  const dataFile = extensions.get(EXTENSION_DATA_FILE);
  return {
    ...common,
    version,
    dirty: (features & INCOMPAT_DIRTY) !== 0n,
    corrupt: (features & INCOMPAT_CORRUPT) !== 0n,
    extendedL2,
    compression: compressionType === 1 ? 'zstd' : 'zlib',
    dataFile: (features & INCOMPAT_DATA_FILE) === 0n ? undefined : decodeText(dataFile ?? new Uint8Array(0)),
  };
}

function encryptionOf(file: FinishedSource, method: number): Qcow2Header['encryption'] {
  switch (method) {
    case 0:
      return undefined;
    case 1:
      return 'AES';
    case 2:
      return 'LUKS';
    default:
      throw imageError(file, 'unsupported', `encryption of type ${method} is not known`);
  }
}

async function readVersion3(
  file: FinishedSource,
  clusterBits: number,
): Promise<{ features: bigint; headerLength: number; compressionType: number }> {
  const view = viewOf(await readExactly(file, 0, V3_HEADER_LENGTH));
  const features = view.getBigUint64(72);
  const headerLength = view.getUint32(100);
  if (headerLength < V3_HEADER_LENGTH || headerLength > 2 ** clusterBits) {
    throw imageError(file, 'bad-container', `the image has a header of ${headerLength} bytes`, range(100, 4));
  }
  // The type stands in the byte behind the first form of the header.
  const [compressionType = 0] =
    headerLength > V3_HEADER_LENGTH ? await readExactly(file, V3_HEADER_LENGTH, 1) : [];
  return { features, headerLength, compressionType };
}

/** The extensions behind the header by their magic, up to the first that cannot be: none is needed to read a VM state. */
async function readExtensions(
  file: FinishedSource,
  headerLength: number,
  { backingFileOffset, clusterSize }: { backingFileOffset: number; clusterSize: number },
): Promise<Map<number, Uint8Array>> {
  const end = backingFileOffset > headerLength ? Math.min(backingFileOffset, clusterSize) : clusterSize;
  const bytes = await file.read(headerLength, end - headerLength);
  const view = viewOf(bytes);
  const extensions = new Map<number, Uint8Array>();
  for (let pos = 0; pos + 8 <= bytes.length; ) {
    const magic = view.getUint32(pos);
    const length = view.getUint32(pos + 4);
    if (magic === EXTENSION_END || pos + 8 + length > bytes.length) break;
    extensions.set(magic, bytes.slice(pos + 8, pos + 8 + length));
    pos += 8 + Math.ceil(length / 8) * 8;
  }
  return extensions;
}

/** Names of incompatible features by the image's own table, and bit numbers of those that it does not name. */
function featureNames(bits: bigint, table: Uint8Array | undefined): string {
  const names = new Map<number, string>();
  for (let pos = 0; table && pos + FEATURE_NAME_LENGTH <= table.length; pos += FEATURE_NAME_LENGTH) {
    const [type, bit] = table.subarray(pos, pos + 2);
    const text = decodeText(table.subarray(pos + 2, pos + FEATURE_NAME_LENGTH));
    if (type === 0) names.set(bit!, printable(text.replace(/\0.*$/s, '')));
  }
  const found: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if ((bits >> BigInt(bit)) & 1n) found.push(names.get(bit) ?? `bit ${bit}`);
  }
  return found.join(', ');
}

function range(start: number, length: number): { start: number; end: number } {
  return { start, end: start + length };
}
