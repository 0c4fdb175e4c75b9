import type { Diagnostic } from '../bytes/diagnostic.ts';
import type { ByteSource } from '../bytes/source.ts';
import { type AbortSignalLike, watchedSource } from '../bytes/watched-source.ts';
import type { ContainerLayer } from '../containers/open.ts';
import type { Layout } from '../layout/node.ts';
import {
  layoutOf,
  layouts,
  type OpenedStream,
  type OpenOptions,
  openStream,
  undescribedSections,
} from '../layout/open.ts';
import type { IterativeScanner } from '../ram/iterative.ts';
import type { Section } from '../stream/stream.ts';
import type { SchemaProvider } from './schema-provider.ts';

export interface VmOptions extends OpenOptions {
  /** QEMUs' tables that are at hand: one is chosen for what nothing describes, unless `tables` are given. */
  readonly schemas?: SchemaProvider | undefined;
  /** Stops all that is done with the VM: whatever reads then throws the signal's reason. */
  readonly signal?: AbortSignalLike | undefined;
  /** What the source was taken out of, the outermost first: `layers` of what `unwrap` gives. */
  readonly containers?: readonly ContainerLayer[] | undefined;
  /** What was found on the way to the stream: the first diagnostics of the VM. */
  readonly diagnostics?: readonly Diagnostic[] | undefined;
}

/**
 * A virtual machine as its migration stream has it: what every operation takes. An operation is a function of it: of its
 * sections, or of the trees that their bytes are.
 */
export interface Vm extends OpenedStream {
  /** In the order of the stream; each has its records, and those that no VMSD describes their scanner's summary. */
  readonly sections: readonly Section<IterativeScanner>[];
  /** What the stream was taken out of, the outermost first. */
  readonly containers: readonly ContainerLayer[];
  /** The tree of one section: its leaves tile its bytes. */
  layout(section: Section): Promise<Layout>;
  /** The trees of the configuration and of all sections, in the order of the stream, each made when it is asked for. */
  layouts(): AsyncGenerator<Layout>;
}

/**
 * Opens a migration stream: frames its records, and finds what describes its device state: the stream's own vmdesc, the
 * tables that are given, or of those at hand the ones that fit best, which a diagnostic (`builtin-schema`) then names.
 *
 * Problems in the bytes are diagnostics, of the VM and of each layout. Throws DecodeError `not-a-stream`, and what the
 * source throws.
 */
export async function openVm(source: ByteSource, options: VmOptions = {}): Promise<Vm> {
  const { schemas, signal, containers = [], diagnostics = [], channels, ...rest } = options;
  const watched = (each: ByteSource) => (signal ? watchedSource(each, { signal }) : each);
  const opened = await openStream(watched(source), {
    ...rest,
    ...(channels ? { channels: channels.map(watched) } : {}),
  });
  const described = schemas ? await withTables(opened, schemas) : opened;
  return vmOf({ ...described, diagnostics: [...diagnostics, ...described.diagnostics] }, containers);
}

function vmOf(opened: OpenedStream, containers: readonly ContainerLayer[]): Vm {
  return {
    ...opened,
    containers,
    sections: opened.stream.sections,
    layout: (section) => layoutOf(opened, section),
    layouts: () => layouts(opened),
  };
}

/** Tables for what nothing describes, and for what the vmdesc leaves closed. */
async function withTables(opened: OpenedStream, schemas: SchemaProvider): Promise<OpenedStream> {
  if (opened.tables) return opened;
  // Loaded only here: most streams describe themselves.
  const { infoTables, useBuiltinTables } = await import('./builtin-tables.ts');
  const described = undescribedSections(opened).length === 0;
  const chosen = described ? opened : await useBuiltinTables(opened, schemas);
  return chosen.schema && !chosen.tables
    ? { ...chosen, infoTables: await infoTables(chosen, schemas) }
    : chosen;
}
