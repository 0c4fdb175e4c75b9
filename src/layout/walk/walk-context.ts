import type { Diagnostic, PathComponent } from '../../bytes/diagnostic.ts';
import type { Infos } from '../../infos/info.ts';
import type { ObjectPlace, ReaderArguments } from '../../infos/reader.ts';
import type { CompiledVmsd } from '../../vmsd/compiled.ts';
import type { LayoutNode, NodePlace } from '../node.ts';
import type { SectionBytes } from '../section-bytes.ts';
import type { FixedLengths } from './fixed-length.ts';
import type { Outcome } from './outcome.ts';
import type { Objects } from './shadow.ts';

/** What readers are told of the section and the schema. */
export interface Surroundings extends Pick<ReaderArguments, 'idstr' | 'vmsds' | 'behind'> {
  /** CPUs of the machine, as far as the stream tells. */
  readonly cpus: number;
  readonly infos: Infos;
}

/** What is known of a device's configuration from elsewhere. */
export interface CountHints {
  /** Values that the counter of a field, at an offset of its object, can have by default. */
  defaults(field: string, offset: number): ReadonlySet<number>;
}

export interface MachineMode {
  /** The stream ends inside the section. */
  readonly isCut?: boolean;
  /**
   * Do as QEMU does that loads the section over what the shadow has: values that no QEMU would have saved are taken as
   * they are, what is loaded replaces what was there, and validations must hold.
   */
  readonly isLoad?: boolean;
  /** Called with each struct that is walked, and where it is in memory. */
  onStruct?(vmsd: CompiledVmsd, place: ObjectPlace): void;
  /** For applied VMSDs. */
  readonly applied?: AppliedMode;
}

/** What a walk by applied VMSDs turns to. */
export interface AppliedMode {
  report(diagnostic: Omit<Diagnostic, 'section' | 'instanceId'>): void;
  /**
   * Opens up a field whose VMStateInfo is one to be read, and whose place is known; `vmsd` is that of its elements, as
   * far as it is described. Undefined where nothing can read it.
   */
  readInfo(
    at: NodePlace,
    vmsd: CompiledVmsd | undefined,
    path: readonly PathComponent[],
    isQuiet: boolean,
  ): LayoutNode | undefined;
}

/** What all steps of a walk through a section go by. */
export interface WalkContext {
  readonly section: SectionBytes;
  /** Where the section ends, absolute in the stream. */
  readonly end: number;
  readonly objects: Objects;
  readonly lengths: FixedLengths;
  readonly hints: CountHints;
  readonly surroundings: Surroundings;
  readonly mode: MachineMode;
}

export function dead(offset: number, why: string): Outcome & { kind: 'dead' } {
  return { kind: 'dead', offset, why };
}

/** Something that would end at `end`, which is behind the section. */
export function short(
  { mode, end: sectionEnd }: WalkContext,
  offset: number,
  { name }: { readonly name: string | number },
  end: number,
): Outcome {
  if (mode.isCut) return { kind: 'cut', offset, field: name };
  return dead(offset, `${name} ends ${end - sectionEnd} bytes behind the section`);
}

/** Bytes of the section from an offset on. */
export function bytesAt({ section }: WalkContext, offset: number, length: number): Uint8Array {
  const pos = offset - section.base;
  return section.bytes.subarray(pos, pos + length);
}
