import { readdir, readFile } from 'node:fs/promises';
import {
  type Explanation,
  type ExplanationKind,
  explanationOfPage,
  explanationsOfProblems,
} from '../ops/explain.ts';

const docs = new URL('../../docs/', import.meta.url);

/** Folders of pages, in the order in which they are listed. */
const folders: readonly (readonly [string, ExplanationKind])[] = [
  ['rules/', 'rule'],
  ['messages/save/', 'save'],
  ['messages/load/', 'load'],
  ['messages/transport/', 'transport'],
  ['messages/libvirt/', 'libvirt'],
];

/** All that the documentation in this package explains: pages by their folders and codes, then problems in streams. */
export async function readExplanations(): Promise<readonly Explanation[]> {
  const pages = await Promise.all(folders.map(([folder, kind]) => pagesOf(new URL(folder, docs), kind)));
  const problems = explanationsOfProblems(await readFile(new URL('diagnostics.md', docs), 'utf8'));
  return [...pages.flat(), ...problems];
}

async function pagesOf(folder: URL, kind: ExplanationKind): Promise<Explanation[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.md')).sort();
  return Promise.all(
    names.map(async (name) =>
      explanationOfPage(name.slice(0, -'.md'.length), kind, await readFile(new URL(name, folder), 'utf8')),
    ),
  );
}
