import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type FinishedSource, memorySource } from '../../src/bytes/source.ts';
import type { CompressionFormat } from '../../src/containers/container.ts';
import { nodeEnvironment } from '../../src/node/decompress.ts';

export const formats: readonly CompressionFormat[] = ['gzip', 'bzip2', 'xz', 'lzop', 'zstd'];

/** What the format's own program makes of bytes. */
export function compress(format: CompressionFormat, bytes: Uint8Array): Buffer {
  if (format === 'gzip') return gzipSync(bytes);
  const { stdout, status } = spawnSync(format, ['-c'], { input: bytes, maxBuffer: 1 << 30 });
  if (status !== 0) throw new Error(`${format} ended with status ${status}`);
  return stdout;
}

export interface Decompressed {
  readonly content: Uint8Array;
  /** Codes and severities of the problems. */
  readonly problems: readonly string[];
  /** Set where there was nothing to be had. */
  readonly thrown: string | undefined;
}

export async function decompress(format: CompressionFormat, bytes: Uint8Array): Promise<Decompressed> {
  const source = memorySource(bytes, 'vm.compressed');
  try {
    const { source: content, diagnostics } = await nodeEnvironment().decompress(format, source);
    try {
      const problems = diagnostics.map(({ severity, code }) => `${severity} ${code}`);
      return { content: await readAll(content), problems, thrown: undefined };
    } finally {
      await content.close();
    }
  } catch (error) {
    const thrown = (error as { code?: string }).code;
    if (thrown !== 'bad-container') throw error;
    return { content: new Uint8Array(0), problems: [`error ${thrown}`], thrown };
  }
}

export function readAll(source: FinishedSource): Promise<Uint8Array> {
  return source.read(0, source.size);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
