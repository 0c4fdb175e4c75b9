import { constants } from 'node:os';

/** What ends a process that a person or the system no longer wants: Ctrl-C, kill, a terminal that is gone. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const cleanups = new Set<() => void>();

/**
 * Has `clean` called when the process exits or a signal ends it, unless the returned function is called before. It is
 * for what must not outlive the process: files that are not whole, programs that were started. It does its work at once:
 * nothing that it waits for would come any more.
 *
 * Behind the cleaning the process dies of the same signal, which is what a shell or a service manager expects of it. A
 * program that listens to the signal itself decides what comes of it, and the cleaning waits for its exit.
 */
export function whenProcessEnds(clean: () => void): () => void {
  if (cleanups.size === 0) {
    process.on('exit', cleanAll);
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  cleanups.add(clean);
  return () => {
    if (cleanups.delete(clean) && cleanups.size === 0) stopListening();
  };
}

function stopListening(): void {
  process.off('exit', cleanAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

function cleanAll(): void {
  for (const clean of cleanups) {
    try {
      clean();
    } catch {
      // The others are to be called as well.
    }
  }
  cleanups.clear();
}

function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  cleanAll();
  stopListening();
  process.kill(process.pid, signal);
  // The first process of a container is not ended by a signal of its own.
  process.exit(128 + constants.signals[signal]);
}
