import { Command } from '@commander-js/extra-typings';
import { parseLayoutOption } from '../core/layout-option.ts';
import { planCore } from '../core/plan.ts';
import { writeCore } from '../node/core-file.ts';
import { nodeMemory } from '../node/node-memory.ts';
import { checkOutput } from '../node/output.ts';
import { coreSummary, coreText } from '../render/core-text.ts';
import { memoryProgress, withVm } from './input.ts';
import {
  channelOption,
  jsonOption,
  noBlobOption,
  offsetOption,
  openKnowledge,
  qemuOption,
  schemaOption,
  spoolOption,
  strictOption,
} from './options.ts';
import { EXIT_DATA, hasErrors, Output, printDiagnostics, toJson } from './output.ts';
import { enforceStrict } from './strict.ts';

export const ramCoreCommand = new Command('core')
  .description('memory and registers as an ELF core, for gdb, crash and Volatility')
  .argument('<file>', 'migration stream; - is standard input')
  .requiredOption('-o, --output <core>', 'file to write; it must not exist')
  .option('--layout <layout>', 'where memory is: block@address:size[+offset],…')
  .addOption(channelOption())
  .addOption(spoolOption())
  .addOption(offsetOption())
  .addOption(jsonOption())
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addOption(strictOption())
  .addHelpText(
    'after',
    `
The core is what QEMU's dump-guest-memory writes without paging: memory by guest physical address, and the registers of
each CPU. The addresses are known for pc, q35, microvm and isapc, and for virt (Arm, RISC-V), s390-ccw-virtio and
pseries. --layout is for other machines and for memory that was plugged in: the blocks that it names are placed as it
says; if RAM itself is among them, nothing else is placed. Sizes may end in K, M, G or T.

Examples:
  vmwalk ram core vm.qevm -o vm.core              then: gdb vmlinux vm.core
  vmwalk ram core with-dimm.qevm -o vm.core --layout dimm1@0x180000000:1G`,
  )
  .action(async (file, { output: path, layout, channel, spool, offset, json, strict, ...knowledge }) => {
    checkOutput(path, 'keep', true);
    const openOptions = { ...(await openKnowledge(knowledge)), memory: nodeMemory(spool) };
    const coreOptions = layout === undefined ? {} : { layout: parseLayoutOption(layout) };
    await withVm(
      file,
      async (vm) => {
        const { source } = vm;
        const plan = await planCore(vm, coreOptions);
        enforceStrict(strict, [...vm.diagnostics, ...plan.diagnostics]);
        const progress = memoryProgress(vm);
        const written = await writeCore(vm, plan, path, progress.add).finally(progress.clear);
        const core = { ...plan, notes: written.notes };
        const diagnostics = [...vm.diagnostics, ...plan.diagnostics, ...written.diagnostics];
        const output = new Output();
        if (json) await output.line(toJson({ ...coreSummary(core), diagnostics }));
        else {
          for (const line of coreText(core)) await output.row(line);
          printDiagnostics(source.name, diagnostics);
        }
        await output.flush();
        enforceStrict(strict, diagnostics);
        if (hasErrors(diagnostics)) process.exitCode = EXIT_DATA;
      },
      openOptions,
      { channel, offset },
    );
  });
