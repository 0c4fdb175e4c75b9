import type { CompiledVmsd } from '../vmsd/compiled.ts';
import type { WireFinding } from './wire-finding.ts';

/** Versions of a section or subsection; undefined where the destination takes it. */
export function compareVersions(
  name: string,
  versionId: number,
  destination: Pick<CompiledVmsd, 'versionId' | 'minimumVersionId' | 'loadsOld'>,
  isSubsection: boolean,
): Pick<WireFinding, 'rule' | 'rank' | 'message' | 'conditions' | 'qemuSays'> | undefined {
  const { versionId: newest, minimumVersionId: oldest, loadsOld } = destination;
  if (versionId > newest) {
    return {
      rule: 'compat-version-too-new',
      rank: 'certain',
      message: `version ${versionId} is sent, the destination knows up to ${newest}`,
      conditions: [],
      qemuSays: isSubsection
        ? `${name}: incoming version_id ${versionId} is too new for local version_id ${newest}`
        : `savevm: unsupported version ${versionId} for '${name}' v${newest}`,
    };
  }
  if (versionId < oldest) {
    return {
      rule: 'compat-version-too-old',
      rank: loadsOld ? 'conditional' : 'certain',
      message: `version ${versionId} is sent, the destination reads from ${oldest} on`,
      conditions: loadsOld ? ['load_state_old of the destination does not read it'] : [],
      qemuSays: `${name}: incoming version_id ${versionId} is too old for local minimum version_id ${oldest}`,
    };
  }
  return undefined;
}
