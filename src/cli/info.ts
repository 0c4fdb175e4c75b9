import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { DecodeError } from '../bytes/diagnostic.ts';
import { streamInfo } from '../ops/info.ts';
import { infoText } from '../render/info-text.ts';
import type { Vm } from '../vm/vm.ts';
import { openWithProgress, withVm } from './input.ts';
import {
  channelOption,
  containerOffsetsOption,
  jsonOption,
  noBlobOption,
  offsetOption,
  openKnowledge,
  qemuOption,
  schemaOption,
  strictOption,
  strictSchemaOption,
} from './options.ts';
import {
  EXIT_DATA,
  hasErrors,
  Output,
  printDiagnostics,
  say,
  styleFor,
  terminalWidth,
  toJson,
} from './output.ts';
import { enforceStrict, judge } from './strict.ts';
import { statusOf, troubleText } from './trouble.ts';

export const infoCommand = new Command('info')
  .description(
    'what a stream is: version, machine type, sections, RAM blocks, what takes the bytes, problems',
  )
  .argument('<file...>', 'migration streams; - is standard input')
  .addOption(
    new Option('--sort <order>', 'order of the sections')
      .choices(['stream', 'size', 'name', 'id'] as const)
      .default('stream' as const),
  )
  .option('--depth <levels>', 'levels of the byte shares', parseDepth, 2)
  .addOption(channelOption())
  .addOption(jsonOption())
  .addOption(
    new Option('--xml', 'print the domain XML of a libvirt save image, and nothing else').conflicts('json'),
  )
  .addOption(offsetOption())
  .addOption(containerOffsetsOption())
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addOption(strictOption())
  .addOption(strictSchemaOption())
  .addHelpText(
    'after',
    `
Examples:
  vmwalk info vm.qevm
  vmwalk info --sort size --depth 4 vm.qevm
  vmwalk info --xml vm.save
  vmwalk info --json a.qevm b.qevm | jq '.[].configuration.machineType'`,
  )
  .action(
    async (
      files,
      { sort, depth, json, xml, strict, strictSchema, channel, offset, containerOffsets, ...knowledge },
    ) => {
      if (xml) return printDomainXml(files);
      if (channel && files.length > 1)
        throw new Error('--channel belongs to one stream, but several are given');
      const openOptions = await openKnowledge(knowledge);
      const output = new Output();
      const infos: unknown[] = [];
      for (const [i, file] of files.entries()) {
        const use = async (vm: Vm) => {
          enforceStrict(strict, vm.diagnostics);
          const collected = await streamInfo(vm, { containerOffsets });
          const info = { ...collected, diagnostics: judge(strictSchema, collected.diagnostics) };
          enforceStrict(strict, info.diagnostics);
          if (hasErrors(info.diagnostics)) process.exitCode = EXIT_DATA;
          if (json) infos.push(info);
          else {
            if (i > 0) await output.line('');
            const options = { style: styleFor(process.stdout), width: terminalWidth(), sort, depth };
            for (const line of infoText(info, options)) await output.row(line);
            // A file that cannot be read takes nothing from those before it.
            await output.flush();
          }
        };
        try {
          await withVm(file, use, openOptions, { channel, offset });
        } catch (error) {
          if (files.length === 1 || !(error instanceof DecodeError)) throw error;
          say(troubleText(error), 'error');
          process.exitCode = Math.max(Number(process.exitCode ?? 0), statusOf(error));
        }
      }
      if (json) await output.line(toJson(files.length === 1 ? infos[0] : infos));
      await output.flush();
    },
  );

async function printDomainXml(files: readonly string[]): Promise<void> {
  const output = new Output({ asIs: !process.stdout.isTTY });
  for (const file of files) {
    const input = await openWithProgress(file, { isEnough: (layer) => layer.xml !== undefined });
    await input.close();
    const xml = input.layers.at(-1)?.xml;
    if (xml === undefined) throw new Error(`${file} has no domain XML: it is no libvirt save image`);
    await output.write(xml);
    printDiagnostics(file, input.diagnostics);
  }
  await output.flush();
}

function parseDepth(text: string): number {
  const depth = Number(text);
  if (!Number.isInteger(depth) || depth < 1)
    throw new InvalidArgumentError('a whole number from 1 is expected');
  return depth;
}
