import { Command } from '@commander-js/extra-typings';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { hexOffset } from '../bytes/range.ts';
import { packagedSchemas } from '../node/packaged-schemas.ts';
import { compileSelectors, type Selection } from '../ops/select.ts';
import { byteAt, fieldsOf, isInRam, PageFinder } from '../ops/where.ts';
import { byteJson, fieldJson } from '../render/where-json.ts';
import { byteText, fieldText } from '../render/where-text.ts';
import { openVm, type Vm, type VmOptions } from '../vm/vm.ts';
import { progressLine, withVm } from './input.ts';
import {
  channelOption,
  jsonOption,
  noBlobOption,
  offsetOption,
  openKnowledge,
  parseOffset,
  qemuOption,
  schemaOption,
  skipRam,
} from './options.ts';
import { EXIT_DATA, EXIT_TROUBLE, hasErrors, Output, printDiagnostics, say, styleFor } from './output.ts';
import { reportUnmatched } from './unmatched.ts';

/** No name of a section or a field is like that. */
const OFFSET = /^(0x[0-9a-f]+|\d+)[kmgt]?$/i;

export const whereCommand = new Command('where')
  .description('which field a byte of a stream belongs to, and where in the stream a field is')
  .argument('<file>', 'migration stream; - is standard input')
  .argument('<place...>', 'offset in the stream, decimal or 0x…; or a selector such as dump takes')
  .addOption(channelOption())
  .addOption(jsonOption())
  .addOption(offsetOption())
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addHelpText(
    'after',
    `
Offsets are those that dump --offsets prints: in the stream, which begins at 0, also where it was in a container.

Exit status: 0 found, 1 the stream is damaged, 2 usage, I/O, or a place that is not in the stream.

Examples:
  vmwalk where vm.qevm 0x2f3c4
  vmwalk where vm.qevm 'cpu@1/env.eip' 'timer/*'
  vmwalk where vm.qevm 193476 --json | jq -r '.[0].field.path | join("/")'`,
  )
  .action(async (file, places, options) => {
    const offsets = places.filter((place) => OFFSET.test(place)).map(parseOffset);
    const selectors = places.filter((place) => !OFFSET.test(place));
    const knowledge = await openKnowledge(options);
    await withVm(
      file,
      async (vm, { openOptions }) => {
        const inRam = offsets.filter((offset) => isInRam(vm, offset));
        const pages = inRam.length > 0 ? new PageFinder(inRam) : undefined;
        const whole = pages ? await openWhole(vm, { ...knowledge, ...openOptions, sink: pages }) : vm;
        await show(whole, offsets, pages, compileSelectors(selectors), options.json ?? false);
      },
      { ...knowledge, ...skipRam(options) },
      options,
    );
  });

/** Opens it once more, with RAM. */
function openWhole({ source }: Vm, options: VmOptions): Promise<Vm> {
  const progress = progressLine(source.size);
  return openVm(source, { schemas: packagedSchemas, ...options, onProgress: progress.update }).finally(
    progress.clear,
  );
}

async function show(
  vm: Vm,
  offsets: readonly number[],
  pages: PageFinder | undefined,
  selection: Selection | undefined,
  json: boolean,
): Promise<void> {
  const output = new Output();
  const diagnostics = new DiagnosticList(vm.diagnostics);
  const style = styleFor(process.stdout);
  let shown = 0;
  const print = async (text: () => string, lines: () => Iterable<string>) => {
    if (json) await output.write(`${shown === 0 ? '[' : ','}\n${text()}`);
    else for (const line of lines()) await output.row(line);
    shown++;
  };
  let isMissing = false;
  for (const offset of offsets) {
    const byte = await byteAt(vm, offset, pages);
    if (byte) {
      diagnostics.addAll(byte.diagnostics);
      await print(
        () => byteJson(byte),
        () => byteText(byte, style),
      );
      continue;
    }
    say(`${hexOffset(offset)} is behind the end of the stream, which has ${hexOffset(vm.source.size)} bytes`);
    isMissing = true;
  }
  if (selection) {
    for await (const field of fieldsOf(vm, selection)) {
      await print(
        () => fieldJson(field),
        () => fieldText(field, style),
      );
    }
  }
  if (json) await output.line(shown === 0 ? '[]' : '\n]');
  await output.flush();
  printDiagnostics(vm.source.name, diagnostics.list());
  if (hasErrors(diagnostics.list())) process.exitCode = EXIT_DATA;
  const unmatched = selection?.unmatched() ?? [];
  await reportUnmatched([vm], unmatched);
  if (isMissing || unmatched.length > 0) process.exitCode = EXIT_TROUBLE;
}
