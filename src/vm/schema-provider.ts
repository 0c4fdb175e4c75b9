import type { QemuSchema } from '../schema/qemu-schema.ts';

/** The tables of one QEMU that are at hand. */
export interface SchemaEntry {
  /** As the QEMU says it: `10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)`. */
  readonly qemuVersion: string;
  /** Suffix of the binary: `x86_64`. */
  readonly target: string;
  /** Machine types as they are in a stream's configuration. */
  readonly machineTypes: readonly string[];
}

/** Schemas that are at hand; which of them is read a stream by is chosen by what is in it. */
export interface SchemaProvider<Entry extends SchemaEntry = SchemaEntry> {
  /** All of them, without loading any. */
  list(): Promise<readonly Entry[]>;
  /** Throws DecodeError where it cannot be had. */
  load(entry: Entry): Promise<QemuSchema>;
  /**
   * The same at once, where the platform can do that: what a vmdesc leaves closed is then opened by tables that are loaded
   * when they are asked for. Without, they are loaded beforehand where there is anything closed.
   */
  readonly now?: { list(): readonly Entry[]; load(entry: Entry): QemuSchema };
}
