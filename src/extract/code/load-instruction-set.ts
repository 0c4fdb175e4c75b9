import type { InstructionSet } from './instruction-set.ts';

/**
 * The instruction set of a host, as `uname -m` names it; undefined for one that is not modelled. Loads its decoder,
 * which is why it is asynchronous.
 */
export async function loadInstructionSet(machine: string): Promise<InstructionSet | undefined> {
  if (machine !== 'x86_64') return undefined;
  const [{ createX86InstructionSet, isNotModelled }, { loadIcedDecoder }] = await Promise.all([
    import('../x86-64/instruction-set.ts'),
    import('../x86-64/iced.ts'),
  ]);
  return createX86InstructionSet(await loadIcedDecoder(isNotModelled));
}
