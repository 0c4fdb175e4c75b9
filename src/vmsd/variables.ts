import type { SchemaSymbols, VmsdSymbol } from '../schema/symbols.ts';
import type { TablesCompiler } from './compile-tables.ts';
import type { CompiledVmsd } from './compiled.ts';

/** The variables of QEMU's source that VMSDs of tables are, each by what it is: names several may have. */
export function variablesOf(
  symbols: SchemaSymbols | undefined,
  compiler: TablesCompiler,
): ReadonlyMap<CompiledVmsd, VmsdSymbol> {
  const found = new Map<CompiledVmsd, VmsdSymbol>();
  for (const [i, symbol] of symbols?.vmsds.entries() ?? []) if (symbol) found.set(compiler.vmsd(i), symbol);
  return found;
}
