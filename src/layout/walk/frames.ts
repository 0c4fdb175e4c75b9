import type {
  InfoReader,
  ObjectPlace,
  ReaderAnswer,
  ReaderArguments,
  ReaderRequest,
} from '../../infos/reader.ts';
import type { CompiledField, CompiledVmsd } from '../../vmsd/compiled.ts';

/** What is being loaded, innermost first. Frames are never changed: branches of a search share them. */
export type Frame = StructFrame | SubsectionsFrame | ElementsFrame | ReaderFrame | CloseFrame;

interface FrameBase {
  readonly parent: Frame | undefined;
  readonly depth: number;
}

export interface StructFrame extends FrameBase {
  readonly kind: 'struct';
  readonly vmsd: CompiledVmsd;
  readonly versionId: number;
  readonly place: ObjectPlace;
  /** Number of the next field. */
  readonly field: number;
  /** Of an applied VMSD: where it ends, absolute in the stream. */
  readonly end?: number;
  /** What is wrong in it was reported with what it is in. */
  readonly isQuiet?: boolean;
  /** What is left of it cannot be placed. */
  readonly isBroken?: boolean;
}

export interface SubsectionsFrame extends FrameBase {
  readonly kind: 'subsections';
  readonly vmsd: CompiledVmsd;
  readonly place: ObjectPlace;
  /** The one that was loaded last. */
  readonly last?: CompiledVmsd;
  /** Of an applied VMSD: the next one, and the same as of a struct. */
  readonly index?: number;
  readonly end?: number;
  readonly isQuiet?: boolean;
}

export interface ElementsFrame extends FrameBase {
  readonly kind: 'elements';
  readonly field: CompiledField;
  readonly versionId: number;
  /** Object and offset of element 0 (or of the pointer to it). */
  readonly base: ObjectPlace;
  readonly size: number;
  readonly index: number;
  readonly count: number;
  /** Of an applied VMSD: the same as of a struct, and where in which part of the array this is. */
  readonly end?: number;
  readonly isQuiet?: boolean;
  readonly part?: number;
  readonly ofPart?: number;
  /** Elements may be NULL, which is a marker in their place. */
  readonly isOfPointers?: boolean;
}

export interface ReaderFrame extends FrameBase {
  readonly kind: 'reader';
  readonly reader: InfoReader;
  readonly args: ReaderArguments;
  /** The answers that the reader has had, newest first. */
  readonly answers: AnswerList | undefined;
  readonly live: LiveReader;
}

interface AnswerList {
  readonly answer: ReaderAnswer;
  readonly count: number;
  readonly before: AnswerList | undefined;
}

/** A reader in progress, shared by the frames of one line; another line that falls behind it makes its own. */
export interface LiveReader {
  generator: Generator<ReaderRequest, void, ReaderAnswer> | undefined;
  /** Answers that it was given, and what it asked last. */
  given: number;
  asked: IteratorResult<ReaderRequest, void> | undefined;
}

/** Ends the node that was opened last. */
interface CloseFrame extends FrameBase {
  readonly kind: 'close';
}

/** Of a vmdesc, which knows nothing of memory. */
export const NO_PLACE: ObjectPlace = { object: 0, offset: 0 };

/** The frame that walks a struct from its first field. */
export function structFrame(
  parent: Frame | undefined,
  vmsd: CompiledVmsd,
  versionId: number,
  place: ObjectPlace,
  depth: number,
  more: Pick<StructFrame, 'end' | 'isQuiet' | 'isBroken'> = {},
): StructFrame {
  return { kind: 'struct', vmsd, versionId, place, field: 0, parent, depth, ...more };
}

/** The same for a struct to which a node was opened. */
export function openedFrame(
  parent: Frame | undefined,
  vmsd: CompiledVmsd,
  versionId: number,
  place: ObjectPlace,
  depth: number,
  more?: Pick<StructFrame, 'end' | 'isQuiet'>,
): StructFrame {
  return structFrame({ kind: 'close', parent, depth }, vmsd, versionId, place, depth + 1, more);
}

/** What the reader asks next. One that is behind or ahead of this frame is made anew, with the same answers. */
export function advance(frame: ReaderFrame): IteratorResult<ReaderRequest, void> {
  const { live, answers, reader, args } = frame;
  const count = answers?.count ?? 0;
  if (live.generator && live.given === count && live.asked) return live.asked;
  if (live.generator && live.given === count - 1 && !live.asked?.done) {
    live.asked = live.generator.next(answers?.answer);
    live.given = count;
    return live.asked;
  }
  const generator = reader(args);
  let asked = generator.next();
  const given: ReaderAnswer[] = [];
  for (let at = answers; at; at = at.before) given.push(at.answer);
  for (const answer of given.reverse()) asked = generator.next(answer);
  Object.assign(live, { generator, given: count, asked });
  return asked;
}
