/** The parts of JSON Schema that the published one uses. */
interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly items?: JsonSchema | boolean;
  readonly prefixItems?: readonly JsonSchema[];
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

/** What of a value a JSON Schema does not allow: a small validator for the keywords above, and no others. */
export function validate(schema: JsonSchema, value: unknown): string[] {
  const problems: string[] = [];
  check(schema, schema, value, '$', problems);
  return problems;
}

const keywords = new Set([
  ...['$ref', '$defs', 'type', 'const', 'enum', 'properties', 'required', 'additionalProperties', 'items'],
  ...['prefixItems', 'minItems', 'minimum', 'maximum', 'maxLength', 'pattern'],
  ...['$schema', '$id', '$comment', 'title', 'description'],
]);

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  return Number.isSafeInteger(value) ? 'integer' : typeof value;
}

function check(root: JsonSchema, schema: JsonSchema, value: unknown, path: string, problems: string[]): void {
  for (const keyword of Object.keys(schema))
    if (!keywords.has(keyword)) throw new Error(`keyword ${keyword} is not known`);
  if (schema.$ref !== undefined) {
    const target = root.$defs?.[schema.$ref.replace('#/$defs/', '')];
    if (!target) throw new Error(`no ${schema.$ref}`);
    check(root, target, value, path, problems);
  }
  const fail = (message: string) => problems.push(`${path}: ${message}`);
  const types = schema.type === undefined ? undefined : [schema.type].flat();
  if (types && !types.includes(typeOf(value))) {
    fail(`not of type ${types.join(' or ')}`);
    return;
  }
  if (schema.const !== undefined && value !== schema.const) fail(`not ${schema.const}`);
  if (schema.enum && !schema.enum.includes(value)) fail(`none of ${schema.enum.join(', ')}`);
  if (typeof value === 'number') {
    if (schema.minimum !== undefined && value < schema.minimum) fail(`below ${schema.minimum}`);
    if (schema.maximum !== undefined && value > schema.maximum) fail(`above ${schema.maximum}`);
  }
  if (typeof value === 'string') {
    if (schema.maxLength !== undefined && value.length > schema.maxLength) fail('too long');
    if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) fail('of another form');
  }
  if (Array.isArray(value)) {
    if (schema.minItems !== undefined && value.length < schema.minItems) fail('too few items');
    for (const [i, item] of value.entries()) {
      const prefix = schema.prefixItems?.[i];
      if (prefix) check(root, prefix, item, `${path}[${i}]`, problems);
      else if (schema.items === false) fail('too many items');
      else if (typeof schema.items === 'object') check(root, schema.items, item, `${path}[${i}]`, problems);
    }
  } else if (typeof value === 'object' && value !== null) {
    for (const name of schema.required ?? []) if (!(name in value)) fail(`no ${name}`);
    for (const [name, member] of Object.entries(value)) {
      const property = schema.properties?.[name];
      if (property) check(root, property, member, `${path}.${name}`, problems);
      else if (schema.additionalProperties === false) fail(`unknown member ${name}`);
    }
  }
}
