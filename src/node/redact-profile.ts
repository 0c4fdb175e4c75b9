import type { Profile } from '../check/profile.ts';
import { type RedactedCapture, redactCapture } from '../check/redact.ts';
import type { Vm } from '../vm/vm.ts';
import { openCapture } from './open-capture.ts';

/**
 * Redacts a capture, by its own tables, or built-in ones where it has none. Throws Error of what is no capture, of one
 * that nothing describes, and where its sections would no longer be found.
 */
export async function redactProfile(profile: Profile): Promise<RedactedCapture> {
  const opened = await openCapture(profile);
  if (!opened.tables && !opened.schema)
    throw new Error('not redacted: nothing describes its sections (--qemu and --schema of capture do)');
  const redacted = await redactCapture(profile, opened);
  const again = await openCapture(redacted.profile);
  const placesOf = ({ stream }: Vm) =>
    JSON.stringify(stream.sections.map(({ idstr, records }) => [idstr, records.map(({ body }) => body)]));
  if (placesOf(again) !== placesOf(opened))
    throw new Error('not redacted: where its sections end hangs on what would be taken out');
  return redacted;
}
