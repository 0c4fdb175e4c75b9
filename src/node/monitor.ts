import { JsonProblem } from '../schema/checked-json.ts';

/** Reads what QEMU answered. Throws JsonProblem where it is something else. */
export type ReadAnswer<Result> = (value: unknown, path: string) => Result;

/** What a QEMU is asked through: a connection to its machine protocol, or a program that has one. */
export interface Monitor {
  /**
   * Runs a command of QMP, and reads its answer; commands may be under way together. Throws QmpError where QEMU refuses
   * it, QmpClosed where there is no answer to be had, and an error where the answer is not what `read` takes.
   */
  execute<Result = unknown>(command: string, args?: object, read?: ReadAnswer<Result>): Promise<Result>;
  /** Runs a command of the monitor for people, and gives what it prints. */
  monitor(line: string): Promise<string>;
}

/** An answer as its reader takes it; `step` names the command. Throws an error where it is something else. */
export function readAnswer<Result>(value: unknown, step: string, read?: ReadAnswer<Result>): Result {
  if (!read) return value as Result;
  try {
    return read(value, 'it');
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
    throw new Error(`QEMU's answer to ${step} is unknown: ${error.message}`);
  }
}

/** The command of QMP that has a line of the monitor for people. */
export const HUMAN_COMMAND = 'human-monitor-command';

/** Runs a line of the monitor for people over QMP. */
export function runMonitorLine(qmp: Pick<Monitor, 'execute'>, line: string): Promise<string> {
  return qmp.execute(HUMAN_COMMAND, { 'command-line': line }, (value) => {
    if (typeof value !== 'string') throw new JsonProblem('it is no text');
    return value;
  });
}
