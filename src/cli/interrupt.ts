/** Status of a program that SIGINT ended. */
const EXIT_INTERRUPTED = 130;

/** Runs what can be stopped by a signal; Ctrl-C stops it, lets it clean up, and ends the program. */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(new Error('interrupted'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    return await run(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    throw error;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
