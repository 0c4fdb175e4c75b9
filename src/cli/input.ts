import { type OpenedStream, type OpenOptions, openStream } from '../layout/open.ts';
import { type Input, type InputOptions, openInput } from '../node/open-input.ts';
import { formatSize } from '../render/size.ts';

/** Milliseconds before a progress line is shown, and between two. */
const PROGRESS_AFTER = 1000;
const PROGRESS_EVERY = 200;

/** Opens the stream of FILE, with a progress line on a terminal when it takes long, and closes the file afterwards. */
export async function withStream<T>(
  file: string,
  use: (opened: OpenedStream, input: Input) => Promise<T>,
  options: OpenOptions = {},
  inputOptions: InputOptions = {},
): Promise<T> {
  const input = await openWithProgress(file, inputOptions);
  const { source } = input;
  try {
    const progress = progressLine(source.size);
    const opened = await openStream(source, { ...options, onProgress: progress.update });
    progress.clear();
    const diagnostics = [...input.diagnostics, ...opened.diagnostics];
    return await use(await withTables({ ...opened, diagnostics }), input);
  } finally {
    await input.close();
  }
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
