import { statSync } from 'node:fs';
import { Command } from '@commander-js/extra-typings';
import { editRefused, formatDiagnostic } from '../bytes/diagnostic.ts';
import { planEncode, planManifest } from '../edit/encode.ts';
import { checkDeviceState, encodeDeviceState } from '../edit/encode-device-state.ts';
import { parseDecodedLines } from '../edit/read-ndjson.ts';
import { checkBase, openDecoded } from '../node/decode.ts';
import { checkOutput } from '../node/output.ts';
import { packagedSchemas } from '../node/packaged-schemas.ts';
import { readLines } from '../node/read-lines.ts';
import { writeSource } from '../node/write-source.ts';
import { formatSize } from '../render/size.ts';
import { openVm } from '../vm/vm.ts';
import { dryRunOption, forceEditOption, vmdescOption, writePlan } from './edit-options.ts';
import { withVm } from './input.ts';
import { fullScanOption, noBlobOption, openKnowledge, qemuOption, schemaOption, skipRam } from './options.ts';
import { printDiagnostics, say } from './output.ts';

export const encodeCommand = new Command('encode')
  .description('make a stream of what "vmwalk decode" or "vmwalk dump --ndjson" wrote')
  .argument('<decoded>', 'folder of "vmwalk decode", or lines of "vmwalk dump --ndjson"; - is standard input')
  .option('--base <file>', 'the stream that was decoded: RAM, and all that was not decoded, come from it')
  .option('-o, --output <file>', 'file to write, which must not exist')
  .addOption(dryRunOption())
  .addOption(vmdescOption())
  .addOption(forceEditOption())
  .addOption(fullScanOption())
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addHelpText(
    'after',
    `
What was not changed gives the bytes of the base. Without a base a stream of device state alone is made of a folder, as
xen-save-devices-state writes one. "meaning" is for reading only.

Exit status: 0 written, 1 refused without --force, 2 wrong input or I/O.

Examples:
  vmwalk decode vm.qevm -o vm && vmwalk encode vm --base vm.qevm -o new.qevm
  vmwalk encode vm -o devices.qevm
  vmwalk dump --ndjson vm.qevm | sed 's/"value":"65520"/"value":"4660"/' | vmwalk encode - --base vm.qevm -o lines.qevm`,
  )
  .action(async (decoded, options, command) => {
    const { base, output, vmdesc, force, dryRun, fullScan, ...knowledge } = options;
    if ((output === undefined) === (dryRun === undefined))
      command.error('error: either -o or --dry-run says what is to be done');
    if (output !== undefined) checkOutput(output, 'keep');
    const isFolder = decoded !== '-' && statSync(decoded).isDirectory();
    const folder = isFolder ? await openDecoded(decoded) : undefined;
    if (base === undefined) {
      if (!folder || output === undefined)
        throw new Error('without --base a folder of "vmwalk decode" and -o are needed');
      const state = await encodeDeviceState(folder.manifest, folder.read, vmdesc);
      const read = await openVm(state.source, {
        schemas: packagedSchemas,
        ...(await openKnowledge(knowledge)),
      });
      if (!force) {
        const damage = read.diagnostics.find(({ severity }) => severity === 'error');
        if (damage) throw editRefused(`what would be written is damaged: ${formatDiagnostic(damage)}`);
        await checkDeviceState(read, state);
      }
      const size = await writeSource(output, state.source);
      say(`${output}: ${formatSize(size)} of device state`);
      return;
    }
    const openOptions = { ...(await openKnowledge(knowledge)), ...skipRam({ fullScan }) };
    await withVm(
      base,
      async (vm) => {
        printDiagnostics(vm.source.name, vm.diagnostics);
        if (folder) await checkBase(vm, folder.manifest);
        const plan = folder
          ? await planManifest(vm, folder.manifest, folder.read)
          : await planEncode(vm, parseDecodedLines(readLines(decoded), decoded));
        await writePlan(vm, plan, { output, vmdesc, force, dryRun, file: base }, openOptions);
      },
      openOptions,
    );
  });
