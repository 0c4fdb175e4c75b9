import { readdir, readFile } from 'node:fs/promises';
import { type Explanation, explanationOfPage, explanationsOfProblems } from '../ops/explain.ts';

const folder = new URL('../../docs/', import.meta.url);

/** All that the documentation in this package explains: rules in the order of their codes, then problems in streams. */
export async function readExplanations(): Promise<readonly Explanation[]> {
  const rules = new URL('rules/', folder);
  const names = (await readdir(rules)).filter((name) => name.endsWith('.md')).sort();
  const pages = names.map(async (name) =>
    explanationOfPage(name.slice(0, -'.md'.length), await readFile(new URL(name, rules), 'utf8')),
  );
  const problems = explanationsOfProblems(await readFile(new URL('diagnostics.md', folder), 'utf8'));
  return [...(await Promise.all(pages)), ...problems];
}
