import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { editRefused } from '../bytes/diagnostic.ts';
import { printable } from '../bytes/printable.ts';
import { type Edit, planEdits } from '../edit/edit.ts';
import { patchInPlace, revertInPlace } from '../node/edit-in-place.ts';
import { splitSelector } from '../node/open-input.ts';
import { openVm } from '../node/open-vm.ts';
import { checkOutput } from '../node/output.ts';
import { readValueFile } from '../node/value-file.ts';
import { dryRunOption, forceEditOption, vmdescOption, writePlan } from './edit-options.ts';
import { withVm } from './input.ts';
import {
  collect,
  fullScanOption,
  noBlobOption,
  offsetOption,
  openKnowledge,
  qemuOption,
  schemaOption,
  skipRam,
} from './options.ts';
import { printDiagnostics, say } from './output.ts';

/** An option's two sides; the value may have further `=`. */
function sides(text: string, what: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError(`${what} is expected`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Options of one kind keep their order among those of the others. */
function collectSides(what: string) {
  return (text: string, before: readonly [string, string][] | undefined): [string, string][] => [
    ...(before ?? []),
    sides(text, what),
  ];
}

export const editCommand = new Command('edit')
  .description('change fields of the device state, drop, copy and rename parts of it')
  .argument('<file>', 'migration stream; - is standard input')
  .option('-o, --output <file>', 'file to write, which must not exist')
  .option(
    '--set <selector=value>',
    'give fields a value; may be repeated, as those below',
    collectSides('SELECTOR=VALUE'),
  )
  .option(
    '--resize <array=n>',
    'give an array N elements or a buffer N bytes; its counter follows',
    collectSides('ARRAY=N'),
  )
  .option(
    '--drop <selector>',
    'take out a section, a subsection, an element, or a command by its name',
    collect,
  )
  .option('--copy <selector>', 'take a section, a subsection or a field from the stream of --from', collect)
  .option('--from <file>', 'stream or profile that --copy takes from')
  .option('--rename <idstr=idstr>', 'give a section another idstr', collectSides('IDSTR=IDSTR'))
  .option('--machine-type <name>', 'say another machine type')
  .option('--in-place', 'change the file itself, or the image that the stream is in, where all sizes stay')
  .option('--undo-file <file>', 'with --in-place: what was there before; FILE.undo without this')
  .option('--revert <undo-file>', 'bring back what --in-place has changed')
  .addOption(dryRunOption())
  .addOption(vmdescOption())
  .addOption(forceEditOption())
  .addOption(offsetOption())
  .addOption(fullScanOption())
  .addOption(qemuOption())
  .addOption(schemaOption())
  .addOption(noBlobOption())
  .addHelpText(
    'after',
    `
A selector is that of vmwalk dump. A value is an integer (decimal or 0x…), true or false, names of flags as dump shows
them, bytes in hex digits or as 52:54:00:12:34:56, or @FILE for the bytes of a file. All that is set is set first.

Exit status: 0 written, 1 refused without --force, 2 wrong input or I/O.

Examples:
  vmwalk edit vm.qevm --set 'cpu@0/env.eip=0xfff0' -o set.qevm
  vmwalk edit vm.qevm --set 'virtio-net/**/mac=52:54:00:12:34:56' --dry-run
  vmwalk edit vm.qevm --drop 'virtio-net/**/virtio/64bit_features' -o dropped.qevm
  vmwalk edit here.qevm --copy mc146818rtc --from there.profile -o copied.qevm
  vmwalk edit vm.qevm --machine-type pc-q35-7.2 --vmdesc drop -o older.qevm`,
  )
  .action(async (file, options, command) => {
    const {
      output,
      set = [],
      resize = [],
      drop = [],
      copy = [],
      from,
      rename = [],
      machineType,
      inPlace,
      undoFile,
      revert,
      ...others
    } = options;
    const { dryRun, vmdesc, force, offset, fullScan, ...knowledge } = others;
    if (revert !== undefined) {
      if (Object.keys(options).length > 1 + Number(others.blob)) command.error('error: --revert goes alone');
      await revertInPlace(file, revert);
      say(`${file}: as it was before`);
      return;
    }
    const targets = [output, inPlace, dryRun].filter((each) => each !== undefined);
    if (targets.length !== 1)
      command.error('error: one of -o, --in-place and --dry-run says what is to be done');
    if (copy.length > 0 !== (from !== undefined)) command.error('error: --copy and --from go together');
    if (output !== undefined) checkOutput(output, 'keep');
    if (inPlace && file === '-') command.error('error: --in-place needs a file, which standard input is not');
    const edits: Edit[] = [];
    for (const [selector, value] of set) {
      const isFile = value.startsWith('@');
      edits.push({ edit: 'set', selector, value: isFile ? readValueFile(value.slice(1)) : value });
    }
    for (const [selector, count] of resize) {
      if (!/^\d{1,9}$/.test(count)) throw new Error(`${printable(count)} is no number of elements`);
      edits.push({ edit: 'resize', selector, count: Number(count) });
    }
    edits.push(...drop.map((selector): Edit => ({ edit: 'drop', selector })));
    const other = from === undefined ? undefined : await openVm(from, skipRam({}));
    try {
      if (other) edits.push(...copy.map((selector): Edit => ({ edit: 'copy', selector, from: other })));
      edits.push(...rename.map(([old, idstr]): Edit => ({ edit: 'rename', from: old, to: idstr })));
      if (machineType !== undefined) edits.push({ edit: 'machine-type', name: machineType });
      if (edits.length === 0 && vmdesc === undefined) command.error('error: nothing is to be changed');
      const openOptions = { ...(await openKnowledge(knowledge)), ...skipRam({ fullScan, offset }) };
      await withVm(
        file,
        async (vm) => {
          printDiagnostics(vm.source.name, vm.diagnostics);
          const plan = await planEdits(vm, edits, { force });
          const { patches } = await writePlan(
            vm,
            plan,
            { output, vmdesc, force, dryRun, file: offset ? undefined : file },
            openOptions,
          );
          if (!inPlace) return;
          if (!patches) throw editRefused('a change of sizes is not made in place: -o writes another file');
          const { path } = await splitSelector(file);
          const undo = undoFile ?? `${path}.undo`;
          await patchInPlace(path, vm.source, patches, undo);
          say(`${path}: changed in place; ${undo} has what was there before`);
        },
        openOptions,
        { offset },
      );
    } finally {
      await other?.close();
    }
  });
