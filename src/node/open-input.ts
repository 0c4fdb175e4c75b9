import { stat } from 'node:fs/promises';
import { badArgument, DecodeError } from '../bytes/diagnostic.ts';
import { sliceSource } from '../bytes/slice.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { magicOf } from '../bytes/view.ts';
import { isContainer, type UnwrapOptions, type Unwrapped, unwrap } from '../containers/open.ts';
import { QEMU_VM_FILE_MAGIC } from '../stream/records.ts';
import { type DecompressionProgress, nodeEnvironment } from './decompress.ts';
import { openPath, openStandardInput, type SpoolOptions } from './spool.ts';

/** A file as a user names it, and the stream in it. */
export type Input = Unwrapped;

export interface InputOptions extends Pick<UnwrapOptions, 'stopAt' | 'isEnough'> {
  /** Where in the file the stream, or the container that it is in, begins. */
  readonly offset?: number | undefined;
  /** Whether a pipe that begins so is read to its end. Without, one is that begins as a stream does. Containers are. */
  readonly isOfUse?: ((beginning: Uint8Array) => boolean) | undefined;
  /** Called while a compressed container is opened. */
  readonly onProgress?: DecompressionProgress;
}

/**
 * Opens FILE as the commands take it: a path, `-` for standard input, or `disk.qcow2#name` for one of several streams in
 * a file; containers are opened by what they hold. Throws DecodeError.
 */
export async function openInput(file: string, options: InputOptions = {}): Promise<Input> {
  const { offset = 0, isOfUse = isStream, onProgress, ...rest } = options;
  if (!Number.isSafeInteger(offset) || offset < 0) throw badArgument(`no offset in a file: ${offset}`);
  const { path, selector } = await splitSelector(file);
  const spooling: SpoolOptions =
    offset > 0 ? {} : { isOfUse: (beginning) => isOfUse(beginning) || isContainer(beginning) };
  const source = path === '-' ? await openStandardInput(spooling) : await openPath(path, spooling);
  try {
    if (offset > source.size) throw pastTheEnd(source, offset);
    const part = offset === 0 ? source : sliceSource(source, offset);
    const input = await unwrap(part, nodeEnvironment(onProgress), { ...rest, selector });
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

function isStream(beginning: Uint8Array): boolean {
  return magicOf(beginning) === QEMU_VM_FILE_MAGIC;
}

function pastTheEnd(source: FinishedSource, offset: number): DecodeError {
  const message = `the file has ${source.size} bytes: nothing is at offset ${offset}`;
  return new DecodeError({ severity: 'error', code: 'not-a-stream', message }, { source: source.name });
}

/** The path, and what is behind the last `#` in front of which there is a file; one whose whole name exists has none. */
export async function splitSelector(file: string): Promise<{ path: string; selector: string | undefined }> {
  const whole = { path: file, selector: undefined };
  if (await exists(file)) return whole;
  for (let hash = file.lastIndexOf('#'); hash > 0; hash = file.lastIndexOf('#', hash - 1)) {
    const path = file.slice(0, hash);
    if (path === '-' || (await exists(path))) return { path, selector: file.slice(hash + 1) };
  }
  return whole;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
