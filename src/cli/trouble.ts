import { DecodeError } from '../bytes/diagnostic.ts';

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
