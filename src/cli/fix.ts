import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { encodeText } from '../bytes/byte-writer.ts';
import { type RuleCode, rules } from '../check/rules.ts';
import { ALLOWED_CLASSES, type FixClass } from '../fix/change.ts';
import { type FixResult, fixStream } from '../fix/fix.ts';
import { nodeMemory } from '../node/node-memory.ts';
import { openDestination } from '../node/open-destination.ts';
import { checkOutput, fillOutput, writeFully } from '../node/output.ts';
import { packagedSchemas } from '../node/packaged-schemas.ts';
import { writeEdited } from '../node/write-edited.ts';
import { fixJson, fixText } from '../render/fix-text.ts';
import { formatSize } from '../render/size.ts';
import { checkStatus } from './check-status.ts';
import { withVm } from './input.ts';
import { jsonOption, openKnowledge, spoolOption } from './options.ts';
import { EXIT_DATA, EXIT_OK, Output, say, styleFor, toJson } from './output.ts';

/** It is not kept: it would be wrong of what was changed. */
const FIXED_VMDESCS = ['drop', 'empty', 'rebuild'] as const;

function collectAllowed(
  text: string,
  before: readonly (FixClass | RuleCode)[] | undefined,
): (FixClass | RuleCode)[] {
  const known = [...ALLOWED_CLASSES, ...Object.keys(rules)] as (FixClass | RuleCode)[];
  const found = known.find((each) => each === text);
  if (!found)
    throw new InvalidArgumentError(
      `${ALLOWED_CLASSES.join(', ')}, or a rule that "vmwalk explain" knows, is expected`,
    );
  return [...(before ?? []), found];
}

export const fixCommand = new Command('fix')
  .description('change a stream so that a destination accepts it, or say why there is no way')
  .argument('<file>', 'migration stream; - is standard input')
  .requiredOption(
    '--profile <file>',
    'the destination VM: what "vmwalk profile" wrote of it, or any stream of such a VM',
  )
  .option(
    '-o, --output <file>',
    'file to write, which must not exist; FILE.changes.json says what is other in it',
  )
  .option('--dry-run', 'write nothing, say what would be changed')
  .option(
    '--allow <class|rule>',
    'make also changes of a class (loses) or of a rule of "vmwalk check"; may be repeated',
    collectAllowed,
  )
  .option(
    '--qemu <binary>',
    "the destination's QEMU, where the profile does not have its tables; it is not run",
  )
  .option('--schema <file>', 'the same from a schema file, or a built-in schema such as 10.0-x86_64')
  .option('--source-qemu <binary>', 'the QEMU that wrote the stream, where it has no vmdesc')
  .option('--source-schema <file>', 'the same from a schema file')
  .addOption(
    new Option(
      '--vmdesc <mode>',
      'what comes of the vmdesc; made anew for what has changed without this',
    ).choices(FIXED_VMDESCS),
  )
  .addOption(spoolOption())
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
Each change has a class: "harmless" takes nothing from the guest and is always made; "loses" drops state, or puts the
destination's in the place of what the source does not have, and says which; "refuse" takes away what a guest may rely
on, and is made only where its rule is allowed by name. So is a change in whose place a setting of the destination's
command line does it: the setting is told.

Exit status: 0 written, 1 changes are needed that are not allowed, or nothing helps, 2 wrong input or I/O, 3 cannot tell.

Examples:
  vmwalk profile -o there.profile -- qemu-system-x86_64 -machine pc-q35-7.2 -m 4G …
  vmwalk fix guest.qevm --profile there.profile --dry-run
  vmwalk fix guest.qevm --profile there.profile --allow loses -o fixed.qevm
  vmwalk fix guest.qevm --profile there.profile --allow unknown-section -o fixed.qevm`,
  )
  .action(async (file, options, command) => {
    const { profile, output, dryRun, allow, vmdesc, qemu, schema = qemu, json } = options;
    if ((output === undefined) === (dryRun === undefined))
      command.error('error: either -o or --dry-run says what is to be done');
    const changesFile = output === undefined ? undefined : `${output}.changes.json`;
    // There are two files: neither can be a pipe.
    for (const path of [output, changesFile]) if (path !== undefined) checkOutput(path, 'keep', true);
    const source = await openKnowledge({
      qemu: options.sourceQemu,
      schema: options.sourceSchema,
      blob: true,
    });
    const openOptions = { ...source, memory: nodeMemory(options.spool) };
    const opened = await openDestination({ schema, profile });
    try {
      for (const remark of opened.remarks) say(`destination: ${remark}`);
      await withVm(
        file,
        async (vm) => {
          const open = { schemas: packagedSchemas, ...openOptions };
          const result = await fixStream(vm, opened.destination, { allow, vmdesc, open });
          process.exitCode = fixStatus(result);
          if (output !== undefined && changesFile !== undefined && result.source) {
            const { source } = result;
            // Both get their names when both are whole.
            const size = await fillOutput(changesFile, 'keep', ({ fd }) => {
              writeFully(fd, encodeText(`${toJson(fixJson(result))}\n`));
              return writeEdited(output, vm, { source }, file === '-' ? undefined : file);
            });
            say(`${output}: ${formatSize(size)}; ${changesFile} says what is other in it`);
          }
          const out = new Output();
          if (json) await out.line(toJson(fixJson(result)));
          else for (const line of fixText(result, { style: styleFor(process.stdout) })) await out.row(line);
          await out.flush();
        },
        openOptions,
      );
    } finally {
      await opened.close();
    }
  });

/** 1 where changes are not allowed or do not help; else what `check` has for the stream with them. */
function fixStatus({ report, refused }: FixResult): number {
  const status = checkStatus([report]);
  return status === EXIT_OK && refused.length > 0 ? EXIT_DATA : status;
}
