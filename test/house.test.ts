import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

/** The folders of src/, lowest first, and what each may import; circles of files are Biome's to find. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  expressions: [],
  pci: [],
  stream: ['bytes'],
  containers: ['bytes'],
  ram: ['bytes', 'pci', 'stream'],
  memory: ['bytes', 'ram'],
  schema: ['bytes', 'expressions', 'stream'],
  extract: ['bytes', 'expressions', 'schema'],
  vmsd: ['bytes', 'expressions', 'schema'],
  infos: ['bytes', 'pci', 'vmsd', 'layout'],
  layout: ['bytes', 'expressions', 'pci', 'stream', 'ram', 'memory', 'schema', 'vmsd', 'infos'],
  core: ['bytes', 'ram', 'memory', 'layout'],
  ops: ['bytes', 'stream', 'containers', 'ram', 'memory', 'schema', 'vmsd', 'infos', 'layout'],
  edit: ['bytes', 'stream', 'schema', 'vmsd', 'layout', 'ops'],
  compat: ['bytes', 'expressions', 'schema', 'vmsd', 'infos'],
  check: [
    'bytes',
    'pci',
    'stream',
    'containers',
    'ram',
    'memory',
    'schema',
    'infos',
    'layout',
    'core',
    'ops',
  ],
  vm: ['bytes', 'stream', 'containers', 'ram', 'schema', 'infos', 'layout', 'ops'],
  fix: ['bytes', 'stream', 'ram', 'schema', 'vmsd', 'layout', 'edit', 'check', 'vm'],
  render: [
    'bytes',
    'stream',
    'containers',
    'ram',
    'schema',
    'vmsd',
    'layout',
    'core',
    'ops',
    'edit',
    'compat',
    'check',
    'fix',
  ],
  node: [
    'bytes',
    'stream',
    'containers',
    'ram',
    'memory',
    'schema',
    'extract',
    'infos',
    'layout',
    'core',
    'ops',
    'edit',
    'compat',
    'check',
    'render',
    'vm',
  ],
  cli: [
    'bytes',
    'containers',
    'ram',
    'memory',
    'schema',
    'layout',
    'core',
    'ops',
    'edit',
    'compat',
    'check',
    'fix',
    'render',
    'vm',
    'node',
  ],
};

/** Names that say nothing of what is in a file. */
const EMPTY_NAMES: ReadonlySet<string> = new Set([
  'table',
  'utils',
  'helpers',
  'common',
  'manager',
  'types',
  'misc',
]);

const source = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(source, name), 'utf8') }));

/** Files of src/ that a file imports: values, types, and what is loaded later. */
function importsOf({ name, text }: { readonly name: string; readonly text: string }): string[] {
  return ts
    .preProcessFile(text, true, true)
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => normalize(join(dirname(name), fileName)));
}

function folderOf(name: string): string {
  return name.split('/')[0]!;
}

/** Types that a file declares for others. */
function exportedTypes({ name, text }: { readonly name: string; readonly text: string }): string[] {
  return ts.createSourceFile(name, text, ts.ScriptTarget.Latest).statements.flatMap((statement) => {
    const isType =
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isEnumDeclaration(statement);
    const isExported =
      isType && statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    return isExported && statement.name ? [statement.name.text] : [];
  });
}

test('the graph of imports is seen', () => {
  expect(
    importsOf({ name: 'a/b.ts', text: "import type { T } from '../c/d.ts'; await import('./e.ts');" }),
  ).toEqual(['c/d.ts', 'a/e.ts']);
  expect(importsOf(files.find(({ name }) => name === 'cli/program.ts')!)).toContain('cli/output.ts');
});

test('imports go one way', () => {
  const wrong = files
    .filter(({ name }) => name.includes('/'))
    .flatMap((file) => {
      const folder = folderOf(file.name);
      const allowed = MAY_IMPORT[folder];
      if (!allowed) return [`src/${folder} is not in MAY_IMPORT`];
      return importsOf(file)
        .filter((imported) => folderOf(imported) !== folder && !allowed.includes(folderOf(imported)))
        .map((imported) => `src/${file.name} imports src/${imported}`);
    });
  expect(wrong).toEqual([]);
});

test('no two files export types of one name', () => {
  const places = new Map<string, string[]>();
  for (const file of files)
    for (const type of exportedTypes(file)) places.set(type, [...(places.get(type) ?? []), file.name]);
  expect(places.get('ByteSource')).toEqual(['bytes/source.ts']);
  expect([...places].filter(([, names]) => names.length > 1)).toEqual([]);
});

test('names of files say what is in them', () => {
  expect(files.map(({ name }) => name).filter((name) => EMPTY_NAMES.has(basename(name, '.ts')))).toEqual([]);
});
