import type { Monitor, ReadAnswer } from './monitor.ts';
import { runMonitorLine } from './monitor.ts';

/** Tells of each command before it is asked. */
export class RecordingMonitor implements Monitor {
  readonly #monitor: Monitor;
  readonly #onCommand: (command: string, args: object) => void;

  constructor(monitor: Monitor, onCommand: (command: string, args: object) => void) {
    this.#monitor = monitor;
    this.#onCommand = onCommand;
  }

  execute<Result = unknown>(command: string, args: object = {}, read?: ReadAnswer<Result>): Promise<Result> {
    this.#onCommand(command, args);
    return this.#monitor.execute(command, args, read);
  }

  monitor(line: string): Promise<string> {
    return runMonitorLine(this, line);
  }
}
