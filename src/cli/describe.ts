import { Command } from '@commander-js/extra-typings';
import { describe } from '../ops/describe.ts';
import { withStream } from './input.ts';
import { jsonOption, strictOption } from './options.ts';
import { EXIT_DATA, hasErrors, Output, printDiagnostics, toJson } from './output.ts';
import { enforceStrict } from './strict.ts';

export const describeCommand = new Command('describe')
  .description("the stream's description of itself (vmdesc) as JSON")
  .argument('<file>', 'migration stream; - is standard input')
  .addOption(jsonOption())
  .addOption(strictOption())
  .addHelpText(
    'after',
    `
Examples:
  vmwalk describe vm.qevm
  vmwalk describe vm.qevm | jq '.devices[].name'`,
  )
  .action(async (file, { strict }) => {
    await withStream(file, async (opened) => {
      enforceStrict(strict, opened.diagnostics);
      const vmdesc = describe(opened);
      printDiagnostics(opened.source.name, opened.diagnostics);
      const output = new Output();
      if (vmdesc) await output.line(toJson(vmdesc));
      else process.exitCode = EXIT_DATA;
      await output.flush();
      if (hasErrors(opened.diagnostics)) process.exitCode = EXIT_DATA;
    });
  });
