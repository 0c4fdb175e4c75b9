import { parentPort, workerData } from 'node:worker_threads';
import { CurrentInput } from './current-input.ts';
import { fuzz, type Progress } from './engine.ts';
import type { Failure } from './failure.ts';
import { targetNamed } from './targets.ts';

/** What a worker is started with. */
export interface WorkerTask {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  /** When to stop, as Date.now() tells it. */
  readonly until: number;
  readonly current: SharedArrayBuffer;
}

/** What a worker tells. */
export type WorkerMessage =
  | { readonly kind: 'progress' | 'done'; readonly progress: Progress }
  | { readonly kind: 'failure'; readonly failure: Failure; readonly bytes: Uint8Array };

const { target: name, seed, runs, until, current: shared }: WorkerTask = workerData;
const target = targetNamed(name);
if (!target) throw new Error(`no target ${name}`);
const current = new CurrentInput(shared);
const tell = (message: WorkerMessage) => parentPort?.postMessage(message);

const progress = await fuzz(target, {
  seed,
  runs,
  guided: true,
  onInput: (bytes) => current.set(bytes),
  onFailure: (failure, bytes) => tell({ kind: 'failure', failure, bytes }),
  goOn(soFar) {
    tell({ kind: 'progress', progress: soFar });
    return Date.now() < until;
  },
});
tell({ kind: 'done', progress });
