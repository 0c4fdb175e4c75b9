import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const entries = ['index.d.ts', 'node/index.d.ts'].map((name) => resolve(dist, name));
const program = ts.createProgram(entries, {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  types: ['node'],
  skipLibCheck: true,
  noEmit: true,
});
const checker = program.getTypeChecker();

function behindAliases(symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function exportsOf(entry: string): ts.Symbol[] {
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!);
  return module ? checker.getExportsOfModule(module).map(behindAliases) : [];
}

/** Types of this package that declarations name, and those that these name. */
function typesBehind(symbols: readonly ts.Symbol[]): Set<ts.Symbol> {
  const seen = new Set<ts.Symbol>();
  const waiting = [...symbols];
  const visit = (node: ts.Node): void => {
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : ts.isImportTypeNode(node)
          ? node.qualifier
          : undefined;
    const found = name && checker.getSymbolAtLocation(name);
    const symbol = found && behindAliases(found);
    const isOurs = symbol?.declarations?.some(
      (each) => each.getSourceFile().fileName.startsWith(dist) && !ts.isTypeParameterDeclaration(each),
    );
    if (symbol && isOurs && !seen.has(symbol)) {
      seen.add(symbol);
      waiting.push(symbol);
    }
    ts.forEachChild(node, visit);
  };
  for (let symbol = waiting.pop(); symbol; symbol = waiting.pop()) symbol.declarations?.forEach(visit);
  return seen;
}

test.each(entries)('whoever uses %s can name all types that it is about', (entry) => {
  // What comes from the main entry is had there.
  const had = new Set([...exportsOf(entries[0]!), ...exportsOf(entry)]);
  const behind = [...typesBehind(exportsOf(entry))];
  expect(behind.length).toBeGreaterThan(50);
  expect(behind.filter((symbol) => !had.has(symbol)).map(({ name }) => name)).toEqual([]);
});
