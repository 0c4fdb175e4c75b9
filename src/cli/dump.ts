import { Command, Option } from '@commander-js/extra-typings';
import type { Diagnostic } from '../bytes/diagnostic.ts';
import { DiagnosticList } from '../bytes/diagnostic-list.ts';
import { fileOffsets } from '../bytes/file-offsets.ts';
import { SortedRanges } from '../bytes/sorted-ranges.ts';
import { compileSelectors, pruneLayout, type Selection, selectNodes } from '../ops/select.ts';
import { analyzeMigrationDesc, analyzeMigrationState } from '../render/analyze-migration-text.ts';
import { dumpText } from '../render/dump-text.ts';
import { layoutJson, ndjsonLine } from '../render/ndjson.ts';
import type { Vm } from '../vm/vm.ts';
import { withVm } from './input.ts';
import {
  channelOption,
  containerOffsetsOption,
  fullScanOption,
  jsonOption,
  noBlobOption,
  offsetOption,
  openKnowledge,
  qemuOption,
  schemaOption,
  skipRam,
  strictOption,
  strictSchemaOption,
} from './options.ts';
import {
  EXIT_DATA,
  EXIT_TROUBLE,
  hasErrors,
  Output,
  printDiagnostics,
  styleFor,
  terminalWidth,
} from './output.ts';
import { enforceStrict, judge } from './strict.ts';
import { reportUnmatched } from './unmatched.ts';

interface DumpOptions {
  readonly offsets?: true;
  readonly containerOffsets?: true;
  readonly raw?: true;
  readonly full?: true;
  readonly json?: true;
  readonly ndjson?: true;
  readonly strict?: true;
  readonly strictSchema?: true;
}

export const dumpCommand = new Command('dump')
  .description('device state as a tree, field by field')
  .argument('<file>', 'migration stream; - is standard input')
  .argument('[selector...]', 'globs that pick sections and fields; all are shown without one')
  .option('--offsets', 'show where each field is in the stream')
  .addOption(containerOffsetsOption())
  .option('--raw', 'show the bytes in hex beside each value')
  .option('--full', 'shorten nothing')
  .addOption(channelOption())
  .addOption(jsonOption().conflicts('ndjson'))
  .addOption(offsetOption())
  .addOption(fullScanOption())
  .option('--ndjson', 'print one JSON line for each node, in stream order')
  .addOption(
    new Option('--analyze-migration', "print what QEMU's scripts/analyze-migration.py prints").conflicts([
      'json',
      'ndjson',
    ]),
  )
  .addOption(
    new Option('-d, --dump <what>', 'with --analyze-migration: what to print').choices([
      'state',
      'desc',
    ] as const),
  )
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addOption(strictOption())
  .addOption(strictSchemaOption())
  .addHelpText(
    'after',
    `
A selector is a glob over section/field/field[index]: * matches within one name, ** anything, ? one character. It may
begin at any part of a section's name, and NAME@N is the section with instance id N.

Examples:
  vmwalk dump vm.qevm
  vmwalk dump vm.qevm 'cpu*'                    sections by name
  vmwalk dump vm.qevm virtio-net                the same as '*/virtio-net'
  vmwalk dump vm.qevm 'cpu@1/env.regs[*]'       fields of the second CPU
  vmwalk dump --ndjson vm.qevm | jq -r 'select(.type == "timer") | [.section, .value] | @tsv'
  vmwalk dump --analyze-migration -d desc vm.qevm
  vmwalk dump --qemu /usr/bin/qemu-system-x86_64 no-vmdesc.qevm`,
  )
  .action(async (file, selectors, options) => {
    if (options.dump && !options.analyzeMigration) throw new Error('-d belongs to --analyze-migration');
    const selection = compileSelectors(selectors);
    const use = async (vm: Vm) => {
      if (options.analyzeMigration) {
        enforceStrict(options.strict, vm.diagnostics);
        await analyze(vm, options.dump ?? 'state');
      } else await dump(vm, selection, options);
    };
    const openOptions = { ...(await openKnowledge(options)), ...skipRam(options) };
    await withVm(file, use, openOptions, options);
  });

async function analyze(vm: Vm, what: 'state' | 'desc'): Promise<void> {
  const output = new Output();
  if (what === 'desc') {
    const text = await analyzeMigrationDesc(vm);
    if (text !== undefined) await output.write(text);
  } else {
    for await (const text of analyzeMigrationState(vm)) await output.write(text);
  }
  await output.flush();
  finish(vm, vm.diagnostics);
}

async function dump(vm: Vm, selection: Selection | undefined, options: DumpOptions): Promise<void> {
  const output = new Output();
  const diagnostics = new DiagnosticList(vm.diagnostics);
  const { redacted } = vm.sender ?? {};
  const text = {
    ...(redacted ? { redacted: new SortedRanges(redacted) } : {}),
    style: styleFor(process.stdout),
    width: terminalWidth(),
    offsets: options.offsets ?? options.containerOffsets ?? false,
    raw: options.raw ?? false,
    full: options.full ?? false,
  };
  let shown = 0;
  if (options.json) await output.write('[');
  const stop = options.strict ? firstErrorOffset(vm.diagnostics) : Number.POSITIVE_INFINITY;
  for await (const layout of vm.layouts()) {
    if (layout.root.start > stop) break;
    const places = options.containerOffsets ? await fileOffsets(vm.source, layout.root) : undefined;
    if (options.ndjson) {
      for (const { node, path } of selectNodes(layout, selection)) {
        for (const piece of ndjsonLine(layout, node, path, places)) {
          // To await what is undefined would take as long as the line.
          const full = output.write(piece);
          if (full) await full;
        }
        shown++;
      }
    } else {
      const pruned = pruneLayout(layout, selection);
      if (pruned && options.json) {
        await output.write(shown === 0 ? '\n' : ',\n');
        await output.writeAll(layoutJson(pruned, places));
      } else if (pruned) {
        for (const line of dumpText(pruned, { ...text, fileOffsets: places })) {
          const full = output.row(line);
          if (full) await full;
        }
      }
      if (pruned) shown++;
    }
    const problems = judge(options.strictSchema, layout.diagnostics);
    diagnostics.addAll(problems);
    if (options.strict && hasErrors(problems)) break;
  }
  if (options.json) await output.line('\n]');
  await output.flush();
  finish(vm, diagnostics.list());
  if (!selection) return;
  await reportUnmatched([vm], selection.unmatched());
  if (shown === 0) process.exitCode = EXIT_TROUBLE;
}

/** Where the first error of the framing is; the beginning when one has no place. */
function firstErrorOffset(diagnostics: readonly Diagnostic[]): number {
  return diagnostics.reduce(
    (first, { severity, range }) => (severity === 'error' ? Math.min(first, range?.start ?? 0) : first),
    Number.POSITIVE_INFINITY,
  );
}

function finish(vm: Vm, diagnostics: readonly Diagnostic[]): void {
  printDiagnostics(vm.source.name, diagnostics);
  if (hasErrors(diagnostics)) process.exitCode = EXIT_DATA;
}
