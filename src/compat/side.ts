import type { CompiledVmsd } from '../vmsd/compiled.ts';
import type { MemberNames } from './member-names.ts';
import type { PinnedProperties } from './pinned-properties.ts';

/** A QEMU's devices, whether they are known from a binary, from streams, or from `-dump-vmstate`. */
export interface Side {
  readonly facts: SideFacts;
  /** VMSDs do not contain themselves. */
  readonly roots: readonly RootVmsd[];
  /** QOM types of devices that this QEMU has; undefined where too little is known of them. */
  readonly types: ReadonlySet<string> | undefined;
  /**
   * What the roots are all of: `vmsds` of all VMSDs with sections, `types` of all QOM types that have one, `nothing`
   * where any may be missing.
   */
  readonly hasAll: 'vmsds' | 'types' | 'nothing';
  /** It knows how long arrays of fixed length are. */
  readonly hasCounts: boolean;
  /** What the members are called that tests and counts read; undefined where none is known. @internal */
  readonly names: MemberNames | undefined;
  /** Machine types that it has; undefined where that is not known. */
  readonly machineTypes: readonly string[] | undefined;
  /** What machine types set members to; undefined where that is not known of any. @internal */
  readonly pinned: PinnedProperties | undefined;
}

/** What a side is, for people. */
export interface SideFacts {
  /** Name of the file or of the built-in schema. */
  readonly name: string;
  readonly kind: 'tables' | 'learned' | 'dump';
  readonly qemuVersion: string | undefined;
  readonly target: string | undefined;
  /** What this side cannot tell, one remark a line. */
  readonly remarks: readonly string[];
}

/** A VMSD that has sections of its own. */
export interface RootVmsd {
  /** QOM types whose class has it. */
  readonly types: readonly string[];
  /** Of the section; a dump says it apart from that of the VMSD, which is the same in all real ones. */
  readonly versionId: number;
  readonly minimumVersionId: number;
  readonly vmsd: CompiledVmsd;
  /** The device in whose section it is, where the code of that writes it and no table says so. */
  readonly inside?: { readonly name: string; readonly types: readonly string[] } | undefined;
}
