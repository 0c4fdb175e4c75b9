import type { Expression } from '../expressions/expression.ts';
import type { ScalarType } from './scalars.ts';

/**
 * A VMSD made ready for walking, be it of tables, of a vmdesc or of a dump: flags taken apart, indexes turned into
 * references, names made unique the way QEMU does in a vmdesc.
 */
export interface CompiledVmsd {
  /** Empty for one that gets its name at run time. */
  readonly name: string;
  readonly versionId: number;
  /** Oldest version that its fields are loaded of. */
  readonly minimumVersionId: number;
  /** QEMU before 6.2: a function, `load_state_old`, loads versions that are older. */
  readonly loadsOld?: boolean;
  /** A VM with its device is not migrated. */
  readonly unmigratable?: boolean;
  /** Its section is sent before RAM. */
  readonly earlySetup?: boolean;
  /** Filled after construction, as VMSDs refer to each other. */
  fields: readonly CompiledField[];
  subsections: readonly CompiledVmsd[];
  /** Its device changes members right before they are saved: what is sent is not what was there. */
  readonly preparesSave: boolean;
  /** Decides whether a subsection is sent; undefined where it always is. */
  needed: ExistenceTest | undefined;
  /** VMSTATE_VALIDATE: what a load insists on. */
  validations: readonly Validation[];
  /** Set where it is no table, but what a vmdesc says of one that was saved. */
  readonly applied?: AppliedVmsd;
}

/** A VMSD as it was applied when a stream was written: nothing in it is open. */
export interface AppliedVmsd {
  /** Undefined for a section of the old style, and for a NULL element of a pointer array. */
  readonly vmsdName: string | undefined;
  readonly versionId: number | undefined;
  /** Bytes in the stream, those of its subsections and their headers included. */
  readonly length: number;
}

/** What a vmdesc says of a field beyond its table. */
export interface AppliedField {
  /** Bytes of one element in the stream. */
  readonly length: number;
  /** Bytes that all behind the field takes in its struct. */
  readonly behind: number;
  /** An array that is described in parts: elements of the one, then of the next. */
  readonly parts?: readonly CompiledField[];
  /** Of an array of pointers of which only the first element, which is NULL, is described: the others, if known. */
  readonly nullFirst?: { readonly others: CompiledField | undefined };
}

/** A test that must hold when its struct is loaded, with the name under which QEMU complains. */
export interface Validation {
  readonly name: string;
  readonly test: ExistenceTest;
  /** Index of the field that it stands before. */
  readonly before: number;
}

export interface CompiledField {
  /** As the vmdesc spells it: `name[k]` where a VMSD has the name more than once. */
  readonly name: string;
  /** As its table spells it, where that is not the same. */
  readonly tableName?: string | undefined;
  /** Bytes from the VMSD's object. */
  readonly offset: number;
  /** Bytes of one element in memory. */
  readonly size: number;
  readonly count: CompiledCount;
  /** VMS_VBUFFER: where the size of the buffer is, and what it is multiplied with. */
  readonly bufferSize: CompiledMember | undefined;
  /** VMS_POINTER: the object holds a pointer to the first element. */
  readonly pointer: boolean;
  /** VMS_ALLOC: what the pointer points to is made when it is loaded. */
  readonly allocated: boolean;
  /** VMS_ARRAY_OF_POINTER: each element is a pointer. */
  readonly pointers: boolean;
  /** QEMU 11.1: every element of an array of pointers has a marker before it. */
  readonly marked: boolean;
  readonly element: CompiledElement;
  /** Set for a field that is one number and nothing else, as most are. */
  readonly plain: { readonly info: string; readonly scalar: ScalarType } | undefined;
  /** What the marker of a NULL element is called: `nullptr`, from QEMU 11 on `ptr-marker`. */
  readonly nullType: string;
  /** How a vmdesc describes it, when it is an array. */
  readonly described: 'first' | 'each' | 'pointers' | 'markers' | undefined;
  readonly exists: CompiledExistence;
  /** Version of the field; what `tmp` gives to its VMSD. */
  readonly versionId: number;
  /** Set for fields of an applied VMSD. */
  readonly applied?: AppliedField;
  /**
   * Set where it is from what `-dump-vmstate` prints, which says nothing of offsets, pointers, infos (theirs is empty),
   * and of counts only those of arrays of fixed length, from QEMU 8.0 on.
   */
  readonly dumped?: true;
}

export type CompiledElement =
  | {
      readonly kind: 'struct';
      readonly type: 'struct' | 'vstruct';
      readonly vmsd: CompiledVmsd;
      readonly versionId: number;
    }
  | {
      readonly kind: 'info';
      readonly info: string;
      readonly vmsd: CompiledVmsd | undefined;
      /** Of a `gtree` whose keys are structs. */
      readonly key: CompiledVmsd | undefined;
    };

/** An integer of the object that counts something. */
export interface CompiledMember {
  readonly offset: number;
  /** Bytes. */
  readonly width: number;
  readonly factor: number;
}

export type CompiledCount =
  | { readonly kind: 'fixed'; readonly count: number; readonly array: boolean }
  | ({ readonly kind: 'member' } & CompiledMember);

export type CompiledExistence =
  | { readonly kind: 'version'; readonly from: number }
  | { readonly kind: 'test'; readonly test: ExistenceTest };

/** A field_exists function: of the object and the version. */
export interface ExistenceTest {
  /** Distinguishes functions: the same one gives the same answer for the same object. */
  readonly id: number;
  /**
   * What it computes, as far as the code of QEMU could be read; undefined where nothing is known of it.
   */
  readonly expression: Expression | undefined;
}

/** What a field is called in its table. */
export function tableName({ name, tableName: own = name }: CompiledField): string {
  return own;
}

/** The type that a vmdesc gives to a field. */
export function elementType({ element }: Pick<CompiledField, 'element'>): string {
  return element.kind === 'struct' ? element.type : element.info;
}
