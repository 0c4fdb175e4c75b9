/**
 * What a QEMU puts on the wire for its devices, as far as tables tell it: the same form whether it is known from a
 * binary, from streams, or from `-dump-vmstate`. References instead of indexes; VMSDs do not contain themselves.
 */
export interface WireSide {
  readonly facts: SideFacts;
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
  readonly vmsd: WireVmsd;
  /** The device in whose section it is, where the code of that writes it and no table says so. */
  readonly inside?: { readonly name: string; readonly types: readonly string[] } | undefined;
}

export interface WireVmsd {
  readonly name: string | undefined;
  readonly versionId: number;
  readonly minimumVersionId: number;
  readonly unmigratable: boolean;
  readonly earlySetup: boolean;
  /** QEMU before 6.2: a function reads versions that are too old for the fields. */
  readonly loadsOld: boolean;
  /** Of a subsection: whether it is sent. Undefined: always. */
  readonly needed: WireTest | undefined;
  readonly fields: readonly WireField[];
  readonly subsections: readonly WireVmsd[];
}

/** A function of QEMU that decides what is on the wire. */
export interface WireTest {
  /** What it asks about a version, for people: `property x-old`; undefined where nothing is known of it. */
  text(versionId: number): string | undefined;
  /**
   * The same for tests that look alike, whatever the offsets in the structs that they read; undefined where too little
   * is known to tell it from others.
   */
  readonly shape: string | undefined;
  /** What it says for a version, if that is all it hangs on. */
  answer(versionId: number): boolean | undefined;
}

export interface WireField {
  readonly name: string;
  /** First version of the VMSD that has it, where there is no test. */
  readonly versionId: number;
  readonly test: WireTest | undefined;
  /** VMSTATE_VALIDATE: nothing on the wire, but loading fails where the test says no. */
  readonly validates: boolean;
  readonly count: WireCount;
  readonly pointers: PointerForm;
  readonly element: WireElement;
}

/**
 * Elements of a field. `unknown`: a dump does not say; where it has the lengths of arrays, it is a single one, unless the
 * number is in the device.
 */
export type WireCount =
  | { readonly kind: 'fixed'; readonly count: number; readonly isArray: boolean }
  /** Some number in the device, times a factor; `member` is what that is called. */
  | { readonly kind: 'member'; readonly member: string; readonly factor: number }
  | { readonly kind: 'unknown'; readonly isSingle: boolean };

/**
 * Of an array of pointers: `nullable` has a byte in place of an element that is NULL, `marked` (QEMU 11) a byte before
 * each element as well. `unknown`: a dump does not say.
 */
export type PointerForm = 'none' | 'nullable' | 'marked' | 'unknown';

export type WireElement = WireValue | WireStruct;

export interface WireValue {
  readonly kind: 'value';
  /** Name of the VMStateInfo; undefined in a dump. */
  readonly info: string | undefined;
  /** Bytes on the wire; undefined where it varies, or is not known. */
  readonly length: number | undefined;
  /** Bytes in memory; undefined where they are made up (learned). */
  readonly memory: number | undefined;
  /** VMS_VBUFFER: what holds its size. */
  readonly sizeMember: string | undefined;
}

/** Another VMSD's fields, in place, or in what `info` makes of it (a list, a tree, a temporary object). */
export interface WireStruct {
  readonly kind: 'struct';
  readonly info: string | undefined;
  readonly vmsd: WireVmsd;
  /** Version that is written, and the one that is read: it is not on the wire. */
  readonly savedVersion: number;
  readonly loadedVersion: number;
}
