import type { UnknownOption } from '../../infos/reader.ts';
import type { CompiledField, CompiledVmsd } from '../../vmsd/compiled.ts';
import type { LayoutNode, LeafValue, UniformElements } from '../node.ts';
import type { Frame } from './frames.ts';
import type { Shadow, ShadowKey } from './shadow.ts';

/** Something that the stream does not say: where its answer is kept, and the values that it could have. */
export interface Unknown {
  readonly key: ShadowKey;
  /** What is asked, for people. */
  readonly question: 'count' | 'size' | 'exists' | 'pointer' | 'length' | 'reading';
  readonly field: string;
  readonly options: readonly UnknownOption[];
  /** A question that is then answered, too, for later ones of the kind. */
  readonly also?: string | undefined;
}

/** How a run ended. */
export type Outcome =
  | { readonly kind: 'done' }
  /** The bytes are not what the tables say, or do not end where they should; `doubtful`: a QEMU may load them. */
  | {
      readonly kind: 'dead';
      readonly offset: number;
      readonly why: string;
      readonly refusal?: Refusal;
      readonly doubtful?: boolean;
    }
  /** The stream was cut off in this section, and the walk has come to the value that is cut. */
  | { readonly kind: 'cut'; readonly offset: number; readonly field: string | number }
  | { readonly kind: 'unknown'; readonly unknown: Unknown };

/** What QEMU has words of its own for: `why` is what it says. */
export type Refusal = 'null-pointer' | 'failed-validation' | 'too-new' | 'too-old' | 'unknown-subsection';

/** Takes the nodes of a run, a parent before its children. */
export interface WalkSink {
  /** Wants each element of an array of structs to be opened, also where all are of one shape. */
  readonly wantsEach?: boolean;
  open(
    name: string | number,
    type: string,
    start: number,
    vmsd: CompiledVmsd | undefined,
    versionId: number,
  ): void;
  openArray(
    name: string,
    type: string,
    start: number,
    length: number,
    described?: CompiledField['described'],
  ): void;
  leaf(
    name: string | number,
    type: string,
    start: number,
    end: number,
    value: LeafValue,
    meaning?: string | undefined,
  ): void;
  /** All elements of the array that was opened last, which are all of one shape. */
  elements(elements: UniformElements): void;
  close(end: number): void;
  /** What only a walk by an applied VMSD has to tell: bytes that nobody can name, */
  gap(type: string, start: number, end: number, name?: string | number): void;
  /** a node that was made elsewhere, */
  node(node: LayoutNode): void;
  /** and how many elements the array that was opened last turns out to have. */
  setLength(length: number): void;
  /** Names of the nodes that are open, from the section's root. */
  readonly path: readonly (string | number)[];
}

/** What a sink has for a walk by tables, which tells none of it. */
export const NO_NODES: Pick<WalkSink, 'gap' | 'node' | 'setLength' | 'path'> = {
  gap() {},
  node() {},
  setLength() {},
  path: [],
};

/** One run of the machine: what has been loaded, and what is still to load. */
export interface Run {
  readonly shadow: Shadow;
  offset: number;
  frame: Frame | undefined;
  /** Bits that the values loaded so far cost: few where integers are small and buffers are zero. */
  cost: number;
}

/** Steps that are left; shared by the runs of a search, so that lying tables cannot hold it up. */
export interface StepBudget {
  steps: number;
}
