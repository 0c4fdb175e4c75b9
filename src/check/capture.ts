import type { OpenOptions } from '../layout/open.ts';
import { SchemaTables } from '../layout/tables.ts';
import { VALIDATED_CAPABILITIES } from './configuration.ts';
import type { Profile } from './profile.ts';

/** What a capture tells of the VM beside its stream. */
export type CaptureKnowledge = Pick<OpenOptions, 'sender' | 'tables'>;

/** What a profile tells that its stream does not; nothing, unless it is a capture. */
export function knowledgeOfCapture(profile: Profile): CaptureKnowledge {
  if (profile.kind !== 'capture') return {};
  const { machineType, ramBlocks, schema, uuid, capabilities, devices, redacted, rings } = profile;
  const sent = VALIDATED_CAPABILITIES.filter((name) => capabilities[name]);
  return {
    sender: {
      configuration: {
        machineType,
        capabilities: sent.length > 0 ? sent : undefined,
        targetPageBits: undefined,
        uuid: capabilities['validate-uuid'] ? uuid : undefined,
      },
      ramBlocks: ramBlocks.map(({ name, usedLength }) => ({ idstr: name, length: usedLength })),
      deviceTypes: new Set(devices.map(({ type }) => type)),
      ...(redacted ? { redacted: redacted.ranges.map(([start, end]) => ({ start, end })) } : {}),
      ...(rings ? { rings: rings.queues } : {}),
    },
    ...(schema ? { tables: new SchemaTables(schema) } : {}),
  };
}
