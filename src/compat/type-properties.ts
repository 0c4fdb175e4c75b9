import type { Property, QemuSchema, QomType } from '../schema/qemu-schema.ts';

/** Types above each other at the most. */
const MAX_PARENTS = 32;

/** The QOM types of a schema, and what properties their devices have. */
export class TypeProperties {
  readonly #lists: QemuSchema['propertyLists'];
  readonly #types: ReadonlyMap<string, QomType>;
  readonly #properties = new Map<string, readonly Property[]>();

  constructor({ types, propertyLists }: QemuSchema) {
    this.#lists = propertyLists;
    this.#types = new Map(types.map((type) => [type.name, type]));
  }

  type(name: string): QomType | undefined {
    return this.#types.get(name);
  }

  /** A type and its parents. */
  lineOf(name: string): readonly QomType[] {
    const line: QomType[] = [];
    let type = this.#types.get(name);
    for (let i = 0; type && i < MAX_PARENTS; i++, type = this.#types.get(type.parent)) line.push(type);
    return line;
  }

  /** Properties of a type and of its parents. */
  propertiesOf(name: string): readonly Property[] {
    let properties = this.#properties.get(name);
    if (!properties) {
      const lists = new Set(this.lineOf(name).flatMap(({ propertyLists }) => propertyLists));
      properties = [...lists].flatMap((list) => this.#lists[list]?.properties ?? []);
      this.#properties.set(name, properties);
    }
    return properties;
  }
}
