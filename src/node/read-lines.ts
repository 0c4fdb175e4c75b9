import { createReadStream } from 'node:fs';
import { DecodeError } from '../bytes/diagnostic.ts';
import { failureReason, isSystemError } from './system-error.ts';

/** Characters of a line. */
const MAX_LINE = 64 << 20;

/** The lines of a text file; `-` is standard input. Throws DecodeError `io`, and `bad-argument` for a line without end. */
export async function* readLines(path: string): AsyncGenerator<string> {
  const stream = path === '-' ? process.stdin : createReadStream(path);
  stream.setEncoding('utf8');
  let rest: string[] = [];
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<string>) {
      const [first = '', ...others] = chunk.split('\n');
      rest.push(first);
      length += first.length;
      if (length > MAX_LINE) throw lineProblem(path);
      for (const other of others) {
        yield rest.join('');
        rest = [other];
        length = other.length;
      }
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new DecodeError(
      { severity: 'error', code: 'io', message: failureReason(error) },
      { cause: error, source: path },
    );
  }
  if (length > 0) yield rest.join('');
}

function lineProblem(path: string): DecodeError {
  const message = `a line has more than ${MAX_LINE} characters`;
  return new DecodeError({ severity: 'error', code: 'bad-argument', message }, { source: path });
}
