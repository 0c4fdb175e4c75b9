import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { DecodeError } from '../bytes/diagnostic.ts';
import type { InflatedPayloads, Inflater } from '../memory/inflater.ts';
import { whyNotRun } from './run-decoder.ts';

/** Node 22.15 and later. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: zlib.ZlibOptions) => Transform };
const gunzip = promisify(zlib.gunzip) as (bytes: Uint8Array, options: zlib.ZlibOptions) => Promise<Buffer>;
/** Bytes that a decoder gives at once: most payloads in one piece. */
const CHUNK_SIZE = 512 << 10;

/** Decompresses pages by node:zlib, and zstd by the program of that name where Node has no decoder. */
export const nodeInflater: Inflater = {
  inflate: (data, limit) => zlib.inflateSync(data, { maxOutputLength: limit }),
  open(format, payloads) {
    switch (format) {
      case 'zlib':
        return new StreamPayloads(zlib.createInflate({ chunkSize: CHUNK_SIZE }), payloads);
      case 'gzip':
        return new SinglePayloads(payloads);
      case 'zstd':
        if (createZstdDecompress) {
          return new StreamPayloads(createZstdDecompress({ chunkSize: CHUNK_SIZE }), payloads);
        }
        if (isOnPath('zstd')) return new ProgramPayloads('zstd', ['-dcq'], withLastBlock(payloads));
        throw new DecodeError({
          severity: 'error',
          code: 'unsupported',
          message: 'pages compressed by zstd: Node 22.15 or the program zstd is needed to decompress them',
        });
    }
  },
};

/** Payloads that are one stream, whose encoder was flushed behind each of them. */
class StreamPayloads implements InflatedPayloads {
  readonly #decoder: Transform;
  readonly #payloads: AsyncGenerator<Uint8Array>;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #limit = 0;
  #failure: Error | undefined;

  constructor(decoder: Transform, payloads: AsyncGenerator<Uint8Array>) {
    this.#decoder = decoder;
    this.#payloads = payloads;
    decoder.on('error', (error) => {
      this.#failure ??= error;
    });
    decoder.on('data', (piece: Uint8Array) => {
      this.#pieces.push(piece);
      this.#length += piece.byteLength;
      // Stops a payload that would decompress to gigabytes.
      if (this.#length > this.#limit) decoder.destroy(new Error(`it has more than ${this.#limit} bytes`));
    });
  }

  async next(length: number): Promise<Uint8Array> {
    this.#limit = length;
    this.#pieces = [];
    this.#length = 0;
    const { value: payload } = await this.#payloads.next();
    if (!payload) throw new Error('the channel ends before it');
    await new Promise<void>((resolve) => {
      this.#decoder.once('close', resolve);
      this.#decoder.write(payload, () => {
        this.#decoder.off('close', resolve);
        resolve();
      });
    });
    if (this.#failure) throw this.#failure;
    if (this.#length !== length) throw new Error(`it has ${this.#length} bytes instead of ${length}`);
    return joined(this.#pieces, length);
  }

  async close(): Promise<void> {
    this.#decoder.destroy();
  }
}

/** Payloads each of which is a whole. */
class SinglePayloads implements InflatedPayloads {
  readonly #payloads: AsyncGenerator<Uint8Array>;

  constructor(payloads: AsyncGenerator<Uint8Array>) {
    this.#payloads = payloads;
  }

  async next(length: number): Promise<Uint8Array> {
    const { value: payload } = await this.#payloads.next();
    if (!payload) throw new Error('the channel ends before it');
    const content = await gunzip(payload, { maxOutputLength: length, chunkSize: CHUNK_SIZE });
    if (content.length !== length) throw new Error(`it has ${content.length} bytes instead of ${length}`);
    return content;
  }

  async close(): Promise<void> {}
}

/**
 * Payloads that are one stream, decompressed by a program. It is fed with all of them, as far as it takes them: what
 * it keeps to itself until there is more to read is no reason to wait for. Where one payload ends in what comes out
 * cannot be seen; a length that is wrong shows at the end.
 */
class ProgramPayloads implements InflatedPayloads {
  readonly #output: AsyncIterator<Uint8Array>;
  readonly #stop: () => void;
  #piece: Uint8Array = new Uint8Array(0);
  #content: Uint8Array = new Uint8Array(0);
  #stderr = '';
  /** How the program ended, in words; undefined where it ended by itself. */
  readonly #failure: Promise<string | undefined>;

  constructor(program: string, args: readonly string[], payloads: AsyncGenerator<Uint8Array>) {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.#stderr.length < 1000) this.#stderr += text;
    });
    this.#failure = new Promise((resolve) => {
      child.on('error', (error) => resolve(`the program ${program} ${whyNotRun(error, program)}`));
      child.on('close', (_status, signal) =>
        resolve(signal ? `the program ${program} was ended by ${signal}` : undefined),
      );
    });
    // The program ends early where the data is damaged; what it says of it is what counts.
    pipeline(Readable.from(payloads, { objectMode: true, highWaterMark: 1 }), child.stdin).catch(() => {});
    this.#output = child.stdout[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    this.#stop = () => {
      child.stdout.destroy();
      child.kill();
    };
  }

  async next(length: number): Promise<Uint8Array> {
    if (this.#content.byteLength < length) this.#content = new Uint8Array(length);
    const content = this.#content.subarray(0, length);
    for (let filled = 0; filled < length; ) {
      if (this.#piece.byteLength === 0) {
        const { value, done } = await this.#output.next();
        if (done) {
          const failure = await this.#failure;
          if (failure !== undefined) throw notDecoded(failure);
          throw new Error(this.#stderr.trim().split('\n')[0] || `it ends after ${filled} of ${length} bytes`);
        }
        this.#piece = value;
      }
      const part = this.#piece.subarray(0, length - filled);
      content.set(part, filled);
      filled += part.byteLength;
      this.#piece = this.#piece.subarray(part.byteLength);
    }
    return content;
  }

  async close(): Promise<void> {
    try {
      const left = this.#piece.byteLength > 0 || (await this.#output.next()).done !== true;
      if (left) throw new Error('there are more bytes than pages');
    } finally {
      this.#stop();
    }
  }
}

/** The data may be whole. */
function notDecoded(failure: string): DecodeError {
  return new DecodeError({
    severity: 'error',
    code: 'io',
    message: `pages that are not decompressed: ${failure}`,
  });
}

/**
 * QEMU never ends the zstd frame, and the program keeps what it has of a frame that breaks off. An empty raw block that
 * is marked as the last (RFC 8878, 3.1.1.2) ends it.
 */
async function* withLastBlock(payloads: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* payloads;
  yield Uint8Array.of(1, 0, 0);
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first) return first;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.byteLength;
  }
  return whole;
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
