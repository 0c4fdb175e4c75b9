import type {
  RootVmsd,
  WireCount,
  WireElement,
  WireField,
  WireSide,
  WireTest,
  WireVmsd,
} from './wire-vmsd.ts';

/**
 * A side as `-dump-vmstate` would show it, to be compared with one: what a dump leaves out is no difference. Texts of
 * tests stay, for people.
 */
export function withoutTypes(side: WireSide, hasCounts: boolean): WireSide {
  const reducer = new Reducer(hasCounts);
  return { ...side, roots: side.roots.map((root) => reducer.root(root)) };
}

class Reducer {
  readonly #hasCounts: boolean;
  readonly #known = new Map<WireVmsd, WireVmsd>();

  constructor(hasCounts: boolean) {
    this.#hasCounts = hasCounts;
  }

  root(root: RootVmsd): RootVmsd {
    return { ...root, vmsd: this.#vmsd(root.vmsd) };
  }

  #vmsd(vmsd: WireVmsd): WireVmsd {
    const known = this.#known.get(vmsd);
    if (known) return known;
    const reduced: WireVmsd = {
      ...vmsd,
      // As far as a dump shows it: such a VMSD has mostly nothing else.
      unmigratable: vmsd.fields.length === 0 && vmsd.subsections.length === 0,
      earlySetup: false,
      needed: vmsd.needed && withoutAnswer(vmsd.needed),
      fields: vmsd.fields.filter(({ validates }) => !validates).map((field) => this.#field(field)),
      subsections: vmsd.subsections.map((subsection) => this.#vmsd(subsection)),
    };
    this.#known.set(vmsd, reduced);
    return reduced;
  }

  #field(field: WireField): WireField {
    return {
      ...field,
      test: field.test && withoutAnswer(field.test),
      count: this.#count(field.count),
      pointers: 'unknown',
      element: this.#element(field.element),
    };
  }

  #count(count: WireCount): WireCount {
    const isKept = this.#hasCounts && count.kind === 'fixed' && count.isArray;
    return isKept ? count : { kind: 'unknown', isSingle: this.#hasCounts };
  }

  #element(element: WireElement): WireElement {
    if (element.kind === 'value')
      return {
        kind: 'value',
        info: undefined,
        length: undefined,
        memory: element.memory,
        sizeMember: undefined,
      };
    const vmsd = this.#vmsd(element.vmsd);
    return {
      kind: 'struct',
      info: undefined,
      vmsd,
      savedVersion: vmsd.versionId,
      loadedVersion: vmsd.versionId,
    };
  }
}

function withoutAnswer(test: WireTest): WireTest {
  return { text: (versionId) => test.text(versionId), shape: undefined, answer: () => undefined };
}
