import type { HostAddress } from './qemu-schema.ts';

/** A VMSD as it was applied once, in the device state of a stream that describes itself. */
export interface ObservedStruct {
  readonly name: string;
  readonly versionId: number;
  /** The stream, and where in it the struct begins. */
  readonly at: HostAddress;
  /** In stream order; no two have one name. */
  readonly fields: readonly ObservedField[];
  readonly subsections: readonly ObservedStruct[];
}

export interface ObservedField {
  readonly name: string;
  /** `struct`, `vstruct`, or the name of the info; undefined where there are NULL pointers only. */
  readonly type: string | undefined;
  /** Elements; 1 for what is no array. */
  readonly count: number;
  /** Bytes of one element in memory, as far as the walk needs them. */
  readonly size: number;
  /** Is `size` what the walk takes the length in the stream from? */
  readonly sized: boolean;
  /** Type of its markers of NULL pointers, when it has some. */
  readonly nullType: string | undefined;
  /** Every element has a marker before it. */
  readonly marked: boolean;
  /** The vmdesc describes each element of the array for itself. */
  readonly each: boolean;
  /** Of a single integer that is not negative and can count something. */
  readonly value: number | undefined;
  /** The structs of its elements, or those that an info walks; made on demand. */
  readonly structs: Iterable<ObservedStruct>;
}
