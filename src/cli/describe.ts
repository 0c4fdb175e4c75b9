import { Command } from '@commander-js/extra-typings';
import { applyEdits } from '../edit/apply-edits.ts';
import { planEdits } from '../edit/edit.ts';
import { checkOutput } from '../node/output.ts';
import { writeEdited } from '../node/write-edited.ts';
import { describe } from '../ops/describe.ts';
import type { JsonObject } from '../schema/vmdesc.ts';
import type { Vm } from '../vm/vm.ts';
import { withVm } from './input.ts';
import {
  fullScanOption,
  jsonOption,
  noBlobOption,
  offsetOption,
  openKnowledge,
  qemuOption,
  schemaOption,
  skipRam,
  strictOption,
} from './options.ts';
import { EXIT_DATA, hasErrors, Output, printDiagnostics, toJson } from './output.ts';
import { enforceStrict } from './strict.ts';

export const describeCommand = new Command('describe')
  .description("the stream's description of itself (vmdesc) as JSON; one is made for a stream that has none")
  .argument('<file>', 'migration stream; - is standard input')
  .option('--append', 'write a copy of the stream that has this description, to the file of -o')
  .option('-o, --output <file>', 'with --append: the file to write, which must not exist')
  .addOption(jsonOption())
  .addOption(offsetOption())
  .addOption(fullScanOption())
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addOption(strictOption())
  .addHelpText(
    'after',
    `
Without a vmdesc, or with --no-blob, the one that QEMU would have written is made from its tables: --qemu or --schema
says where they are. --append does what vmwalk edit --vmdesc rebuild does.

Examples:
  vmwalk describe vm.qevm
  vmwalk describe vm.qevm | jq '.devices[].name'
  vmwalk describe --qemu /usr/bin/qemu-system-x86_64 no-vmdesc.qevm
  vmwalk describe --qemu ./qemu-system-x86_64 no-vmdesc.qevm --append -o with-vmdesc.qevm`,
  )
  .action(async (file, { strict, append, output: target, offset, fullScan, ...knowledge }, command) => {
    if (append !== (target === undefined ? undefined : true))
      command.error('error: --append and -o go together');
    const use = async (vm: Vm) => {
      enforceStrict(strict, vm.diagnostics);
      const { vmdesc, diagnostics } = await describe(vm);
      const problems = [...vm.diagnostics, ...diagnostics];
      printDiagnostics(vm.source.name, problems);
      if (hasErrors(problems) || !vmdesc) process.exitCode = EXIT_DATA;
      if (vmdesc) await write(vm, vmdesc, target);
    };
    if (target !== undefined) checkOutput(target, 'keep');
    const openOptions = { ...(await openKnowledge(knowledge)), ...skipRam({ fullScan, offset }) };
    await withVm(file, use, openOptions, { offset });
  });

/** A copy that has the description is a stream that was edited. */
async function write(vm: Vm, vmdesc: JsonObject, target: string | undefined): Promise<void> {
  if (target !== undefined) {
    await writeEdited(target, vm, await applyEdits(vm, await planEdits(vm, []), { vmdesc: 'rebuild' }));
    return;
  }
  const output = new Output();
  await output.line(toJson(vmdesc));
  await output.flush();
}
