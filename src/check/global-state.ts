import { GLOBAL_STATE, sentRunState } from '../ops/run-state.ts';
import type { Finding } from './finding.ts';
import type { SectionValues } from './value-input.ts';

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
  if (section.idstr !== GLOBAL_STATE) return [];
  const sent = sentRunState(root);
  if (!sent || RUN_STATES.has(sent.text)) return [];
  const { node, text } = sent;
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
