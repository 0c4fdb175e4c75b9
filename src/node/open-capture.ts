import { memorySource } from '../bytes/source.ts';
import { knowledgeOfCapture } from '../check/capture.ts';
import type { Profile } from '../check/profile.ts';
import { openVm, type Vm } from '../vm/vm.ts';
import { packagedSchemas } from './packaged-schemas.ts';

/** Opens the stream of a capture, by all that it tells. */
export function openCapture(profile: Profile, name = 'the capture'): Promise<Vm> {
  const source = memorySource(profile.stream, name);
  return openVm(source, { schemas: packagedSchemas, ...knowledgeOfCapture(profile) });
}
