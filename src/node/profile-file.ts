import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FinishedSource } from '../bytes/source.ts';
import { type Profile, parseProfile, serializeProfile } from '../check/profile.ts';
import { MAX_PROFILE, profile as profileContainer } from '../containers/profile.ts';
import { openInput } from './open-input.ts';
import { writeOutput } from './output.ts';

/** Reads a profile, compressed or not. Throws DecodeError `bad-profile`, `bad-container` or `io`. */
export async function openProfile(path: string): Promise<Profile> {
  const input = await openInput(path, { stopAt: profileContainer });
  try {
    return await readProfile(input.source, path);
  } finally {
    await input.close();
  }
}

/** Reads the profile that a source is, unpacked. Throws DecodeError `bad-profile` or `io`. */
export async function readProfile(source: FinishedSource, path: string): Promise<Profile> {
  // Of what is too long, enough to be refused.
  return parseProfile(await source.read(0, Math.min(source.size, MAX_PROFILE + 1)), path);
}

/** The content of a profile file. */
export function compressProfile(profile: Profile): Promise<Buffer> {
  return promisify(gzip)(serializeProfile(profile), { level: 9 });
}

/** A capture has registers of a guest in it: nobody else may read it. */
const PRIVATE = 0o600;

/**
 * Writes a profile, compressed; of a capture only its owner may read it. Returns how many bytes it has. Throws when the
 * file exists already.
 */
export async function writeProfileFile(path: string, profile: Profile): Promise<number> {
  const mode = profile.kind === 'capture' ? PRIVATE : undefined;
  return writeOutput(path, [await compressProfile(profile)], 'keep', mode);
}
