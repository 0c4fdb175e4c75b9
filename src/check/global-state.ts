import { decodeText } from '../bytes/window.ts';
import type { Finding } from './finding.ts';
import type { SectionValues } from './values.ts';

/** qapi/run-state.json, RunState. */
const RUN_STATES: ReadonlySet<string> = new Set([
  'colo',
  'debug',
  'finish-migrate',
  'guest-panicked',
  'inmigrate',
  'internal-error',
  'io-error',
  'paused',
  'postmigrate',
  'preconfig',
  'prelaunch',
  'restore-vm',
  'running',
  'save-vm',
  'shutdown',
  'suspended',
  'watchdog',
]);

/** migration/global_state.c, global_state_post_load: the state of the source must be one that QEMU has. */
export function checkGlobalState({ section, root }: SectionValues): Finding[] {
  if (section.idstr !== 'globalstate') return [];
  const node = root.children.find(({ name }) => name === 'runstate');
  const bytes = node && node.kind !== 'array' ? node.value : undefined;
  if (!node || !(bytes instanceof Uint8Array)) return [];
  const end = bytes.indexOf(0);
  const text = decodeText(end < 0 ? bytes : bytes.subarray(0, end));
  if (RUN_STATES.has(text)) return [];
  return [
    {
      rule: 'post-load',
      severity: 'blocks',
      path: ['runstate'],
      range: node,
      message: `${JSON.stringify(text)} is no state of a VM`,
      says: `invalid parameter value: ${text}`,
      fix: 'an undamaged copy of the stream',
    },
  ];
}
