import type { InfoMemory } from '../../infos/info.ts';
import { CONVENTIONAL_SIZE } from '../../pci/config-space.ts';
import type { ObjectId, Shadow } from './shadow.ts';

/** What infos keep of an object, whatever member points to it. */
export function infoMemory(shadow: Shadow, object: ObjectId): InfoMemory {
  return {
    pciConfig: () => shadow.bytesOf(object),
    storePciConfig(content) {
      if (content.length > 0) shadow.keepBytes(object, content.subarray(0, CONVENTIONAL_SIZE));
    },
  };
}
