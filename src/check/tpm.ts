import type { Finding } from './finding.ts';
import type { SectionValues } from './value-input.ts';

/** backends/tpm/tpm_emulator.c, tpm_emulator_set_state_blobs: the blobs are handed to swtpm, which may refuse them. */
export function checkTpm({ section }: SectionValues): readonly Finding[] {
  if (section.idstr !== 'tpm-emulator') return [];
  return [
    {
      rule: 'not-checked',
      severity: 'note',
      message:
        "the TPM's state blobs are not looked into: the swtpm of the destination takes or refuses them (its version, encryption with another key or none, a damaged blob)",
      says: 'tpm-emulator: Setting the stateblob (type …) failed with a TPM error …',
      fix: 'an swtpm at the destination that is as new, and the same key (--key) at both sides',
    },
  ];
}
