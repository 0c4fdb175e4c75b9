import { Command } from '@commander-js/extra-typings';
import { openPath, openStandardInput } from '../node/spool.ts';
import { type FoundStream, findStreams } from '../ops/find-streams.ts';
import { foundStreamText } from '../render/found-stream-text.ts';
import { progressLine } from './input.ts';
import { jsonOption } from './options.ts';
import { EXIT_DATA, Output, say, toJson } from './output.ts';

export const scanCommand = new Command('scan')
  .description('find migration streams in a larger file: a capture, a disk image, a core dump')
  .argument('<file>', 'any file, read as it is; - is standard input')
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
Prints the offset of each stream, for --offset of the other commands, and its machine type. A stream that lies in pieces
(in a fragmented file of a disk image) is found, but cannot be read there. Exit status 1: there is none.

Examples:
  vmwalk scan capture.bin
  vmwalk info --offset 0x1c000 capture.bin
  vmwalk scan --json disk.img | jq '.[] | select(.plausible) | .offset'`,
  )
  .action(async (file, { json }) => {
    const source = await (file === '-' ? openStandardInput() : openPath(file));
    const output = new Output();
    const found: FoundStream[] = [];
    const progress = progressLine(source.size);
    try {
      for await (const stream of findStreams(source, progress.update)) {
        found.push(stream);
        if (json) continue;
        progress.clear();
        await output.row(foundStreamText(stream));
        await output.flush();
      }
    } finally {
      progress.clear();
      await source.close();
    }
    if (json) await output.line(toJson(found));
    await output.flush();
    if (found.some(({ plausible }) => plausible)) return;
    say(`${source.name}: no migration stream found`);
    process.exitCode = EXIT_DATA;
  });
