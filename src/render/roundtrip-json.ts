import type { Roundtrip } from '../check/roundtrip-result.ts';
import { diffJson } from './diff-json.ts';

/** What came of a roundtrip as plain data for JSON. docs/roundtrip.md is its contract. */
export function roundtripJson({ diff, ...rest }: Roundtrip): Record<string, unknown> {
  if (!diff) return rest;
  const parts = diff.parts.map(({ kind, diff: differences }) => ({ kind, ...diffJson(differences) }));
  return { ...rest, diff: { ...diff, parts } };
}
