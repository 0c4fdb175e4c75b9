import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { OpenedStream } from '../layout/open.ts';
import { streamInfo } from '../ops/info.ts';
import { infoText } from '../render/info-text.ts';
import { withStream } from './input.ts';
import {
  channelOption,
  jsonOption,
  noBlobOption,
  openKnowledge,
  qemuOption,
  schemaOption,
  strictOption,
  strictSchemaOption,
} from './options.ts';
import { EXIT_DATA, hasErrors, Output, styleFor, terminalWidth, toJson } from './output.ts';
import { enforceStrict, judge } from './strict.ts';

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
  vmwalk info --json *.qevm | jq '.[].configuration.machineType'`,
  )
  .action(async (files, { sort, depth, channel, json, strict, strictSchema, ...knowledge }) => {
    if (channel && files.length > 1)
      throw new Error('--channel belongs to one stream, but several are given');
    const openOptions = await openKnowledge(knowledge);
    const output = new Output();
    const infos: unknown[] = [];
    for (const [i, file] of files.entries()) {
      const use = async (opened: OpenedStream) => {
        enforceStrict(strict, opened.diagnostics);
        const collected = await streamInfo(opened);
        const info = { ...collected, diagnostics: judge(strictSchema, collected.diagnostics) };
        enforceStrict(strict, info.diagnostics);
        if (hasErrors(info.diagnostics)) process.exitCode = EXIT_DATA;
        if (json) infos.push(info);
        else {
          if (i > 0) await output.line('');
          const options = { style: styleFor(process.stdout), width: terminalWidth(), sort, depth };
          for (const line of infoText(info, options)) await output.line(line);
          // A file that cannot be read takes nothing from those before it.
          await output.flush();
        }
      };
      await withStream(file, use, openOptions, channel);
    }
    if (json) await output.line(toJson(infos.length === 1 ? infos[0] : infos));
    await output.flush();
  });

function parseDepth(text: string): number {
  const depth = Number(text);
  if (!Number.isInteger(depth) || depth < 1)
    throw new InvalidArgumentError('a whole number from 1 is expected');
  return depth;
}
