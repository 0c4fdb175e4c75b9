import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { DecodeError, printable } from '../bytes/diagnostic.ts';
import { DamagedData, type Decoder, readChunks, writeAll } from './decoder.ts';
import { failureReason } from './system-error.ts';

/** Bytes of standard error that are kept: of the first line, which is shown. */
const MAX_STDERR = 4 << 10;

/** A program that decodes its standard input to its standard output. */
export interface DecoderProgram {
  readonly name: string;
  readonly args: readonly string[];
  /** Its status when the content is whole, but something is to be said. */
  readonly warningStatus?: number;
  /** Of the distribution's package, for who lacks it. */
  readonly packageName: string;
}

/** Decodes by a program that is found on PATH; it is ended with whatever ends the decoding. */
export function programDecoder({ name, args, warningStatus = 0, packageName }: DecoderProgram): Decoder {
  return async (decoding) => {
    const failed = (reason: string) => cannotDecode(decoding.source.name, name, reason);
    const child = spawn(name, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < MAX_STDERR) stderr += text;
    });
    const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    // Both are awaited below, the input first; an error of the one is no reason to leave the other unwatched.
    closed.catch(() => {});
    const input = Readable.from(readChunks(decoding, 0));
    let inputError: Error | undefined;
    input.once('error', (error) => {
      inputError = error;
      child.kill();
    });
    // A program that has seen enough, or died, closes its input; its status says which.
    child.stdin.on('error', () => input.destroy());
    input.pipe(child.stdin);
    try {
      await writeAll(child.stdout, decoding.write);
      const [status, signal] = await closed.catch((error: NodeJS.ErrnoException) => {
        throw failed(whyNotRun(error, packageName));
      });
      if (inputError) throw inputError;
      const said = firstLine(stderr, name);
      // It says nothing of the data: somebody, or a lack of memory, ended it.
      if (signal) throw failed(`was ended by ${signal}`);
      if (status !== 0 && status !== warningStatus)
        throw new DamagedData(said ?? `${name} ended with status ${status}`);
      return said;
    } finally {
      input.destroy();
      child.kill();
    }
  };
}

function cannotDecode(source: string, program: string, reason: string): DecodeError {
  const message = `cannot read ${source}: it takes the program ${program}, which ${reason}`;
  return new DecodeError({ severity: 'error', code: 'io', message });
}

/** What is the matter with a program that could not be started, behind its name. */
export function whyNotRun(error: NodeJS.ErrnoException, packageName: string): string {
  return error.code === 'ENOENT'
    ? `is not on PATH (install ${packageName})`
    : `cannot be run: ${failureReason(error)}`;
}

/** What the program said, without its name and that of its input in front. */
function firstLine(stderr: string, name: string): string | undefined {
  const line = stderr.split('\n').find((text) => text.trim() !== '');
  if (line === undefined) return undefined;
  return printable(
    line.trim().replace(new RegExp(`^((${name}|\\(stdin\\)|<stdin>|/\\*stdin\\*\\\\) *: *)+`), ''),
  );
}
