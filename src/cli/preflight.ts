import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Command, Option } from '@commander-js/extra-typings';
import { appendTo } from '../bytes/append-to.ts';
import { DecodeError } from '../bytes/diagnostic.ts';
import type { CheckReport } from '../check/finding.ts';
import { markKnown, serializeKnown } from '../check/known-blockers.ts';
import { bestFirst, checkDestinations, toDestination } from '../check/preflight.ts';
import { readKnownBlockers } from '../node/baseline-file.ts';
import { activeDomains } from '../node/libvirt-domains.ts';
import { nodeMemory } from '../node/node-memory.ts';
import { openCapture } from '../node/open-capture.ts';
import { type OpenedDestination, openDestination } from '../node/open-destination.ts';
import type { RunningVmAddress } from '../node/open-running.ts';
import { writeOutput } from '../node/output.ts';
import { packageVersion } from '../node/package-version.ts';
import { takeCapture } from '../node/take-capture.ts';
import { checkGithub, checkGitlab } from '../render/check-annotations.ts';
import { checkJunit } from '../render/check-junit.ts';
import { checkSarif } from '../render/check-sarif.ts';
import { preflightText } from '../render/preflight-text.ts';
import { checkStatus } from './check-status.ts';
import { withVm } from './input.ts';
import { collect, jsonOption, spoolOption } from './options.ts';
import { EXIT_TROUBLE, Output, say, styleFor, toJson } from './output.ts';
import {
  adviseForce,
  auditOption,
  connectOption,
  forceOption,
  ringsOption,
  stepLimitOption,
  viaOption,
} from './running-options.ts';
import { orTrouble, troubleText } from './trouble.ts';

/** How names of profiles end. */
const PROFILE_NAME = '.profile';

export const preflightCommand = new Command('preflight')
  .description('where could VMs go? those that run, or whose streams there are, against destinations')
  .argument('[stream...]', 'captures, migration streams, snapshots or save images')
  .option('--qmp <socket>', 'a VM that runs: its monitor, as of vmwalk capture; can be repeated', collect)
  .option('--libvirt <domain>', 'a domain of libvirt; can be repeated', collect)
  .option('--libvirt-all', 'all domains that run or are paused')
  .addOption(connectOption())
  .addOption(viaOption())
  .addOption(forceOption())
  .addOption(ringsOption())
  .addOption(auditOption())
  .addOption(stepLimitOption())
  .option('--profile <file>', 'a destination: what "vmwalk profile" wrote of it; can be repeated', collect)
  .option('--profiles <folder>', `all files of a folder whose names end in ${PROFILE_NAME}`)
  .option('--any', 'a VM counts by its best destination')
  .option('--notes', 'show also what does not keep a VM from being loaded')
  .option('--baseline <file>', 'what is in it is known: it is no failure')
  .option(
    '--write-baseline <file>',
    'write all that is in the way to a file for --baseline; one that exists is replaced',
  )
  .addOption(spoolOption())
  .addOption(jsonOption().conflicts(['junit', 'sarif', 'github', 'gitlab']))
  .addOption(new Option('--junit', 'print JUnit XML').conflicts(['sarif', 'github', 'gitlab']))
  .addOption(new Option('--sarif', 'print SARIF 2.1.0').conflicts(['github', 'gitlab']))
  .addOption(new Option('--github', "print annotations for GitHub's runners").conflicts('gitlab'))
  .option('--gitlab', "print GitLab's Code Quality report")
  .addHelpText(
    'after',
    `
A VM that runs is captured (vmwalk capture --help says how, and when it is refused), of which no file is kept; nothing is
loaded anywhere. Of one VM there is a line for each destination, the best first, then the findings; of several a grid.

With --rings it is looked, in the guest's memory, how far the guest is with virtqueues: two bytes of each ring. Of a VM
that runs that can be told only of queues that the device does not go on with meanwhile.

Exit status: 0 no blocker found, 1 one will be rejected, 3 cannot tell, 2 usage or I/O, or a VM that could not be
captured. With --any each VM counts by its best destination; with --baseline what is known does not count.

Examples:
  vmwalk preflight --qmp /run/vm.qmp --profile new-host.profile --profile old-host.profile
  vmwalk preflight --qmp /run/vm.qmp --rings --profiles hosts
  vmwalk preflight --libvirt-all --profiles hosts --any
  vmwalk preflight captures/*.state --profiles hosts
  vmwalk preflight captures/*.state --profiles hosts --baseline known.json --junit > preflight.xml`,
  )
  .action(async (files, options, command) => {
    const profiles = [...(options.profile ?? []), ...profilesOf(options.profiles)];
    if (profiles.length === 0) command.error('error: --profile or --profiles says what the destinations are');
    const { qmp = [], libvirt = [], libvirtAll = false, connect, via, force, audit, rings } = options;
    if (files.length + qmp.length + libvirt.length === 0 && !libvirtAll)
      command.error('error: a stream, or a VM that runs, is expected');
    if (rings && qmp.length + libvirt.length === 0 && !libvirtAll)
      command.error('error: --rings reads memory of a VM that runs: --qmp or --libvirt says which');
    const timeout = options.timeout * 1000;
    await orTrouble(async () => {
      const known = options.baseline === undefined ? undefined : await readKnownBlockers(options.baseline);
      const names = namesOf(profiles);
      const destinations: (OpenedDestination & { readonly name: string })[] = [];
      const found: CheckReport[] = [];
      let unread = 0;
      const add = async (name: string, check: () => Promise<readonly CheckReport[]>) => {
        const reports = await check().catch((error: Error) => {
          const reason = error instanceof DecodeError ? troubleText(error) : error.message;
          say(reason, 'error');
          unread++;
          const report: CheckReport = { name, verdict: 'cannot tell', reason, isUnread: true, findings: [] };
          return destinations.map((each) => toDestination(report, each.name));
        });
        for (const report of reports) found.push(known ? markKnown(report, known) : report);
      };
      const addRunning = (name: string, address: RunningVmAddress) =>
        add(name, async () => {
          const captured = await takeCapture(
            { ...address, timeout },
            { force, audit, rings, onWarning: (message) => say(message, 'warning') },
          ).catch(adviseForce);
          if (!captured) throw new Error(`${name}: it was not captured`);
          return checkDestinations(await openCapture(captured.profile, name), destinations);
        });
      try {
        for (const [i, profile] of profiles.entries()) {
          const opened = await openDestination({ profile });
          destinations.push({ ...opened, name: names[i] ?? profile });
          for (const remark of opened.remarks) say(`destination ${profile}: ${remark}`);
        }
        const memory = nodeMemory(options.spool);
        for (const file of files)
          await add(file, async () => {
            if (statSync(file, { throwIfNoEntry: false })?.isSocket())
              throw new Error(`${file} is a socket: --qmp takes it`);
            return withVm(file, (vm) => checkDestinations(vm, destinations), { memory });
          });
        const domains = libvirtAll ? await activeDomains({ connect, via, timeout }) : [];
        for (const socket of qmp) await addRunning(socket, { qmp: socket });
        for (const domain of new Set([...libvirt, ...domains]))
          await addRunning(domain, { libvirt: domain, connect, via });
      } finally {
        for (const { close } of destinations) await close();
      }
      if (options.writeBaseline !== undefined)
        await writeOutput(options.writeBaseline, [serializeKnown(found)], 'replace');
      // Before it is printed: who reads may stop.
      process.exitCode = unread > 0 ? EXIT_TROUBLE : checkStatus(options.any ? bestOfEach(found) : found);
      await print(found, options);
    });
  });

function profilesOf(folder: string | undefined): string[] {
  if (folder === undefined) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith(PROFILE_NAME));
  if (names.length === 0) throw new Error(`${folder} has no files *${PROFILE_NAME}`);
  return names.sort().map((name) => join(folder, name));
}

/** What destinations are called: the names of their files, or the whole paths where only those tell them apart. */
function namesOf(files: readonly string[]): readonly string[] {
  const short = files.map((file) => basename(file, PROFILE_NAME));
  return new Set(short).size === files.length ? short : files;
}

function bestOfEach(reports: readonly CheckReport[]): CheckReport[] {
  const byName = new Map<string, CheckReport[]>();
  for (const report of reports) appendTo(byName, report.name, report);
  return [...byName.values()].flatMap((of) => bestFirst(of).slice(0, 1));
}

interface PrintOptions {
  readonly json?: true | undefined;
  readonly junit?: true | undefined;
  readonly sarif?: true | undefined;
  readonly github?: true | undefined;
  readonly gitlab?: true | undefined;
  readonly notes?: true | undefined;
}

async function print(reports: readonly CheckReport[], options: PrintOptions): Promise<void> {
  const output = new Output();
  const { notes = false } = options;
  if (options.json) await output.line(toJson(reports));
  else if (options.junit) await output.line(checkJunit(reports));
  else if (options.sarif) await output.line(toJson(checkSarif(reports, packageVersion())));
  else if (options.gitlab) await output.line(toJson(checkGitlab(reports)));
  else if (options.github) for (const line of checkGithub(reports)) await output.row(line);
  else
    for (const line of preflightText(reports, { style: styleFor(process.stdout), notes }))
      await output.row(line);
  await output.flush();
}
