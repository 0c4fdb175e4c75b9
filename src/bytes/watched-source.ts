import type { ByteSource } from './source.ts';

/** What of an AbortSignal is used, so that no platform type appears in the API. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** What to do beside reading. */
export interface Watch {
  /** Reads, those that wait for bytes of a growing source as well, throw its reason once it is aborted. */
  readonly signal?: AbortSignalLike | undefined;
  /** Called with the offset behind what is read. */
  readonly onRead?: ((end: number) => void) | undefined;
}

/** A source whose reads can be seen and be stopped: all that takes long reads. */
export function watchedSource<S extends ByteSource>(source: S, watch: Watch): S;
export function watchedSource(source: ByteSource, { signal, onRead }: Watch): ByteSource {
  const { locate, withoutIdentity } = source;
  return {
    name: source.name,
    get size() {
      return source.size;
    },
    identity: source.identity,
    end: () => unlessAborted(signal, () => source.end()),
    async read(offset, length, into) {
      const bytes = await unlessAborted(signal, () => source.read(offset, length, into));
      onRead?.(offset + bytes.byteLength);
      return bytes;
    },
    ...(locate ? { locate: (offset: number) => locate.call(source, offset) } : {}),
    ...(withoutIdentity
      ? { withoutIdentity: () => watchedSource(withoutIdentity.call(source), { signal, onRead }) }
      : {}),
  };
}

async function unlessAborted<T>(signal: AbortSignalLike | undefined, work: () => Promise<T>): Promise<T> {
  if (!signal) return work();
  if (signal.aborted) throw signal.reason;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
