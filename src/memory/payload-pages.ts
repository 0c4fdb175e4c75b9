import { appendTo } from '../bytes/append-to.ts';
import { type Diagnostic, problemIn } from '../bytes/diagnostic.ts';
import { CODE_BITS, CODE_MASK, PAYLOAD, type PageRuns } from '../ram/page-runs.ts';
import { decodePayloads } from './encodings/multifd.ts';
import type { Inflater } from './inflater.ts';
import type { PageIndex } from './page-index.ts';

interface PayloadTaker {
  /** Whether channels are decompressed to their ends, so that all damage is found, and not only as far as needed. */
  readonly toTheEnd: boolean;
  /** Pages that were asked for, by the address of the first; `bytes` is valid during the call only. */
  take(start: number, bytes: Uint8Array): void | Promise<void>;
  /** Pages that cannot be had, from address `start` to before `end`. */
  lose(start: number, end: number): void | Promise<void>;
}

/**
 * Decompresses the channels that runs of kind PAYLOAD among `runs` are in, each once and forward, and hands their pages
 * over. Returns what is wrong with the channels. Throws what the taker throws.
 */
export async function visitPayloads(
  { sources }: Pick<PageIndex, 'sources'>,
  runs: PageRuns,
  inflater: Inflater | undefined,
  taker: PayloadTaker,
): Promise<readonly Diagnostic[]> {
  const { count, start, end, kind, value } = runs;
  const bySource = new Map<number, number[]>();
  for (let i = 0; i < count; i++) {
    if ((kind[i]! & CODE_MASK) !== PAYLOAD) continue;
    const which = kind[i]! >> CODE_BITS;
    appendTo(bySource, which, i);
  }
  const diagnostics: Diagnostic[] = [];
  for (const [which, list] of [...bySource].sort(([a], [b]) => a - b)) {
    const { source, packets } = sources[which]!;
    if (!packets) continue;
    list.sort((a, b) => value[a]! - value[b]!);
    let at = 0;
    /** Bytes of the run that were handed over. */
    let done = 0;
    const payloads = decodePayloads(source, packets, inflater);
    for (;;) {
      const { payload, problem } = await nextOf(payloads);
      if (problem) diagnostics.push(problem);
      if (!payload) break;
      const payloadEnd = payload.offset + payload.bytes.length;
      while (at < list.length && value[list[at]!]! + done < payloadEnd) {
        const run = list[at]!;
        const from = value[run]! + done;
        const length = Math.min(end[run]! - start[run]! - done, payloadEnd - from);
        const first = from - payload.offset;
        const waiting = taker.take(start[run]! + done, payload.bytes.subarray(first, first + length));
        if (waiting) await waiting;
        done += length;
        if (done < end[run]! - start[run]!) break;
        at++;
        done = 0;
      }
      if (at === list.length && !taker.toTheEnd) {
        await payloads.return(undefined);
        break;
      }
    }
    for (; at < list.length; at++) {
      await taker.lose(start[list[at]!]! + done, end[list[at]!]!);
      done = 0;
    }
  }
  return diagnostics;
}

/** The next payload, or what is wrong with it. */
async function nextOf(payloads: ReturnType<typeof decodePayloads>) {
  try {
    const { value, done } = await payloads.next();
    return { payload: done ? undefined : value };
  } catch (error) {
    return { problem: problemIn(error).diagnostic };
  }
}
