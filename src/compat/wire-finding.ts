import type { CompiledVmsd } from '../vmsd/compiled.ts';
import type { CompatRank, CompatRule } from './rules.ts';
import { itemPlace, type WireItem } from './wire-items.ts';

/** What is wrong with the bytes of one VMSD, before it is known which devices have it. */
export interface WireFinding {
  readonly rule: CompatRule;
  readonly rank: CompatRank;
  /** VMSD that differs: of a device, or of a struct or subsection inside. */
  readonly vmsd: string;
  /** The same as the tables of one of the sides have it: names are shared. */
  readonly description: CompiledVmsd;
  /** Names of the fields of that VMSD; none for what is about the VMSD as a whole. */
  readonly fields: readonly string[];
  /** Where the first of them is: names of fields, outermost first. */
  readonly path: readonly string[];
  readonly message: string;
  /** What has to hold for the break to happen; all of it. */
  readonly conditions: readonly string[];
  /** Bytes that the destination reads more than the source sends, in the whole section; negative: less. */
  readonly bytes: number | undefined;
  /** What QEMU prints, where it is not that the section does not end where it should. */
  readonly qemuSays: string | undefined;
}

/** What a finding that is added has to say; a rank of its own where it is not for its conditions to tell. */
type NewFinding = Pick<WireFinding, 'rule' | 'vmsd' | 'description' | 'fields' | 'path' | 'message'> &
  Partial<WireFinding>;

/** Gathers findings. */
export class WireFindings {
  readonly list: WireFinding[] = [];
  /** Findings that many fields share, by what makes them the same. */
  readonly #shared = new Map<string, { readonly names: Set<string>; readonly fields: string[] }>();

  add(finding: NewFinding): void {
    const { conditions = [] } = finding;
    this.list.push({
      rank: conditions.length > 0 ? 'conditional' : 'certain',
      bytes: undefined,
      qemuSays: undefined,
      ...finding,
      conditions,
    });
  }

  /** A finding about one item; those of one key are one finding with several fields. */
  addShared(
    key: string,
    item: WireItem,
    finding: Pick<WireFinding, 'rule' | 'rank' | 'message' | 'conditions'>,
  ): void {
    const { name } = item;
    const place = itemPlace(item);
    const whole = JSON.stringify([finding.rule, place.vmsd, key, finding.conditions]);
    const known = this.#shared.get(whole);
    if (known) {
      if (!known.names.has(name)) known.fields.push(name);
      known.names.add(name);
      return;
    }
    const fields = [name];
    this.#shared.set(whole, { names: new Set(fields), fields });
    this.add({ ...finding, ...place, fields });
  }

  /** Bytes that a finding makes more, or fewer, than it said. */
  addBytes(index: number, bytes: number | undefined): void {
    const finding = this.list[index];
    if (!finding) return;
    const isKnown = finding.bytes !== undefined && bytes !== undefined;
    this.list[index] = { ...finding, bytes: isKnown ? finding.bytes + bytes : undefined };
  }
}
