import { DecodeError, type Diagnostic, printable } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import type { Container, ContainerEnvironment, OwnedSource } from './container.ts';
import { containers } from './known-containers.ts';

/** Bytes by which a container is known. */
const HEAD_LENGTH = 4096;
/** Containers in containers: a compressed libvirt image in a gzip file has three. */
const MAX_LAYERS = 8;

/** One container that was opened on the way to the stream, the outermost first. */
export interface ContainerLayer {
  readonly kind: string;
  readonly xml: string | undefined;
  readonly cookie: string | undefined;
  readonly capture: string | undefined;
  readonly details: Readonly<Record<string, string | number | boolean>>;
  /** The container itself: what it was taken out of is in front of it. */
  readonly source: FinishedSource;
}

/** A stream taken out of the containers that it was in. */
export interface Unwrapped {
  readonly source: FinishedSource;
  readonly layers: readonly ContainerLayer[];
  readonly diagnostics: readonly Diagnostic[];
  /** Closes what the containers hold; the source that was given stays open. */
  close(): Promise<void>;
}

export interface UnwrapOptions {
  /** Which stream, in a container that holds several: what is behind `#` in `disk.qcow2#name`. */
  readonly selector?: string | undefined;
  /** A container that is not opened: the result is what it consists of. */
  readonly stopAt?: Container;
  /** A layer behind which no further ones are opened. */
  isEnough?(layer: ContainerLayer): boolean;
}

/** Whether a file that begins with these bytes is a container of one of the known formats. */
export function isContainer(beginning: Uint8Array): boolean {
  const head = beginning.subarray(0, HEAD_LENGTH);
  return containers.some(({ matches }) => matches(head));
}

/**
 * Opens whatever containers a file consists of, until what is inside is none. Throws DecodeError where a container cannot
 * be opened, and `no-snapshot` where there is a selector but nothing to select from.
 */
export async function unwrap(
  file: FinishedSource,
  environment: ContainerEnvironment,
  options: UnwrapOptions = {},
): Promise<Unwrapped> {
  let { selector } = options;
  const layers: ContainerLayer[] = [];
  const diagnostics: Diagnostic[] = [];
  const owned: OwnedSource[] = [];
  const close = async () => {
    for (const source of owned.reverse()) await source.close();
  };
  let source = file;
  try {
    for (;;) {
      const head = await source.read(0, Math.min(HEAD_LENGTH, source.size));
      const container = containers.find(({ matches }) => matches(head));
      if (!container || container === options.stopAt) {
        if (!container && selector !== undefined) throw nothingToSelect(file, selector);
        return { source, layers, diagnostics, close };
      }
      if (layers.length === MAX_LAYERS) {
        const message = `${file.name} is more than ${MAX_LAYERS} containers deep`;
        throw new DecodeError({ severity: 'error', code: 'unsupported', message });
      }
      const content = await container.open(source, { selector, environment });
      if ('close' in content.source) owned.push(content.source);
      if (container.holdsSeveral) selector = undefined;
      diagnostics.push(...content.diagnostics);
      const { xml, cookie, capture, details = {} } = content;
      const layer = { kind: container.kind, xml, cookie, capture, details, source };
      source = content.source;
      layers.push(layer);
      if (options.isEnough?.(layer)) return { source, layers, diagnostics, close };
    }
  } catch (error) {
    await close();
    throw error;
  }
}

function nothingToSelect(file: FinishedSource, selector: string): DecodeError {
  const message = `there is nothing to select with #${printable(selector)}: the file is no qcow2 image`;
  return new DecodeError({ severity: 'error', code: 'no-snapshot', message }, { source: file.name });
}
