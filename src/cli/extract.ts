import { Command } from '@commander-js/extra-typings';
import { extractStream } from '../node/extract.ts';
import { formatSize } from '../render/size.ts';
import { openWithProgress, progressLine } from './input.ts';
import {
  jsonOption,
  noBlobOption,
  offsetOption,
  openKnowledge,
  qemuOption,
  schemaOption,
  strictOption,
} from './options.ts';
import { EXIT_DATA, hasErrors, Output, printDiagnostics, toJson } from './output.ts';
import { enforceStrict } from './strict.ts';

export const extractCommand = new Command('extract')
  .description('write sections, RAM blocks, state.json and desc.json into a folder')
  .argument('<file>', 'migration stream; - is standard input')
  .requiredOption('-o, --output <dir>', 'folder to write into; it is made, or must be empty')
  .option('--force', 'write into a folder that is not empty')
  .addOption(jsonOption())
  .addOption(offsetOption())
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addOption(strictOption())
  .addHelpText(
    'after',
    `
DIR/sections/  the bytes of each section but RAM, as the device wrote them
DIR/ram/       each RAMBlock as a sparse file, the last version of every page
DIR/state.json, desc.json  what vmwalk dump --analyze-migration prints
DIR/index.json which file holds what

Examples:
  vmwalk extract vm.qevm -o vm
  vmwalk extract --json vm.qevm -o vm | jq -r '.files[].file'`,
  )
  .action(async (file, { output: folder, force, json, strict, offset, ...knowledge }) => {
    const openOptions = await openKnowledge(knowledge);
    const input = await openWithProgress(file, { offset });
    const { source } = input;
    const progress = progressLine(source.size);
    try {
      const options = { ...openOptions, ...(force ? { force } : {}), onProgress: progress.update };
      const extraction = await extractStream(source, folder, options);
      progress.clear();
      const { files } = extraction;
      const diagnostics = [...input.diagnostics, ...extraction.diagnostics];
      const output = new Output();
      if (json) await output.line(toJson({ ...extraction, diagnostics }));
      else {
        for (const { file: name, size } of files)
          await output.line(`${formatSize(size).padStart(10)}  ${name}`);
        printDiagnostics(source.name, diagnostics);
      }
      await output.flush();
      enforceStrict(strict, diagnostics);
      if (hasErrors(diagnostics)) process.exitCode = EXIT_DATA;
    } finally {
      await input.close();
    }
  });
