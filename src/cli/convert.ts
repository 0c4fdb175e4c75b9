import { readFile } from 'node:fs/promises';
import { Command, Option } from '@commander-js/extra-typings';
import { conversionFormats, convertFile } from '../node/convert-file.ts';
import { nodeMemory } from '../node/node-memory.ts';
import { checkOutput } from '../node/output.ts';
import { formatSize } from '../render/size.ts';
import type { Vm } from '../vm/vm.ts';
import { memoryProgress, withVm } from './input.ts';
import { channelOption, jsonOption, offsetOption, spoolOption } from './options.ts';
import { Output, printDiagnostics, say, toJson } from './output.ts';

export const convertCommand = new Command('convert')
  .description(
    'write a stream anew as a plain one, which any QEMU loads: one version of each page, no channels',
  )
  .argument('<file>', 'migration stream; - is standard input')
  .requiredOption('-o, --output <file>', 'file to write; it must not exist')
  .addOption(
    new Option('--to <format>', 'what to write: a plain stream, or one that is wrapped')
      .choices(conversionFormats)
      .default('plain' as const),
  )
  .option('--xml <file>', "with --to libvirt: the domain's XML, in place of that of the save image")
  .option('--running', 'with --to libvirt: the guest runs when it is restored, also when it did not')
  .option('--partial', 'write it also where pages are missing or damaged, without them')
  .addOption(channelOption())
  .addOption(spoolOption())
  .addOption(offsetOption())
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
--to mapped-ram is for QEMU 9.0 and later with that capability, --to libvirt for "virsh restore".

All encodings of RAM are read: several rounds, XBZRLE, compressed pages, multifd, postcopy, mapped-ram; and all
containers: disk.qcow2#NAME, libvirt's save images, compressed files. Devices are copied as they are.

Exit status: 0 written, 1 the stream is damaged, or lacks pages, 2 usage or I/O.

Examples:
  vmwalk convert vm.qevm -o plain.qevm                then: qemu-system-X ... -incoming "exec:cat plain.qevm"
  vmwalk convert vm.save -o plain.qevm
  vmwalk convert 'disk.qcow2#before-upgrade' -o plain.qevm
  vmwalk convert multifd.qevm --channel multifd.ch* -o plain.qevm
  vmwalk convert vm.save -o /dev/stdout | ssh host qemu-system-X ... -incoming fd:0`,
  )
  .action(async (file, options, command) => {
    const { output: path, to, xml: xmlFile, running, partial, channel, spool, offset, json } = options;
    if (to !== 'libvirt' && (xmlFile !== undefined || running))
      command.error('error: --xml and --running are for --to libvirt');
    checkOutput(path, 'keep');
    const xml = xmlFile === undefined ? undefined : await readFile(xmlFile, 'utf8');
    const use = async (vm: Vm) => {
      const progress = memoryProgress(vm);
      const conversion = await convertFile(vm, path, {
        to,
        xml,
        isRunning: running,
        partial,
        onProgress: progress.add,
      }).finally(progress.clear);
      const { size, pages, commandsLeftOut, diagnostics } = conversion;
      printDiagnostics(vm.source.name, diagnostics);
      if (json) {
        const output = new Output();
        await output.line(toJson(conversion));
        await output.flush();
        return;
      }
      const without =
        commandsLeftOut.length > 0 ? `; without the commands ${commandsLeftOut.join(', ')}` : '';
      say(`${path}: ${formatSize(size)}, ${pages.plain} pages and ${pages.zero} zero pages${without}`);
    };
    // The device state is not asked for.
    const openOptions = { schemas: undefined, memory: nodeMemory(spool) };
    await withVm(file, use, openOptions, { channel, offset });
  });
