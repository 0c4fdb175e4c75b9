import { decodeBase64 } from '../bytes/base64.ts';
import { DecodeError } from '../bytes/diagnostic.ts';
import { excessOfJson } from '../bytes/json-excess.ts';
import { type FinishedSource, memorySource, readExactly } from '../bytes/source.ts';
import { decodeText } from '../bytes/window.ts';
import type { Container } from './container.ts';

/** What a profile file begins with: its first member, without white space. */
export const PROFILE_START = '{"format":"vmwalk-profile"';
/** Bytes of a profile; one of a large machine has 10 MB. */
export const MAX_PROFILE = 64 << 20;

/** As deep as a profile is allowed to be where it is read whole. */
const MAX_DEPTH = 1000;

/** A profile or a capture of a VM (docs/profile.md), for its own state: the stream in it, without RAM pages. */
export const profile: Container = {
  kind: 'profile',
  matches: (head) => decodeText(head.subarray(0, PROFILE_START.length)) === PROFILE_START,
  async open(source) {
    const text = await readText(source);
    const { stream, kind } = parseMembers(source, text);
    const bytes = typeof stream === 'string' ? decodeBase64(stream) : undefined;
    if (!bytes) throw bad(source, 'its "stream" is no base64 text');
    return {
      source: {
        ...memorySource(bytes, source.name),
        locate: (offset) =>
          Promise.resolve({ offset: undefined, length: Math.max(0, bytes.length - offset) }),
      },
      diagnostics: [],
      ...(kind === 'capture' ? { capture: text, details: { kind } } : {}),
    };
  },
};

async function readText(source: FinishedSource): Promise<string> {
  if (source.size > MAX_PROFILE) throw bad(source, `it has ${source.size} bytes, more than can be`);
  return decodeText(await readExactly(source, 0, source.size));
}

function parseMembers(
  source: FinishedSource,
  text: string,
): { readonly stream?: unknown; readonly kind?: unknown } {
  const excess = excessOfJson(text, MAX_DEPTH);
  if (excess !== undefined) throw bad(source, excess);
  try {
    return JSON.parse(text);
  } catch {
    throw bad(source, 'it is not valid JSON');
  }
}

function bad(source: FinishedSource, reason: string): DecodeError {
  const message = `the profile cannot be read: ${reason}`;
  return new DecodeError({ severity: 'error', code: 'bad-container', message }, { source: source.name });
}
