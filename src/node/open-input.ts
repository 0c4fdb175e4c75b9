import { stat } from 'node:fs/promises';
import { type ContainerLayer, type Unwrapped, unwrap } from '../containers/open.ts';
import { type DecompressionProgress, nodeEnvironment } from './decompress.ts';
import { openPath, openStandardInput } from './spool.ts';

/** A file as a user names it, and the stream in it. */
export type Input = Unwrapped;

export interface InputOptions {
  /** Called while a compressed container is opened. */
  readonly onProgress?: DecompressionProgress;
  /** Whether what is in this container is not asked for. */
  readonly isEnough?: (layer: ContainerLayer) => boolean;
}

/**
 * Opens FILE as the commands take it: a path, `-` for standard input, or `disk.qcow2#name` for one of several streams in
 * a file; containers are opened by what they hold. Throws DecodeError.
 */
export async function openInput(file: string, { onProgress, isEnough }: InputOptions = {}): Promise<Input> {
  const { path, selector } = await splitSelector(file);
  const source = path === '-' ? await openStandardInput() : await openPath(path);
  try {
    const input = await unwrap(source, nodeEnvironment(onProgress), selector, isEnough);
    return {
      ...input,
      async close() {
        await input.close();
        await source.close();
      },
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The path, and what is behind `#`; a file whose whole name exists is no selector. */
async function splitSelector(file: string): Promise<{ path: string; selector: string | undefined }> {
  const hash = file.lastIndexOf('#');
  if (hash <= 0 || (await exists(file))) return { path: file, selector: undefined };
  return { path: file.slice(0, hash), selector: file.slice(hash + 1) };
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
