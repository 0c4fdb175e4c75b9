import { badArgument, type DecodeError, printable } from '../../bytes/diagnostic.ts';
import { meaningOf } from '../../infos/field-reader.ts';
import type { ObjectPlace, ReaderAnswer } from '../../infos/reader.ts';
import type { CompiledVmsd } from '../../vmsd/compiled.ts';
import { scalarTypes } from '../../vmsd/scalars.ts';
import { bufferCost, scalarCost } from './costs.ts';
import { advance, type Frame, openedFrame, type ReaderFrame, structFrame } from './frames.ts';
import { infoMemory } from './info-memory.ts';
import type { Outcome, Run, WalkSink } from './outcome.ts';
import { restLength } from './questions.ts';
import { bytesAt, dead, short, type WalkContext } from './walk-context.ts';

/** The frame that loads a struct of the tables, to which a node was opened. */
export function enterStruct(
  { mode }: WalkContext,
  parent: Frame | undefined,
  vmsd: CompiledVmsd,
  versionId: number,
  place: ObjectPlace,
  depth: number,
): Frame {
  mode.onStruct?.(vmsd, place);
  return openedFrame(parent, vmsd, versionId, place, depth);
}

/** Bits of a value; undefined for one that cannot be. A load does not mind. */
export function valueCost(
  { section, mode }: WalkContext,
  info: string,
  pos: number,
  size: number,
): number | undefined {
  return scalarCost(info, section.view, pos, size) ?? (mode.isLoad ? 0 : undefined);
}

/** Requests that a reader may make, and a few for each byte of its section. */
const FREE_REQUESTS = 1 << 16;

/** Who made the reader of an info has made a mistake. */
function badReader({ args }: ReaderFrame, what: string): DecodeError {
  return badArgument(
    `the reader of the info that ${printable(String(args.field.name))} has asks for ${what}`,
  );
}

/** Answers one request of a reader. */
export function stepReader(
  context: WalkContext,
  run: Run,
  frame: ReaderFrame,
  sink: WalkSink | undefined,
): Outcome | undefined {
  const asked = advance(frame);
  if (asked.done) {
    run.frame = frame.parent;
    return undefined;
  }
  const answered = (answer: ReaderAnswer): undefined => {
    const count = (frame.answers?.count ?? 0) + 1;
    run.frame = { ...frame, answers: { answer, count, before: frame.answers } };
    return undefined;
  };
  const request = asked.value;
  if ((frame.answers?.count ?? 0) > 4 * (context.end - context.section.base) + FREE_REQUESTS)
    return dead(run.offset, 'its reader never comes to an end');
  const start = run.offset;
  switch (request.request) {
    case 'scalar': {
      const type = scalarTypes.get(request.type);
      if (!type) throw badReader(frame, `a scalar of type ${printable(String(request.type))}`);
      const pos = start - context.section.base;
      if (start + type.size > context.end) return short(context, run.offset, request, start + type.size);
      const cost = valueCost(context, request.type, pos, type.size);
      if (cost === undefined) return dead(start, `${request.type} of ${request.name}`);
      const value = type.read(context.section.view, pos);
      run.cost += cost;
      run.offset += type.size;
      const answer = BigInt.asUintN(type.size * 8, BigInt(value));
      if (sink)
        sink.leaf(request.name, request.type, start, run.offset, value, meaningOf(answer, request.meaning));
      return answered(answer);
    }
    case 'bytes': {
      if (start + request.length > context.end)
        return short(context, run.offset, request, start + request.length);
      const content = bytesAt(context, start, request.length);
      run.cost += bufferCost(content);
      run.offset += request.length;
      if (sink)
        sink.leaf(
          request.name,
          request.type,
          start,
          run.offset,
          content,
          meaningOf(content, request.meaning),
        );
      return answered(content);
    }
    case 'struct': {
      const { name, type, vmsd, versionId, place } = request;
      sink?.open(name, type, start, vmsd, versionId);
      answered(undefined);
      run.frame = enterStruct(context, run.frame, vmsd, versionId, place, frame.depth);
      return undefined;
    }
    case 'fields': {
      const { vmsd, place } = request;
      answered(undefined);
      const { versionId, applied } = vmsd;
      const end = applied && start + applied.length;
      if (end !== undefined && end > context.end) return short(context, start, { name: vmsd.name }, end);
      run.frame = structFrame(
        run.frame,
        vmsd,
        versionId,
        place,
        frame.depth + 1,
        end === undefined ? {} : { end },
      );
      return undefined;
    }
    case 'open':
      sink?.open(request.name, request.type, start, request.vmsd, request.vmsd?.versionId ?? 0);
      return answered(undefined);
    case 'openArray':
      sink?.openArray(request.name, request.type, start, request.length);
      return answered(undefined);
    case 'close':
      sink?.close(start);
      return answered(undefined);
    case 'peek':
      return answered(bytesAt(context, start, Math.max(0, Math.min(request.length, context.end - start))));
    case 'remaining': {
      const { min, exact } = restLength(context, frame.parent!);
      return answered({ left: context.end - start, behind: min, exact });
    }
    case 'load':
      return answered(run.shadow.load(request.place.object, request.place.offset, request.size));
    case 'store':
      if (context.mode.isLoad)
        run.shadow.overwrite(request.place.object, request.place.offset, request.size, request.value);
      else run.shadow.store(request.place.object, request.place.offset, request.size, request.value);
      return answered(undefined);
    case 'pciConfig':
      return answered(infoMemory(run.shadow, request.object).pciConfig());
    case 'choose': {
      // One choice is told from others by where in the section, and how far in its reader, it is made.
      const step = frame.answers?.count ?? 0;
      const to = `reading of ${frame.args.place.object} at ${start - context.section.base}, ${step}`;
      const guess = run.shadow.answered(to);
      if (guess !== undefined) return answered(guess);
      const { question, options } = request;
      const field = `${frame.args.field.name}: ${question}`;
      const key = { kind: 'answer', to } as const;
      return { kind: 'unknown', unknown: { key, question: 'reading', field, options } };
    }
    case 'fail':
      if (context.mode.isLoad && request.load === 'taken') return answered(undefined);
      return { ...dead(start, request.why), doubtful: request.load !== 'refused' };
    default:
      throw badReader(frame, 'what is no request');
  }
}
