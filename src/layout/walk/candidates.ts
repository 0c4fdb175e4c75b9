import { appendTo } from '../../bytes/append-to.ts';
import type { QemuSchema } from '../../schema/qemu-schema.ts';

/** A VMSD that a section could be of, by its index, and the bits that it costs to take it. */
interface CandidateVmsd {
  readonly index: number;
  readonly cost: number;
}

/** A VMSD that others embed is seldom one of a section. */
const EMBEDDED = 6;
const OTHER_VERSION = 20;
/** A VMSD without a name, where none has the name of the section. */
const NAMELESS = 8;
/** A device on a bus that no other section tells of, and one on the bus that every machine has. */
const UNSEEN_BUS = 2;
const SYSTEM_BUS = 1;
const SYSTEM_BUS_DEVICE = 'sys-bus-device';
const MAX_PARENTS = 32;

/**
 * Tells which VMSDs a section can be of. It is registered under the name of its VMSD, which for a device comes behind
 * its path (`0000:00:02.0/virtio-net`). Names are not unique: a struct inside and the device around it, or devices on
 * different buses, share one (`serial`). Some devices give their VMSD a name when they are made (eepro100: `i82557b`);
 * in the tables it has none.
 */
export class CandidateFinder {
  readonly #schema: QemuSchema;
  readonly #byName = new Map<string, number[]>();
  readonly #nameless: number[] = [];
  readonly #embedded = new Set<number>();
  /** Names of the types that are right below `device`, by VMSD: what kind of bus it is on. */
  readonly #buses = new Map<number, Set<string>>();

  constructor(schema: QemuSchema) {
    this.#schema = schema;
    const subsections = new Set<number>();
    for (const [index, vmsd] of schema.vmsds.entries()) {
      for (const field of vmsd.fields) if (field.vmsd !== undefined) this.#embedded.add(field.vmsd);
      for (const subsection of vmsd.subsections) subsections.add(subsection);
      if (vmsd.name !== undefined && !vmsd.embeddedOnly) appendTo(this.#byName, vmsd.name, index);
    }
    for (const [index, { name }] of schema.vmsds.entries()) {
      if (name === undefined && !this.#embedded.has(index) && !subsections.has(index))
        this.#nameless.push(index);
    }
    for (const subsection of subsections) this.#embedded.add(subsection);
    this.#findBuses();
  }

  /** Buses that sections tell of for certain, by their idstrs: to be given to `candidates`. */
  busesOf(idstrs: Iterable<string>): ReadonlySet<string> {
    const seen = new Set<string>();
    for (const idstr of idstrs) {
      const buses = new Set(this.#named(idstr).flatMap((index) => [...(this.#buses.get(index) ?? [])]));
      if (buses.size === 1) for (const bus of buses) seen.add(bus);
    }
    return seen;
  }

  /** The cheapest first. `buses` are those that the stream's other sections tell of. */
  candidates(idstr: string, versionId: number, buses: ReadonlySet<string> = new Set()): CandidateVmsd[] {
    const named = this.#named(idstr);
    const found = named.length > 0 ? named : this.#nameless;
    return found
      .map((index) => ({
        index,
        cost: this.#cost(index, versionId, buses) + (named.length > 0 ? 0 : NAMELESS),
      }))
      .sort((a, b) => a.cost - b.cost);
  }

  #named(idstr: string): number[] {
    const last = idstr.slice(idstr.lastIndexOf('/') + 1);
    return [...new Set([...(this.#byName.get(idstr) ?? []), ...(this.#byName.get(last) ?? [])])];
  }

  #cost(index: number, versionId: number, seen: ReadonlySet<string>): number {
    const version = this.#schema.vmsds[index]!.versionId === versionId ? 0 : OTHER_VERSION;
    const buses = this.#buses.get(index);
    let bus = 0;
    if (buses && ![...buses].some((name) => name !== SYSTEM_BUS_DEVICE && seen.has(name))) {
      bus = buses.has(SYSTEM_BUS_DEVICE) ? SYSTEM_BUS : UNSEEN_BUS;
    }
    return version + bus + (this.#embedded.has(index) ? EMBEDDED : 0);
  }

  #findBuses(): void {
    const types = new Map(this.#schema.types.map((type) => [type.name, type]));
    for (const type of this.#schema.types) {
      let top = type;
      for (let i = 0; i < MAX_PARENTS; i++) {
        const parent = types.get(top.parent);
        if (!parent || parent.name === 'device') break;
        top = parent;
      }
      // The type right below `device` may itself not be in the tables: then its name is the parent's.
      const bus = top.parent === 'device' ? top.name : top.parent;
      for (const vmsd of type.vmsds) this.#buses.set(vmsd, new Set(this.#buses.get(vmsd)).add(bus));
    }
  }
}
