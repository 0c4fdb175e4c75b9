import { configurationOf, layoutOf, type OpenedStream } from '../layout/open.ts';
import { ramSummaries } from '../ram/iterative.ts';
import type { RamBlockSummary } from '../ram/ram.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { Fields } from './fields.ts';

/** What is known of the machine whose memory is to be laid out. */
export interface KnownMachine {
  /** Name of the machine type, with its version where it has one; undefined where the stream has no configuration. */
  readonly machineType: string | undefined;
  readonly blocks: readonly RamBlock[];
  /** The fields of the first section whose idstr is, or ends with `/` and, this name. */
  fields(name: string): Promise<Fields | undefined>;
  /** The same of all sections with this name, by instance id. */
  allFields(name: string): Promise<readonly Fields[]>;
}

/** The same, with what a stream has of its memory. */
export interface DeviceState extends KnownMachine {
  readonly blocks: readonly RamBlockSummary[];
  /** The pages were taken out of the stream on purpose (a profile). */
  readonly pagesLeftOut: boolean;
  /** Pages came over further connections, too, which were given. */
  readonly hasChannels: boolean;
}

export function deviceState(opened: OpenedStream): DeviceState {
  const { stream } = opened;
  const named = (name: string) =>
    stream.sections.filter(
      ({ idstr, scanner }) => !scanner && (idstr === name || idstr.endsWith(`/${name}`)),
    );
  const ram = ramSummaries(stream.sections);
  return {
    machineType: configurationOf(opened)?.machineType,
    blocks: ram.flatMap(({ blocks }) => blocks),
    pagesLeftOut: ram.some(({ pagesLeftOut }) => pagesLeftOut),
    hasChannels: ram.some(({ channels }) => channels !== undefined),
    async fields(name) {
      const [section] = named(name);
      return section && new Fields(await layoutOf(opened, section));
    },
    async allFields(name) {
      const sections = named(name).toSorted((a, b) => a.instanceId - b.instanceId);
      const all: Fields[] = [];
      for (const section of sections) all.push(new Fields(await layoutOf(opened, section)));
      return all;
    },
  };
}
