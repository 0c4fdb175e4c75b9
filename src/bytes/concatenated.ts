import { joinedSource } from './joined.ts';
import { type FinishedSource, locate } from './source.ts';

/** Sources one behind the other, as one; its name is that of the first. */
export function concatenatedSource(sources: readonly [FinishedSource, ...FinishedSource[]]): FinishedSource {
  return joinedSource(
    sources[0].name,
    sources.map(({ size }) => size),
    {
      read: (part, skip, length, into) => sources[part]!.read(skip, length, into),
      locate: (part, skip) => locate(sources[part]!, skip),
    },
  );
}
