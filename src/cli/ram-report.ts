import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { checkOutput } from '../node/output.ts';
import { isRamMapName, writeRamMap } from '../node/ram-map-file.ts';
import { ramReport } from '../ops/ram-report.ts';
import { PageUsage } from '../ram/page-usage.ts';
import { ramText } from '../render/ram-text.ts';
import type { Vm } from '../vm/vm.ts';
import { withVm } from './input.ts';
import { channelOption, jsonOption, offsetOption, strictOption } from './options.ts';
import { EXIT_DATA, hasErrors, Output, printDiagnostics, styleFor, toJson } from './output.ts';
import { enforceStrict } from './strict.ts';

export const ramReportCommand = new Command('report')
  .description(
    'what was sent of each RAM block, in which encoding and round, and what again and again (default)',
  )
  .argument('<file>', 'migration stream; - is standard input')
  .option('--map <file>', 'draw a heat map of the memory: a picture, .svg or .png', parseMapFile)
  .option('--ranges <count>', 'ranges that are listed of those sent again most', parseCount, 10)
  .addOption(channelOption())
  .addOption(jsonOption())
  .addOption(offsetOption())
  .addOption(strictOption())
  .addHelpText(
    'after',
    `
A round is a pass over the pages that the guest had written to since the one before. One that sends as much as the one
before does not converge: the ranges sent again most show where the guest writes. QEMU's own dirty-sync-count is as
high, and higher by the times that it found no page to send.

Examples:
  vmwalk ram vm.qevm
  vmwalk ram vm.qevm --map vm.svg
  vmwalk ram multifd.qevm --channel 'multifd.ch[0-3]'
  vmwalk ram --json vm.qevm | jq '.rounds[].total'`,
  )
  .action(async (file, { map, ranges, json, strict, channel, offset }) => {
    if (map !== undefined) checkOutput(map, 'replace');
    const usage = new PageUsage();
    const use = async (vm: Vm) => {
      const report = ramReport(vm, usage, { ranges });
      if (!report) throw new Error(`${vm.source.name} has no RAM section`);
      enforceStrict(strict, report.diagnostics);
      const output = new Output();
      if (json) await output.line(toJson(report));
      else for (const line of ramText(report, styleFor(process.stdout))) await output.row(line);
      await output.flush();
      if (map !== undefined) await writeRamMap(map, report, usage);
      printDiagnostics(report.name, report.diagnostics);
      if (hasErrors(report.diagnostics)) process.exitCode = EXIT_DATA;
    };
    // The device state is not asked for.
    await withVm(file, use, { schemas: undefined, sink: usage }, { channel, offset });
  });

function parseMapFile(text: string): string {
  if (!isRamMapName(text)) throw new InvalidArgumentError('a name that ends in .svg or .png is expected');
  return text;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0 || count > 1000)
    throw new InvalidArgumentError('a whole number up to 1000 is expected');
  return count;
}
