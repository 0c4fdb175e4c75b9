import { appendTo } from '../bytes/append-to.ts';
import { type LoadTarget, targetOfSection } from '../layout/dry-load.ts';
import type { Layout, StructNode } from '../layout/node.ts';
import { layoutOf, type OpenedStream, sectionInput } from '../layout/open.ts';
import type { SchemaTables } from '../layout/tables.ts';
import { deviceKey } from '../schema/schema.ts';
import type { Section } from '../stream/stream.ts';
import { cpusOfCommandLine } from './cpus-of-command-line.ts';
import { checkSettings } from './migration-settings.ts';
import type { PropertyValue } from './profile.ts';

/** A RAMBlock as the monitor of the destination shows it. Bytes. */
export interface DestinationRamBlock {
  readonly idstr: string;
  readonly usedLength: number;
  /** What it can be resized to: its own length where it cannot. */
  readonly maxLength: number;
}

/** A device of a destination, as its monitor shows it. */
export interface DestinationDevice {
  /** What `-device` calls it. */
  readonly type: string;
  /** The machine makes it: no `-device` is for it. */
  readonly isOnboard: boolean;
  readonly properties: Readonly<Record<string, PropertyValue>>;
}

/** What a destination's monitor tells that its state does not. */
export interface DestinationFacts {
  /** 32 hex digits; all zero where the VM has none. */
  readonly uuid?: string | undefined;
  readonly ramBlocks: readonly DestinationRamBlock[];
  /** Migration capabilities that are on. */
  readonly capabilities: readonly string[];
  /** The devices behind a section, by its idstr: a virtio transport and what is plugged into it are two. */
  devices(idstr: string): readonly DestinationDevice[];
  /** All migration capabilities that its QEMU has. */
  readonly knownCapabilities?: readonly string[] | undefined;
  /** CPUs that can be in the machine, those that are included. */
  readonly possibleCpus?: number | undefined;
  /** Names by which a block node can be asked for: its own, and that of the back end that it is the root of. */
  readonly blockNodes?: readonly string[] | undefined;
  /** Bytes of the host's pages behind each RAMBlock, by its idstr. */
  readonly hostPageSizes?: ReadonlyMap<string, number> | undefined;
  /** Indexes of the dynamic reconfiguration connectors of a pseries machine. */
  readonly connectors?: ReadonlySet<number> | undefined;
  /** Sizes of the BARs of a PCI device by the idstr of its section, by number. Bytes. */
  barSizes(idstr: string): readonly { readonly bar: number; readonly size: bigint }[] | undefined;
  /** Features of a virtio device, as sets of bits, by the idstr of its section. */
  virtioFeatures(idstr: string): VirtioOffer | undefined;
}

/** Which features a virtio device offers. */
export interface VirtioOffer {
  /** All that it offers; undefined where only some are known that it does not. */
  readonly offered: bigint | undefined;
  /** Features that it does not offer. */
  readonly denied: bigint;
}

/** What is known of who would load the stream; each part may be missing. */
export interface DestinationKnowledge {
  /** The VMSD tables of its QEMU. */
  readonly tables?: SchemaTables | undefined;
  /** A stream of its own: of the very VM, before anything is loaded. */
  readonly own?: OpenedStream | undefined;
  readonly facts?: DestinationFacts | undefined;
  /** Version of its QEMU: that of the tables where it is left out, null where it is not known. */
  readonly qemuVersion?: string | null | undefined;
  /** What starts it, where its monitor did not tell what stands there. */
  readonly commandLine?: readonly string[] | undefined;
  /** Migration capabilities and parameters that are set for this load, over what the VM was seen with. */
  readonly capabilities?: Readonly<Record<string, boolean>> | undefined;
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/** A migration capability at the destination. */
export interface CapabilityState {
  readonly isOn: boolean;
  /** Set for this load. Otherwise it is as the VM was seen, and may be set right before a load. */
  readonly isSet: boolean;
}

/** A section that the destination would send itself. */
export interface OwnSection {
  readonly section: Section;
  layout(): Promise<Layout>;
  /** Ready to be loaded into; undefined without tables, or where they do not explain it. @internal */
  target(): Promise<LoadTarget | undefined>;
}

/** A destination that streams are checked against: what is worked out for one is kept for the next. */
export class Destination {
  readonly tables: SchemaTables | undefined;
  readonly own: OpenedStream | undefined;
  readonly facts: DestinationFacts | undefined;
  readonly qemuVersion: string | undefined;
  readonly parameters: Readonly<Record<string, string>>;
  /** CPUs that can be in the machine, those that are included; undefined where it is not known. */
  readonly possibleCpus: number | undefined;
  readonly #capabilities: Readonly<Record<string, boolean>>;
  readonly #sections = new Map<string, OwnSection[]>();

  /** Throws DecodeError `bad-argument` for a capability or parameter that there is not. */
  constructor(knowledge: DestinationKnowledge) {
    const { tables, own, facts, qemuVersion, commandLine, capabilities = {}, parameters = {} } = knowledge;
    checkSettings(capabilities, parameters);
    this.tables = tables;
    // What its description leaves closed, its own tables open up.
    this.own = own && tables ? { ...own, tables, infoTables: [tables] } : own;
    this.facts = facts;
    this.#capabilities = capabilities;
    this.parameters = parameters;
    this.possibleCpus = facts?.possibleCpus ?? (commandLine && cpusOfCommandLine(commandLine));
    this.qemuVersion = qemuVersion === undefined ? tables?.schema.qemuVersion : (qemuVersion ?? undefined);
    for (const section of this.own?.stream.sections ?? []) {
      appendTo(this.#sections, deviceKey(section), this.#ownSection(section));
    }
  }

  /** Undefined where it is neither set nor was seen: a stream tells of the few only that are in it. */
  capability(name: string): CapabilityState | undefined {
    const set = this.#capabilities[name];
    if (set !== undefined) return { isOn: set, isSet: true };
    if (
      this.own?.stream.configuration?.capabilities?.includes(name) ||
      this.facts?.capabilities.includes(name)
    )
      return { isOn: true, isSet: false };
    return this.facts ? { isOn: false, isSet: false } : undefined;
  }

  /**
   * The device that QEMU would load a section into (migration/savevm.c, find_se): the one of that idstr and instance
   * id, the first where there are several; or, as devices were once registered without their path, the one whose name
   * behind its path is that, by its number among those.
   */
  find(idstr: string, instanceId: number): OwnSection | undefined {
    const exact = this.#sections.get(deviceKey({ idstr, instanceId }))?.[0];
    if (exact || idstr.includes('/')) return exact;
    const sections = this.own?.stream.sections ?? [];
    const named = sections.filter((section) => section.idstr.endsWith(`/${idstr}`));
    const found = named[instanceId];
    return found && this.#sections.get(deviceKey(found))?.[0];
  }

  #ownSection(section: Section): OwnSection {
    const { own, tables } = this;
    let layout: Promise<Layout> | undefined;
    let target: Promise<LoadTarget | undefined> | undefined;
    const ownLayout = () => {
      layout ??= layoutOf(own!, section);
      return layout;
    };
    const makeTarget = async (): Promise<LoadTarget | undefined> => {
      const [record] = section.records;
      if (!tables || !record || section.scanner || section.records.length !== 1) return undefined;
      let described: StructNode | undefined;
      if (own!.schema) {
        const { root, diagnostics } = await ownLayout();
        if (diagnostics.some(({ severity }) => severity === 'error')) return undefined;
        described = root;
      }
      return targetOfSection(tables, sectionInput(own!, record), described);
    };
    return {
      section,
      layout: ownLayout,
      target: () => {
        target ??= makeTarget();
        return target;
      },
    };
  }
}
