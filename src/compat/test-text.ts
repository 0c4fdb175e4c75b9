import type { MemoryPlace } from '../expressions/evaluate.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { sourceText } from '../schema/symbols.ts';
import { TablesCompiler } from '../vmsd/compile-tables.ts';
import type { CompiledVmsd, ExistenceTest } from '../vmsd/compiled.ts';
import { expressionText } from './expression-text.ts';
import { MemberNames } from './member-names.ts';

/** A test for people. */
export interface TestText {
  /** What it asks: `property x-old`, `s->timadj`; undefined where nothing is known of it. */
  readonly text: string | undefined;
  /** Properties that set those members, function, file and line; undefined where the schema has no names of the source. */
  readonly source: string | undefined;
}

export function describeTest(
  names: MemberNames,
  { id, expression }: ExistenceTest,
  vmsd: CompiledVmsd,
  versionId: number,
): TestText {
  const properties = new Set<string>();
  const nameOf = (place: MemoryPlace, mask?: bigint) => {
    const named = names.name(vmsd, place, mask);
    if (named.property !== undefined) properties.add(named.property);
    return named.text;
  };
  const text = expression === undefined ? undefined : expressionText(expression, versionId, nameOf);
  const symbol = names.functionSymbol(id);
  const source = symbol && [...properties, symbol.name, sourceText(symbol) ?? []].flat().join(', ');
  return { text, source };
}

/** `s->timadj (property migrate-timadj, e1000e_migrate_timadj, hw/net/e1000e.c:555)`. */
export function withSource(text: string, source: string | undefined): string {
  return source === undefined ? text : `${text} (${source})`;
}

/**
 * What the tests of a schema ask, by the indexes of a VMSD and of a function of it; undefined where it is not known, or
 * the schema has no names of the source.
 */
export function testConditions(schema: QemuSchema): (vmsd: number, test: number) => string | undefined {
  const compiler = new TablesCompiler(schema);
  const names = new MemberNames(schema, compiler);
  const expressions = new Map(schema.expressions.map((entry) => [entry.function, entry.expression]));
  return (index, id) => {
    const vmsd = compiler.vmsd(index);
    const { text, source } = describeTest(
      names,
      { id, expression: expressions.get(id) },
      vmsd,
      vmsd.versionId,
    );
    return text === undefined || source === undefined ? undefined : withSource(text, source);
  };
}
