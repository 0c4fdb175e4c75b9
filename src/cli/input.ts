import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { ByteSource } from '../bytes/source.ts';
import { type OpenedStream, type OpenOptions, openStream } from '../layout/open.ts';
import { type Input, openInput } from '../node/open-input.ts';
import { formatSize } from '../render/size.ts';

/** Milliseconds before a progress line is shown, and between two. */
const PROGRESS_AFTER = 1000;
const PROGRESS_EVERY = 200;

/** A stream as the commands take it: FILE, and the files of --channel. */
export interface StreamInput {
  readonly source: ByteSource;
  readonly channels: readonly ByteSource[];
  /** What was found on the way to the streams in the files. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Opens FILE and the channels that belong to it, and closes them afterwards. */
export async function withInput<T>(
  file: string,
  channelPatterns: readonly string[] | undefined,
  use: (input: StreamInput) => Promise<T>,
): Promise<T> {
  const input = await openInput(file);
  let channels: readonly Input[] = [];
  try {
    if (channelPatterns) {
      const { openChannels } = await import('../node/channel-files.ts');
      channels = await openChannels(channelPatterns);
    }
    return await use({
      source: input.source,
      channels: channels.map(({ source }) => source),
      diagnostics: [input, ...channels].flatMap(({ diagnostics }) => diagnostics),
    });
  } finally {
    for (const each of [input, ...channels]) await each.close();
  }
}

/** Opens the stream of FILE, with a progress line on a terminal when it takes long, and closes the file afterwards. */
export function withStream<T>(
  file: string,
  use: (opened: OpenedStream) => Promise<T>,
  options: OpenOptions = {},
  channelPatterns?: readonly string[],
): Promise<T> {
  return withInput(file, channelPatterns, async ({ source, channels, diagnostics }) => {
    const progress = progressLine(source.size);
    const opened = await openStream(source, {
      ...options,
      ...(channelPatterns ? { channels } : {}),
      onProgress: progress.update,
    }).finally(progress.clear);
    return await use(await withTables({ ...opened, diagnostics: [...diagnostics, ...opened.diagnostics] }));
  });
}

/** Built-in tables for a stream that nothing describes; loaded only then. */
async function withTables(opened: OpenedStream): Promise<OpenedStream> {
  if (opened.schema || opened.tables) return opened;
  const { useBuiltinTables } = await import('../node/builtin-schemas.ts');
  const chosen = await useBuiltinTables(opened);
  for (const { code, message } of chosen.diagnostics) {
    if (code === 'builtin-schema') process.stderr.write(`vmwalk: ${message}\n`);
  }
  return chosen;
}

/** Shows how far a scan is, on a terminal and after a second. */
export function progressLine(size: number): { update(offset: number): void; clear(): void } {
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
        `\r\u001b[Kscanning ${percent}%  ${formatSize(offset)} of ${formatSize(size)}  ${formatSize(rate)}/s  ${left} s left`,
      );
    },
    clear() {
      if (shown) process.stderr.write('\r\u001b[K');
    },
  };
}
