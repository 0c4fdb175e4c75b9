import type { ObjectId } from '../layout/walk/shadow.ts';
import type { CompiledField, CompiledVmsd } from '../vmsd/compiled.ts';
import type { Meaning } from './field-reader.ts';

/** Where a struct is: an object of the source QEMU, and a byte offset in it. */
export interface ObjectPlace {
  readonly object: ObjectId;
  readonly offset: number;
}

/** What a reader of a custom info knows when it begins. */
export interface ReaderArguments {
  readonly field: CompiledField;
  /** What the info's put function was given. */
  readonly place: ObjectPlace;
  /** Bytes of the field in memory. */
  readonly size: number;
  /** Version of the VMSD that has the field. */
  readonly versionId: number;
  readonly idstr: string;
  /** VMSDs by name, in the order of the tables; there can be several of one name. */
  vmsds(name: string): readonly CompiledVmsd[];
  /** What the pointer at an offset of an object points to: always the same object for the same pointer. */
  behind(object: ObjectId, offset: number, index?: number): ObjectId;
}

/**
 * What a reader asks of the walk, one thing at a time; the answer is what `yield` returns. Readers must be pure: when a
 * search goes back to a choice, a reader is run anew with the same answers.
 */
export type ReaderRequest =
  /** An integer of a base type (`uint32` …), big endian. Answer: its bits, unsigned. */
  | {
      readonly request: 'scalar';
      readonly name: string | number;
      readonly type: string;
      readonly meaning?: Meaning<bigint> | undefined;
    }
  /** Bytes as they are. Answer: Uint8Array. */
  | {
      readonly request: 'bytes';
      readonly name: string | number;
      readonly type: string;
      readonly length: number;
      readonly meaning?: Meaning<Uint8Array> | undefined;
    }
  /** Fields and subsections of a VMSD, without a node of their own. */
  | { readonly request: 'fields'; readonly vmsd: CompiledVmsd; readonly place: ObjectPlace }
  /** A VMSD with its subsections. */
  | {
      readonly request: 'struct';
      readonly name: string | number;
      readonly type: string;
      readonly vmsd: CompiledVmsd;
      readonly versionId: number;
      readonly place: ObjectPlace;
    }
  /** A node for what follows, up to `close`. */
  | {
      readonly request: 'open';
      readonly name: string | number;
      readonly type: string;
      readonly vmsd?: CompiledVmsd;
    }
  | { readonly request: 'openArray'; readonly name: string; readonly type: string; readonly length: number }
  | { readonly request: 'close' }
  /** The bytes at the present place, not consumed; fewer where the section ends. Answer: Uint8Array. */
  | { readonly request: 'peek'; readonly length: number }
  /** Bytes up to the end of the section, and how many of them belong to what comes behind at the least. */
  | { readonly request: 'remaining' }
  /** A member that has been loaded or guessed. Answer: bigint, undefined when it is not known. */
  | { readonly request: 'load'; readonly place: ObjectPlace; readonly size: number }
  /** A member whose value the stream tells in another way. */
  | { readonly request: 'store'; readonly place: ObjectPlace; readonly size: number; readonly value: bigint }
  /** PCI configuration space of an object, when it has been loaded. Answer: Uint8Array or undefined. */
  | { readonly request: 'pciConfig'; readonly object: ObjectId }
  /** Something that the stream does not say. Answer: the value of the option that is tried. */
  | { readonly request: 'choose'; readonly question: string; readonly options: readonly UnknownOption[] }
  /**
   * No QEMU would have saved this. `load` is what one does that loads it: it refuses, or takes it as it is; without it
   * that is not known.
   */
  | { readonly request: 'fail'; readonly why: string; readonly load?: 'refused' | 'taken' };

/** A value that something could have which the stream does not say. */
export interface UnknownOption {
  readonly value: bigint;
  /** Bits that it costs to say this value and not another one. */
  readonly cost: number;
}

/** What is left of a section. */
export interface Remaining {
  /** Bytes up to the end of the section. */
  readonly left: number;
  /** Bytes that what is behind the field takes at the least. */
  readonly behind: number;
  /** `behind` is no estimate. */
  readonly exact: boolean;
}

/** What the walk answers; which request has which answer, `ReaderRequest` says. */
export type ReaderAnswer = bigint | Uint8Array | Remaining | undefined;

/** Reads a field with a custom VMStateInfo. Its requests make the nodes inside the field's own node. */
export type InfoReader = (args: ReaderArguments) => ReaderSteps<void>;

/** A reader, or a part of one that comes to a result. */
export type ReaderSteps<T> = Generator<ReaderRequest, T, ReaderAnswer>;

/**
 * An integer of a base type (`uint32`, `int64` …, big endian; `le32` and its like little endian). Comes to its bits,
 * unsigned. `name` is that of its node, `meaning` what is said behind the value.
 */
export function* scalar(name: string | number, type: string, meaning?: Meaning<bigint>): ReaderSteps<bigint> {
  return (yield { request: 'scalar', name, type, meaning }) as bigint;
}

/** An integer of up to 32 bits, as a number. */
export function* integer(
  name: string | number,
  type: 'uint8' | 'uint16' | 'uint32',
  meaning?: Meaning<bigint>,
): ReaderSteps<number> {
  return Number(yield* scalar(name, type, meaning));
}

/** `length` bytes as they are, in a node of their own; its `type` is mostly `buffer`. */
export function* bytes(
  name: string | number,
  type: string,
  length: number,
  meaning?: Meaning<Uint8Array>,
): ReaderSteps<Uint8Array> {
  return (yield { request: 'bytes', name, type, length, meaning }) as Uint8Array;
}

/** The bytes at the present place, which are not taken; fewer where the section ends. */
export function* peek(length: number): ReaderSteps<Uint8Array> {
  return (yield { request: 'peek', length }) as Uint8Array;
}

/** How much there is up to the end of the section. */
export function* remaining(): ReaderSteps<Remaining> {
  return (yield { request: 'remaining' }) as Remaining;
}

/** Something that the stream does not say: the value of the option that is tried. */
export function* choose(question: string, options: readonly UnknownOption[]): ReaderSteps<number> {
  return Number((yield { request: 'choose', question, options }) as bigint);
}

/** A VMSD at the version that it is saved with, with its subsections, in a node of its own. */
export function* struct(name: string | number, vmsd: CompiledVmsd, place: ObjectPlace): ReaderSteps<void> {
  yield { request: 'struct', name, type: 'struct', vmsd, versionId: vmsd.versionId, place };
}
