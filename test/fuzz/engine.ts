import type { Range } from '../../src/bytes/range.ts';
import { Coverage } from './coverage.ts';
import { type Failure, failuresOf } from './failure.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import type { Target } from './target.ts';

/** Inputs after which it is looked whether one of them reached something new. */
const BATCH = 64;
/** Every so many inputs are judged twice. */
const TWICE = 8;
/** Inputs that are kept because they reached something new. */
const MAX_KEPT = 4000;

interface Kept {
  readonly bytes: Uint8Array;
  places: readonly Range[] | undefined;
}

export interface EngineOptions {
  readonly seed: number;
  /** Inputs to try. */
  readonly runs: number;
  /** Called in front of each. */
  onInput?(bytes: Uint8Array, run: number): void;
  onFailure(failure: Failure, bytes: Uint8Array): void;
  /** Whether there is time for more; asked after each batch. */
  goOn?(progress: Progress): boolean;
  /** Whether what is reached guides the choice of inputs. */
  readonly guided: boolean;
}

export interface Progress {
  readonly runs: number;
  readonly seeds: number;
  /** Inputs that reached something new, seeds not counted. */
  readonly kept: number;
  /** Characters of source that were run; 0 without guidance. */
  readonly covered: number;
}

/** Tries inputs made of a target's seeds, and of those of them that reached something new. */
export async function fuzz(target: Target, options: EngineOptions): Promise<Progress> {
  const { seed, onInput, onFailure, goOn, guided } = options;
  const random = new Random(seed);
  const coverage = guided ? new Coverage() : undefined;
  await coverage?.start();
  let runs = 0;
  const tryInput = async (bytes: Uint8Array, twice: boolean) => {
    onInput?.(bytes, runs);
    runs++;
    for (const failure of await failuresOf(target, bytes, twice)) onFailure(failure, bytes);
  };
  const seeds: Kept[] = (await target.seeds()).map((bytes) => ({ bytes, places: undefined }));
  const kept: Kept[] = [];
  const progress = () => ({
    runs,
    seeds: seeds.length,
    kept: kept.length,
    covered: coverage?.covered ?? 0,
  });
  try {
    for (const { bytes } of seeds) if (runs < options.runs) await tryInput(bytes, true);
    await coverage?.takeNew();
    while (runs < options.runs && (goOn?.(progress()) ?? true)) {
      const batch: Uint8Array[] = [];
      while (batch.length < BATCH && runs < options.runs) {
        const bytes = await nextInput(target, seeds, kept, random);
        batch.push(bytes);
        await tryInput(bytes, runs % TWICE === 0);
      }
      if (coverage && kept.length < MAX_KEPT && (await coverage.hasNew()))
        kept.push(...(await novel(target, batch, coverage)));
    }
    return progress();
  } finally {
    coverage?.stop();
  }
}

/** Those of a batch that reach what the seeds and the ones before them do not. */
async function novel(target: Target, batch: readonly Uint8Array[], coverage: Coverage): Promise<Kept[]> {
  const found: Kept[] = [];
  for (const bytes of batch) {
    await failuresOf(target, bytes, false);
    if (await coverage.takeNew()) found.push({ bytes, places: undefined });
  }
  return found;
}

async function nextInput(
  target: Target,
  seeds: readonly Kept[],
  kept: readonly Kept[],
  random: Random,
): Promise<Uint8Array> {
  const pick = () => random.of(kept.length > 0 && random.oneIn(2) ? kept : seeds);
  const chosen = pick();
  chosen.places ??= (await target.places?.(chosen.bytes)) ?? [];
  const { words, inPlace } = target;
  const changed = mutate(
    chosen.bytes,
    { places: chosen.places, other: pick().bytes, words, inPlace },
    random,
  );
  return target.repair && !random.oneIn(4) ? target.repair(changed) : changed;
}
