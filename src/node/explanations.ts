import {
  type Explanation,
  type ExplanationKind,
  explanationOfPage,
  explanationsOfProblems,
} from '../ops/explain.ts';
import { packageFolder, packageText } from './package-files.ts';

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
  const pages = folders.flatMap(([folder, kind]) => pagesOf(`docs/${folder}`, kind));
  return [...pages, ...explanationsOfProblems(packageText('docs/diagnostics.md'))];
}

function pagesOf(folder: string, kind: ExplanationKind): Explanation[] {
  return packageFolder(folder).flatMap((name) => {
    if (!name.endsWith('.md')) return [];
    return [explanationOfPage(name.slice(0, -'.md'.length), kind, packageText(folder + name))];
  });
}
