import type { Diagnostic, PathComponent } from '../bytes/diagnostic.ts';
import type { LayoutNode, NodePlace, StructNode } from '../layout/node.ts';
import type { SectionBytes } from '../layout/section-bytes.ts';
import type { InfoReader } from './reader.ts';

/**
 * What is known of a custom VMStateInfo: of the code in QEMU that writes a field in a way of its own. All of it is
 * optional, and all of it is a function of its arguments.
 */
export interface Info {
  /** Names that QEMU has for it (`VMStateInfo.name`), which are the types of its fields in a vmdesc. */
  readonly names: readonly string[];
  /** How many bytes it puts, where the field alone tells that. */
  readonly length?: InfoLength;
  /** Bytes in memory of a field that puts so many, where it does not put them as they are. */
  memorySize?(length: number): number;
  /** Reads a field whose bytes, or what was loaded before them, say how long it is. Goes before `length`. */
  readonly read?: InfoReader;
  /**
   * The node for the range of a field, opened up; its leaves tile the range. Undefined where the bytes are not what the
   * info writes: the field is then shown as bytes. Goes before the nodes that `read` makes.
   */
  open?(context: InfoContext, place: NodePlace): LayoutNode | undefined;
  /** The node that `read` has made, with what its values mean; `idstr` is that of the section. */
  explain?(node: StructNode, idstr: string): StructNode;
  /** Why no QEMU has saved these bytes, of a field with a `length`; a load takes them as they are. */
  fault?(content: Uint8Array, memory: InfoMemory): string | undefined;
  /** Takes note of the bytes of a field with a `length`, for what comes behind. */
  loaded?(content: Uint8Array, memory: InfoMemory): void;
  /** Bits that such bytes cost beside those of a buffer: more, the less likely it is that a QEMU has saved them. */
  cost?(content: Uint8Array): number;
}

/**
 * Bytes that an info puts for one value: always as many; one of several numbers, where there are several infos of the
 * name or it changed between versions (which one shows in the bytes, since all elements of a field have the same); or
 * by the field's bytes in memory and its name, undefined for a field that it is not known of.
 */
export type InfoLength = number | readonly number[] | ((size: number, field: string) => number | undefined);

/** Where a field is that is opened up. */
export interface InfoContext {
  readonly section: SectionBytes;
  /** Names of the nodes around the field, and its own. */
  readonly path: readonly PathComponent[];
  report(diagnostic: Omit<Diagnostic, 'section' | 'instanceId'>): void;
}

/** What was loaded into the object that a field is in. */
export interface InfoMemory {
  /** PCI configuration space, but for what is PCI Express' own; undefined before it is loaded. */
  pciConfig(): Uint8Array | undefined;
  storePciConfig(content: Uint8Array): void;
}

/** Infos by their names. */
export type Infos = ReadonlyMap<string, Info>;
