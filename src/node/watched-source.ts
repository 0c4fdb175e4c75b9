import type { ByteSource } from '../bytes/source.ts';

/** What to do beside reading. */
export interface Watch {
  /** Reads throw its reason once it is aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the offset behind what is read. */
  onRead?(end: number): void;
}

/** A source whose reads can be seen and be stopped: all that takes long reads. */
export function watchedSource(source: ByteSource, { signal, onRead }: Watch): ByteSource {
  const { locate } = source;
  return {
    name: source.name,
    size: source.size,
    read(offset, length, into) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      onRead?.(Math.min(offset + length, source.size));
      return source.read(offset, length, into);
    },
    ...(locate ? { locate: (offset: number) => locate.call(source, offset) } : {}),
  };
}
