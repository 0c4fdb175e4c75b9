import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Transform, Writable } from 'node:stream';
import zlib from 'node:zlib';
import { DecodeError, printable } from '../bytes/diagnostic.ts';
import type { CompressionFormat } from '../containers/container.ts';
import { writeAll } from './decoder.ts';
import { writeFully } from './output.ts';
import { whyNotRun } from './run-decoder.ts';

/** Compresses what is written into an open file. */
export interface Compressor {
  /** The bytes have to stay as they are until this is done. */
  write(bytes: Uint8Array): Promise<void>;
  /** Writes what is left. */
  end(): Promise<void>;
  /** Gives up, where it has not come to its end. */
  abandon(): void;
}

/** What Node has from 22.15 on. */
const { createZstdCompress, constants } = zlib as {
  createZstdCompress?: (options: { params: Record<number, number> }) => Transform;
  constants: { ZSTD_c_checksumFlag?: number };
};
/** Characters of standard error that are kept. */
const MAX_STDERR = 1000;

/**
 * A compressor by node:zlib or, where Node has none, by the program of the format on PATH. All throw what the file system
 * throws, and DecodeError `io` where there is no such program, or it fails.
 */
export function openCompressor(format: CompressionFormat, fd: number): Compressor {
  if (format === 'gzip') return transformCompressor(zlib.createGzip(), fd);
  const { ZSTD_c_checksumFlag } = constants;
  if (format === 'zstd' && createZstdCompress && ZSTD_c_checksumFlag !== undefined)
    return transformCompressor(createZstdCompress({ params: { [ZSTD_c_checksumFlag]: 1 } }), fd);
  return programCompressor(format, ['-q', '-c'], fd);
}

function transformCompressor(transform: Transform, fd: number): Compressor {
  const written = writeInto(transform, fd);
  return compressor(transform, written, () => transform.destroy());
}

function programCompressor(name: CompressionFormat, args: readonly string[], fd: number): Compressor {
  const child = spawn(name, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < MAX_STDERR) said += text;
  });
  const failed = (reason: string) =>
    new DecodeError({
      severity: 'error',
      code: 'io',
      message: `it takes the program ${name}, which ${reason}`,
    });
  const ended = once(child, 'close').then(
    ([status, signal]) => {
      if (signal) throw failed(`was ended by ${signal}`);
      if (status !== 0)
        throw failed(`failed: ${printable(said.trim().split('\n')[0] || `status ${status}`)}`);
    },
    (error: NodeJS.ErrnoException) => {
      throw failed(whyNotRun(error, name === 'xz' ? 'xz-utils' : name));
    },
  );
  ended.catch(() => {});
  // That nothing can be written is the reason why it is ended.
  const written = writeInto(child.stdout, fd).then(() => ended);
  return compressor(child.stdin, written, () => {
    child.stdin.destroy();
    child.kill();
  });
}

function writeInto(output: Readable, fd: number): Promise<void> {
  return writeAll(output, (bytes) => writeFully(fd, bytes));
}

/** `written` is when all is in the file; where it fails, the input takes no more, which is no reason of its own. */
function compressor(input: Writable, written: Promise<void>, abandon: () => void): Compressor {
  input.on('error', () => {});
  // Whoever writes is told.
  written.catch(abandon);
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        input.write(bytes, (error) => {
          if (error) written.then(() => reject(error), reject);
          else resolve();
        });
      }),
    async end() {
      input.end();
      await written;
    },
    abandon,
  };
}
