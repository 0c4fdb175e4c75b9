import type { PathComponent } from '../../bytes/diagnostic.ts';
import type { Range } from '../../bytes/range.ts';
import type { FieldSchema } from '../../schema/schema.ts';
import type { ResolveContext } from '../context.ts';
import type { LayoutNode } from '../node.ts';

import { resolveBitmap } from './bitmap.ts';
import { resolveCapability } from './capability.ts';
import { resolveFlagRegister } from './flag-registers.ts';
import { resolveMsixState } from './msix-state.ts';
import { resolvePciConfig } from './pci-config.ts';
import { resolvePciIrqState } from './pci-irq-state.ts';
import { resolveQueue } from './queue.ts';
import { resolveShpc } from './shpc.ts';
import { resolveHppaTlbEntry, resolveMipsTlbEntry, resolveSlbEntry } from './tlb-entries.ts';

/**
 * Opens up a field with a custom VMStateInfo. Returns undefined where the bytes are not what the info writes: the
 * field is then shown as bytes.
 */
export type InfoCodec = (
  context: ResolveContext,
  field: FieldSchema,
  at: { readonly name: PathComponent } & Range,
) => LayoutNode | undefined;

/**
 * By the name of the VMStateInfo: infos whose place is known, or found by a reader of the walk. A custom info is one
 * file beside this one and one line here; one that says itself how long it is has a reader instead.
 */
export const infoCodecs: ReadonlyMap<string, InfoCodec> = new Map([
  ['bitmap', resolveBitmap],
  ['capability', resolveCapability],
  ['cpsr', resolveFlagRegister],
  ['cpu/altivec/vscr', resolveFlagRegister],
  ['fpcr', resolveFlagRegister],
  ['fpscr', resolveFlagRegister],
  ['fpsr', resolveFlagRegister],
  ['fsr', resolveFlagRegister],
  ['int32_as_uint16', resolveFlagRegister],
  ['msix state', resolveMsixState],
  ['msr', resolveFlagRegister],
  ['pci config', resolvePciConfig],
  ['pci irq state', resolvePciIrqState],
  ['powered_off', resolveFlagRegister],
  ['psr', resolveFlagRegister],
  ['pstate64', resolveFlagRegister],
  ['psw', resolveFlagRegister],
  ['qlist', resolveQueue],
  ['qtailq', resolveQueue],
  ['shpc', resolveShpc],
  ['slbe', resolveSlbEntry],
  ['sr', resolveFlagRegister],
  ['sreg', resolveFlagRegister],
  ['tlb entry', resolveHppaTlbEntry],
  ['tlb_entry', resolveMipsTlbEntry],
  ['xcc', resolveFlagRegister],
]);
