import { Option } from '@commander-js/extra-typings';
import { applyEdits, type EditedStream } from '../edit/apply-edits.ts';
import type { EditPlan } from '../edit/edit.ts';
import { VMDESC_MODES, type VmdescMode } from '../edit/edited-stream.ts';
import { openEdited, writeEdited } from '../node/write-edited.ts';
import { diffStreams } from '../ops/diff.ts';
import { diffText } from '../render/diff-text.ts';
import { formatSize } from '../render/size.ts';
import type { Vm, VmOptions } from '../vm/vm.ts';
import { Output, printDiagnostics, say, styleFor, terminalWidth } from './output.ts';

export const vmdescOption = () =>
  new Option(
    '--vmdesc <mode>',
    'what comes of the vmdesc; as it was without this, and made anew where the shape has changed',
  ).choices(VMDESC_MODES);

export const forceEditOption = () =>
  new Option(
    '--force',
    'change also what is one of several readings, and write what is read as something else',
  );

export const dryRunOption = () =>
  new Option('--dry-run', 'write nothing, show what would be other than before');

export interface WriteOptions {
  readonly output: string | undefined;
  readonly vmdesc: VmdescMode | undefined;
  readonly force: true | undefined;
  readonly dryRun: true | undefined;
  /** The file that the VM was opened of, where it is one, from its start on. */
  readonly file: string | undefined;
}

/** Writes the stream that a plan makes, once it was opened again, or shows what is other in it. */
export async function writePlan(
  vm: Vm,
  plan: EditPlan,
  { output, vmdesc, force, dryRun, file }: WriteOptions,
  openOptions: VmOptions,
): Promise<EditedStream> {
  for (const layout of plan.layouts.values()) printDiagnostics(vm.source.name, layout.diagnostics);
  for (const place of plan.followed) say(`${place} follows`);
  const edited = await applyEdits(vm, plan, { vmdesc, force });
  const after = await openEdited(vm, edited, { ...openOptions, force });
  if (dryRun) {
    await showChanges(vm, after);
    return edited;
  }
  if (output !== undefined) {
    const size = await writeEdited(output, vm, edited, file === '-' ? undefined : file);
    say(`${output}: ${formatSize(size)}`);
  }
  return edited;
}

async function showChanges(before: Vm, after: Vm): Promise<void> {
  const output = new Output();
  const display = { style: styleFor(process.stdout), width: terminalWidth() };
  for (const line of diffText(await diffStreams(before, after, {}), display)) await output.row(line);
  await output.flush();
}
