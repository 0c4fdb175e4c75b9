import { type Input, type InputOptions, openInput } from '../node/open-input.ts';
import { packagedSchemas } from '../node/packaged-schemas.ts';
import { insideContainers, openVmInput, type VmInput, type VmPlace } from '../node/vm-input.ts';
import { formatSize } from '../render/size.ts';
import { openVm, type Vm, type VmOptions } from '../vm/vm.ts';
import { say } from './output.ts';

/** Milliseconds before a progress line is shown, and between two. */
const PROGRESS_AFTER = 1000;
const PROGRESS_EVERY = 200;

/** Opens FILE and the channels that belong to it, and closes them afterwards. */
export async function withInput<T>(
  file: string,
  place: VmPlace,
  use: (input: VmInput) => Promise<T>,
): Promise<T> {
  const input = await openVmInput(file, place, openWithProgress);
  try {
    return await use(input);
  } catch (error) {
    throw insideContainers(error, input);
  } finally {
    await input.close();
  }
}

/** Opens the VM whose stream is in FILE, with a progress line on a terminal when it takes long, and closes all afterwards. */
export function withVm<T>(
  file: string,
  use: (vm: Vm, input: VmInput) => Promise<T>,
  options: VmOptions = {},
  place: VmPlace = {},
): Promise<T> {
  return withInput(file, place, async (input) => {
    const progress = progressLine(input.source.size);
    const vm = await openVm(input.source, {
      schemas: packagedSchemas,
      ...input.description,
      ...options,
      ...input.openOptions,
      onProgress: progress.update,
    }).finally(progress.clear);
    sayChoice(vm);
    return await use(vm, input).finally(() => vm.memory?.close());
  });
}

/** Says which built-in tables were chosen. */
export function sayChoice({ diagnostics }: Vm): void {
  for (const { code, message } of diagnostics) if (code === 'builtin-schema') say(message);
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

interface ProgressLine {
  update(offset: number): void;
  clear(): void;
}

/** Shows how much of a guest's memory is written. */
export function memoryProgress({ memory }: Vm): { add(bytes: number): void; clear(): void } {
  const size = memory?.blocks.reduce((sum, { length }) => sum + length, 0) ?? 0;
  const { update, clear } = progressLine(size, 'writing');
  let done = 0;
  return {
    add(bytes) {
      done += bytes;
      update(done);
    },
    clear,
  };
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
