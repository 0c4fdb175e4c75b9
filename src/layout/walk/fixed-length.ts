import type { Infos } from '../../infos/info.ts';
import { alternativeInfoLengths, builtInInfos, fixedInfoLength } from '../../infos/infos.ts';
import type { CompiledField, CompiledVmsd } from '../../vmsd/compiled.ts';

/** Bytes that something takes in the stream: at least `min`, and no other number when `exact`. */
export interface StreamLength {
  readonly min: number;
  readonly exact: boolean;
}

const NOTHING: StreamLength = { min: 0, exact: true };
const MAX_DEPTH = 32;

/**
 * Lengths of VMSDs as far as the tables alone say them, for one section: `sent` tells whether a subsection can be in
 * it at all, by its full name.
 */
export class FixedLengths {
  readonly #sent: (subsection: string) => boolean;
  readonly #infos: Infos;
  readonly #known = new Map<CompiledVmsd, Map<number, StreamLength[]>>();

  /** What tests are taken to say; undefined while that is open. */
  readonly #tests: boolean | undefined;
  readonly #variants = new Map<boolean, FixedLengths>();

  constructor(sent: (subsection: string) => boolean, infos = builtInInfos, tests?: boolean) {
    this.#sent = sent;
    this.#infos = infos;
    this.#tests = tests;
  }

  /** Lengths where all tests find their fields, or none does. */
  withTests(exist: boolean): FixedLengths {
    let variant = this.#variants.get(exist);
    if (!variant) {
      variant = new FixedLengths(this.#sent, this.#infos, exist);
      this.#variants.set(exist, variant);
    }
    return variant;
  }

  /** Of a VMSD from field number `from` on, its subsections included. */
  rest(vmsd: CompiledVmsd, versionId: number, from: number, depth = 0): StreamLength {
    if (depth > MAX_DEPTH) return { min: 0, exact: false };
    let versions = this.#known.get(vmsd);
    if (!versions) {
      versions = new Map();
      this.#known.set(vmsd, versions);
    }
    let lengths = versions.get(versionId);
    if (!lengths) {
      lengths = this.#all(vmsd, versionId, depth);
      versions.set(versionId, lengths);
    }
    return lengths[from] ?? NOTHING;
  }

  subsections(vmsd: CompiledVmsd): StreamLength {
    return { min: 0, exact: !vmsd.subsections.some(({ name }) => this.#sent(name)) };
  }

  /** By the number of the first field; the last entry is that of the subsections. */
  #all(vmsd: CompiledVmsd, versionId: number, depth: number): StreamLength[] {
    const lengths: StreamLength[] = [];
    let rest = this.subsections(vmsd);
    lengths[vmsd.fields.length] = rest;
    for (let i = vmsd.fields.length - 1; i >= 0; i--) {
      rest = add(this.#field(vmsd.fields[i]!, versionId, depth), rest);
      lengths[i] = rest;
    }
    return lengths;
  }

  #field(field: CompiledField, versionId: number, depth: number): StreamLength {
    if (field.exists.kind === 'test') {
      if (this.#tests === undefined) return { min: 0, exact: false };
      if (!this.#tests) return NOTHING;
    } else if (field.exists.from > versionId) return NOTHING;
    if (field.count.kind === 'member') return { min: 0, exact: false };
    const { count } = field.count;
    if (field.pointers) return { min: count, exact: false };
    const element = this.element(field, depth);
    return { min: element.min * count, exact: element.exact };
  }

  /** Of one element of a field, without the marker that it may have. */
  element(field: CompiledField, depth = 0): StreamLength {
    const { element } = field;
    if (element.kind === 'struct') return this.rest(element.vmsd, element.versionId, 0, depth + 1);
    if (field.bufferSize) return { min: 0, exact: false };
    const length = fixedInfoLength(element.info, field.size, field.name, this.#infos);
    if (length !== undefined) return { min: length, exact: true };
    if (element.info === 'tmp' && element.vmsd) return this.rest(element.vmsd, field.versionId, 0, depth + 1);
    const lengths = alternativeInfoLengths(element.info, this.#infos);
    return { min: lengths ? Math.min(...lengths) : 0, exact: false };
  }
}

export function add(a: StreamLength, b: StreamLength): StreamLength {
  return { min: a.min + b.min, exact: a.exact && b.exact };
}
