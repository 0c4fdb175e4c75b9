import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';

/** Compression formats that a stream is kept in. */
export type CompressionFormat = 'gzip' | 'bzip2' | 'xz' | 'lzop' | 'zstd';

/** How many times its size compressed data may unpack to, beyond the first MAX_SMALL bytes. */
export const MAX_UNPACKED_TIMES = 512;
const MAX_SMALL = 256 << 20;

/**
 * Bytes that compressed data of a size may unpack to: memory that was never written to is a thousand times its compressed
 * size, in a stream of mapped-ram, but not all memory is; what is made to fill a disk is far more.
 */
export function mostUnpacked(size: number): number {
  return MAX_SMALL + MAX_UNPACKED_TIMES * size;
}

/** What a container needs from the platform that it runs on. */
export interface ContainerEnvironment {
  /**
   * The decompressed content of a source, as a source of its own. Data that is cut or damaged gives what comes before
   * the damage, and a diagnostic; so does data that unpacks to more than `mostUnpacked`. Throws DecodeError
   * `bad-container` where nothing comes before it, and `io` where the platform has no decoder, naming what is missing.
   */
  decompress(format: CompressionFormat, source: FinishedSource): Promise<Decompressed>;
  /**
   * The `size` bytes of a compressed qcow2 cluster: raw deflate (`zlib`) or zstd, perhaps with bytes behind it that do not
   * belong to it. Throws DecodeError `bad-container` where they are not had from it, and `unsupported`.
   */
  decompressCluster(compression: 'zlib' | 'zstd', bytes: Uint8Array, size: number): Promise<Uint8Array>;
}

export interface Decompressed {
  readonly source: OwnedSource;
  readonly diagnostics: readonly Diagnostic[];
}

/** A source that holds something (a temporary file, a process) until it is closed. */
export interface OwnedSource extends FinishedSource {
  close(): Promise<void>;
}

export interface ContainerOptions {
  /** Which of several streams, by name or id: what is behind `#` in `disk.qcow2#name`. */
  readonly selector: string | undefined;
  readonly environment: ContainerEnvironment;
}

/** What a container holds. */
export interface ContainerContent {
  /** Bytes of the stream, or of another container in this one. */
  readonly source: FinishedSource | OwnedSource;
  readonly diagnostics: readonly Diagnostic[];
  /** A domain definition that is kept beside the stream (libvirt). */
  readonly xml?: string;
  /** What libvirt keeps beside that, for itself. */
  readonly cookie?: string;
  /** The profile of the VM that it was captured of, which is to be parsed; it describes what the stream does not. */
  readonly capture?: string;
  /** What the container says of itself, for people: compression, name of the snapshot, … */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

/** A format of files that hold a migration stream. One file of this folder each, and a line in the table. */
export interface Container {
  /** Its name in messages: `qcow2`, `libvirt save image`, `gzip`, … */
  readonly kind: string;
  /** Whether `open` looks at the selector. */
  readonly holdsSeveral?: true;
  /** Whether a file that begins with these bytes (up to 4096) is one; decided by content, never by name. */
  matches(head: Uint8Array): boolean;
  /** Throws DecodeError where there is no stream to be had: encrypted, damaged, no such snapshot. */
  open(source: FinishedSource, options: ContainerOptions): Promise<ContainerContent>;
}
