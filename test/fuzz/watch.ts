import { Worker } from 'node:worker_threads';
import { CurrentInput } from './current-input.ts';
import type { Progress } from './engine.ts';
import type { Failure } from './failure.ts';
import type { WorkerMessage, WorkerTask } from './worker.ts';

/** Seconds of processor time that one input, of at most a megabyte, may take. */
const MAX_SECONDS = 10;
/** Bytes of memory that the process may take, with all that tests keep for themselves. */
const MAX_MEMORY = 1536 << 20;
const MAX_HEAP_MB = 1024;
const LOOK_MS = 250;

export interface Watched {
  readonly progress: Progress;
  /** Why it did not come to its end. */
  readonly ended: string | undefined;
}

/**
 * Fuzzes in a worker, and ends it when an input takes too long or too much memory, which is a failure of that input.
 */
export async function watch(
  task: Omit<WorkerTask, 'current'>,
  onFailure: (failure: Failure, bytes: Uint8Array) => void,
  onProgress: (progress: Progress) => void,
): Promise<Watched> {
  const current = new CurrentInput();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { ...task, current: current.shared } satisfies WorkerTask,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  let progress: Progress = { runs: 0, seeds: 0, kept: 0, covered: 0 };
  let ended: string | undefined;
  const end = (text: string) => {
    if (ended !== undefined) return;
    ended = text;
    onFailure({ key: text, text }, current.bytes);
    void worker.terminate();
  };
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'failure') onFailure(message.failure, message.bytes);
    else {
      progress = message.progress;
      onProgress(progress);
    }
  });
  worker.on('error', (error) => end(`the worker ended: ${error.stack ?? error.message}`));
  let run = -1;
  let since = 0;
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage();
    if (current.run !== run) {
      run = current.run;
      since = user + system;
    } else if (run > 0 && user + system - since > MAX_SECONDS * 1e6) end(`more than ${MAX_SECONDS} s`);
    if (process.memoryUsage.rss() > MAX_MEMORY) end(`more than ${MAX_MEMORY >> 20} MiB`);
  }, LOOK_MS);
  await new Promise((resolve) => worker.once('exit', resolve));
  clearInterval(timer);
  return { progress, ended };
}
