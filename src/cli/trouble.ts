import { DecodeError, type DiagnosticCode } from '../bytes/diagnostic.ts';
import { EXIT_DATA, EXIT_TROUBLE } from './output.ts';

/** Problems with the file as such, not with what is in it. */
const troubleCodes: ReadonlySet<DiagnosticCode> = new Set([
  'io',
  'changed',
  'bad-argument',
  'not-a-stream',
  'no-snapshot',
  'not-elf',
  'not-qemu',
  'bad-profile',
]);

/** Exit status of a command that ends with this. */
export function statusOf({ code }: DecodeError): number {
  return troubleCodes.has(code) ? EXIT_TROUBLE : EXIT_DATA;
}

/** What went wrong, behind the name of the file that it is about. */
export function troubleText({ source, message }: DecodeError): string {
  return source === undefined ? message : `${source}: ${message}`;
}

/** For commands whose status 1 is an answer: whatever is wrong with a file is trouble to them, and not that. */
export async function orTrouble<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new Error(troubleText(error), { cause: error });
  }
}
