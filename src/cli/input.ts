import { DecodeError, type Diagnostic } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import type { ContainerLayer } from '../containers/open.ts';
import { profile as profileContainer } from '../containers/profile.ts';
import { type OpenedStream, type OpenOptions, openStream, undescribedSections } from '../layout/open.ts';
import { type Input, type InputOptions, openInput } from '../node/open-input.ts';
import { formatSize } from '../render/size.ts';
import { say } from './output.ts';

/** Milliseconds before a progress line is shown, and between two. */
const PROGRESS_AFTER = 1000;
const PROGRESS_EVERY = 200;

/** What the options of a command say of where its stream is. */
export interface InputPlace {
  /** Files of --channel, or patterns. */
  readonly channel?: readonly string[] | undefined;
  readonly offset?: number | undefined;
}

/** A stream as the commands take it: FILE, and the files of --channel. */
export interface StreamInput {
  readonly source: FinishedSource;
  /** How it is opened, by what is known of it from outside. */
  readonly openOptions: Pick<OpenOptions, 'channels' | 'pagesLeftOut'>;
  /** Containers that the stream was in. */
  readonly layers: readonly ContainerLayer[];
  /** What was found on the way to the streams in the files. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Opens FILE and the channels that belong to it, and closes them afterwards. */
export async function withInput<T>(
  file: string,
  { channel, offset }: InputPlace,
  use: (input: StreamInput) => Promise<T>,
): Promise<T> {
  const input = await openWithProgress(file, { offset });
  let channels: readonly Input[] = [];
  try {
    if (channel) {
      const { openChannels } = await import('../node/channel-files.ts');
      channels = await openChannels(channel);
    }
    return await use({
      source: input.source,
      openOptions: {
        ...(channel ? { channels: channels.map(({ source }) => source) } : {}),
        pagesLeftOut: input.layers.some(({ kind }) => kind === profileContainer.kind),
      },
      layers: input.layers,
      diagnostics: [input, ...channels].flatMap(({ diagnostics }) => diagnostics),
    });
  } catch (error) {
    throw insideContainers(error, input.layers);
  } finally {
    for (const each of [input, ...channels]) await each.close();
  }
}

/** Says of what is no stream in which containers it was found. */
function insideContainers(error: unknown, layers: readonly ContainerLayer[]): unknown {
  if (!(error instanceof DecodeError) || error.code !== 'not-a-stream' || layers.length === 0) return error;
  const { diagnostic, source } = error;
  const place = layers.map(({ kind }) => kind).join(', in it ');
  return new DecodeError(
    { ...diagnostic, message: `inside the ${place}: ${diagnostic.message}` },
    { cause: error, ...(source === undefined ? {} : { source }) },
  );
}

/** Opens the stream of FILE, with a progress line on a terminal when it takes long, and closes the file afterwards. */
export function withStream<T>(
  file: string,
  use: (opened: OpenedStream, input: StreamInput) => Promise<T>,
  options: OpenOptions = {},
  place: InputPlace = {},
): Promise<T> {
  return withInput(file, place, async (input) => {
    const progress = progressLine(input.source.size);
    const opened = await openStream(input.source, {
      ...options,
      ...input.openOptions,
      onProgress: progress.update,
    }).finally(progress.clear);
    const diagnostics = [...input.diagnostics, ...opened.diagnostics];
    return await use(await withTables({ ...opened, diagnostics }), input);
  });
}

/** Opens FILE, with a progress line on a terminal while it is decompressed. */
export async function openWithProgress(file: string, options: InputOptions = {}): Promise<Input> {
  let progress: ProgressLine | undefined;
  const onProgress = (offset: number, size: number) => {
    progress ??= progressLine(size, 'decompressing');
    progress.update(offset);
    if (offset < size) return;
    // There may be another container in this one.
    progress.clear();
    progress = undefined;
  };
  try {
    return await openInput(file, { ...options, onProgress });
  } finally {
    progress?.clear();
  }
}

/** Built-in tables for what nothing describes; loaded only where there is such a thing. */
export async function withTables(opened: OpenedStream): Promise<OpenedStream> {
  if (opened.tables || undescribedSections(opened).length === 0) return opened;
  const { useBuiltinTables } = await import('../node/builtin-schemas.ts');
  const chosen = await useBuiltinTables(opened);
  for (const { code, message } of chosen.diagnostics) {
    if (code === 'builtin-schema') say(message);
  }
  return chosen;
}

export interface ProgressLine {
  update(offset: number): void;
  clear(): void;
}

/** Shows how far a scan is, on a terminal and after a second. */
export function progressLine(size: number, verb = 'scanning'): ProgressLine {
  if (!process.stderr.isTTY) return { update: () => {}, clear: () => {} };
  const started = performance.now();
  let last = started + PROGRESS_AFTER - PROGRESS_EVERY;
  let shown = false;
  return {
    update(offset) {
      const now = performance.now();
      if (now - last < PROGRESS_EVERY) return;
      last = now;
      shown = true;
      const rate = (offset / (now - started)) * 1000;
      const left = Math.ceil((size - offset) / rate);
      const percent = Math.floor((100 * offset) / size);
      process.stderr.write(
        `\r\u001b[K${verb} ${percent}%  ${formatSize(offset)} of ${formatSize(size)}  ${formatSize(rate)}/s  ${left} s left`,
      );
    },
    clear() {
      if (shown) process.stderr.write('\r\u001b[K');
    },
  };
}
