import { Command, Option } from '@commander-js/extra-typings';
import { DecodeError, printable } from '../bytes/diagnostic.ts';
import type { CheckReport } from '../check/finding.ts';
import { checkHeader } from '../check/header.ts';
import { parseCapability, parseParameter } from '../check/migration-settings.ts';
import { checkDestinations, type NamedDestination, toDestination } from '../check/preflight.ts';
import type { OpenOptions } from '../layout/open.ts';
import { nodeMemory } from '../node/node-memory.ts';
import { type OpenedDestination, openDestination } from '../node/open-destination.ts';
import { packageVersion } from '../node/package-version.ts';
import { checkJunit } from '../render/check-junit.ts';
import { checkSarif } from '../render/check-sarif.ts';
import { checkGrid, checkTable, checkText } from '../render/check-text.ts';
import { checkStatus } from './check-status.ts';
import { withInput, withVm } from './input.ts';
import { bisectOption, channelOption, collect, jsonOption, openKnowledge, spoolOption } from './options.ts';
import { EXIT_TROUBLE, Output, say, styleFor, toJson } from './output.ts';
import { orTrouble, troubleText } from './trouble.ts';

export const checkCommand = new Command('check')
  .description('would a destination accept the stream? and if not, which field says no')
  .argument('<stream...>', 'migration streams, snapshots or save images; - is standard input')
  .option(
    '--profile <file>',
    'the destination VM: what "vmwalk profile" wrote of it, or any stream of such a VM; repeatable: each stream with each',
    collect,
  )
  .addOption(new Option('--qemu <binary>', "the destination's QEMU; it is not run").conflicts('schema'))
  .option(
    '--schema <file>',
    'the same from a file that "vmwalk schema extract" wrote, or a built-in schema such as 10.0-x86_64',
  )
  .addOption(
    new Option('--source-qemu <binary>', 'the QEMU that wrote the stream, where it has no vmdesc').conflicts(
      'sourceSchema',
    ),
  )
  .option('--source-schema <file>', 'the same from a schema file')
  .option(
    '--capability <name=on|off>',
    'a migration capability that is set at the destination for this load; can be repeated',
    collect,
  )
  .option('--parameter <name=value>', 'a migration parameter likewise', collect)
  .addOption(channelOption())
  .addOption(spoolOption())
  .option('--notes', 'show also what does not keep the stream from being loaded')
  .addOption(bisectOption())
  .addOption(jsonOption().conflicts(['junit', 'sarif']))
  .addOption(new Option('--junit', 'print JUnit XML').conflicts('sarif'))
  .option('--sarif', 'print SARIF 2.1.0')
  .addHelpText(
    'after',
    `
Nothing is run or loaded: the bytes are walked as the destination's QEMU would. A device's own code can still refuse
what it is given, so that the best verdict is "no blocker found". Of several streams there is a table, the worst first.

A profile is a stream, too: of what its command line saves when it is started. With several on both sides each pair of
command lines has a place in a grid.

Exit status: 0 no blocker found, 1 will be rejected, 3 cannot tell, 2 usage or I/O; of several streams 2 if one cannot
be read, else 1, else 3.

Examples:
  vmwalk profile -o there.profile -- qemu-system-x86_64 -machine pc-q35-7.2 -m 4G …
  vmwalk check guest.qevm --profile there.profile
  vmwalk check guest.qevm --profile paused-on-the-other-host.qevm
  vmwalk check guest.qevm --qemu /usr/bin/qemu-system-x86_64
  vmwalk check guest.qevm --schema 10.0-x86_64     Debian's QEMU, which need not be installed
  vmwalk check guest.qevm --profile there.profile --capability postcopy-ram=on
  vmwalk check guest.qevm --profile there.profile --capability multifd=on --parameter multifd-channels=4 --channel 'guest.ch*'
  vmwalk check disk.qcow2#before-upgrade --profile there.profile --notes
  vmwalk check old/*.profile --profile new-a.profile --profile new-b.profile
  vmwalk check --junit saved/*.qevm --profile there.profile > report.xml
  vmwalk explain unknown-section`,
  )
  .action(async (files, options, command) => {
    const { profile: profiles = [], qemu, schema = qemu } = options;
    if (profiles.length === 0 && schema === undefined) {
      command.error('error: --profile, --qemu or --schema says what the destination is');
    }
    const settings = <T>(
      option: string,
      texts: readonly string[],
      parse: (text: string) => readonly [string, T],
    ) =>
      Object.fromEntries(
        texts.map((text) => {
          try {
            return parse(text);
          } catch (error) {
            const { message } = error as Error;
            return command.error(
              `error: option '${option}' argument '${printable(text)}' is invalid: ${message}`,
            );
          }
        }),
      );
    const capabilities = settings('--capability', options.capability ?? [], parseCapability);
    const parameters = settings('--parameter', options.parameter ?? [], parseParameter);
    await orTrouble(async () => {
      const source: OpenOptions = {
        ...(await openKnowledge({ qemu: options.sourceQemu, schema: options.sourceSchema, blob: true })),
        memory: nodeMemory(options.spool),
      };
      const destinations: (OpenedDestination & NamedDestination)[] = [];
      const reports: CheckReport[] = [];
      let unread = 0;
      try {
        for (const profile of profiles.length === 0 ? [undefined] : profiles) {
          const opened = await openDestination({ schema, profile, capabilities, parameters });
          const name = profiles.length > 1 ? profile : undefined;
          destinations.push({ ...opened, name });
          for (const remark of opened.remarks)
            say(`destination${name === undefined ? '' : ` ${name}`}: ${remark}`);
        }
        for (const file of files) {
          try {
            for (const report of await checkFile(file, destinations, source, options.channel))
              reports.push(report);
          } catch (error) {
            if (!(error instanceof DecodeError)) throw error;
            const reason = troubleText(error);
            say(reason, 'error');
            unread++;
            // Beside others it must not be missing.
            const isOneOfMany = files.length * destinations.length > 1;
            if (isOneOfMany || options.json || options.junit || options.sarif)
              for (const { name } of destinations)
                reports.push(
                  toDestination({ name: file, verdict: 'cannot tell', reason, findings: [] }, name),
                );
          }
        }
      } finally {
        for (const { close } of destinations) await close();
      }
      // Before it is printed: who reads may stop.
      process.exitCode = unread > 0 ? EXIT_TROUBLE : checkStatus(reports);
      await print(reports, options);
    });
  });

/** What each destination would make of a stream. */
async function checkFile(
  file: string,
  destinations: readonly NamedDestination[],
  source: OpenOptions,
  channel: readonly string[] | undefined,
): Promise<readonly CheckReport[]> {
  try {
    return await withVm(file, (vm) => checkDestinations(vm, destinations), source, { channel });
  } catch (error) {
    if (!(error instanceof DecodeError) || error.code !== 'not-a-stream' || file === '-') throw error;
    const damaged = await withInput(file, {}, (input) => checkHeader(input.source));
    if (!damaged) throw error;
    return destinations.map(({ name }) => toDestination(damaged, name));
  }
}

interface PrintOptions {
  readonly json?: true | undefined;
  readonly junit?: true | undefined;
  readonly sarif?: true | undefined;
  readonly notes?: true | undefined;
}

async function print(reports: readonly CheckReport[], options: PrintOptions): Promise<void> {
  const output = new Output();
  const [only] = reports;
  if (options.json) await output.line(toJson(reports));
  else if (options.junit) await output.line(checkJunit(reports));
  else if (options.sarif) await output.line(toJson(checkSarif(reports, packageVersion())));
  else if (only && reports.length === 1) {
    const style = styleFor(process.stdout);
    for (const line of checkText(only, { style, notes: options.notes ?? false })) await output.row(line);
  } else if (only?.destination !== undefined) for (const line of checkGrid(reports)) await output.row(line);
  else if (reports.length > 0) for (const line of checkTable(reports)) await output.row(line);
  await output.flush();
}
