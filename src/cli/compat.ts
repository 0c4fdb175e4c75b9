import { Command, Option } from '@commander-js/extra-typings';
import { type Baseline, compareToBaseline, serializeBaseline } from '../compat/baseline.ts';
import { compareMatrix, type PairCounts } from '../compat/compare-matrix.ts';
import { type CompatOptions, type CompatReport, compareSides } from '../compat/compat.ts';
import { directions } from '../compat/direction.ts';
import { type CompatRank, compatRanks } from '../compat/rules.ts';
import type { Side } from '../compat/side.ts';
import { vmsdOutlines } from '../compat/vmsd-outline.ts';
import { readBaseline } from '../node/baseline-file.ts';
import { openSide } from '../node/compat-side.ts';
import { writeOutput } from '../node/output.ts';
import { packageVersion } from '../node/package-version.ts';
import { changesOnWire, compatMail } from '../render/compat-mail.ts';
import { matrixText } from '../render/compat-matrix-text.ts';
import { compatGithub, compatGitlab, compatJunit, compatSarif } from '../render/compat-reports.ts';
import { compatText } from '../render/compat-text.ts';
import { bisectOption, collect, jsonOption, mailOption } from './options.ts';
import { EXIT_DATA, EXIT_TROUBLE, Output, say, styleFor, terminalWidth, toJson } from './output.ts';
import { orTrouble } from './trouble.ts';

const SIDE =
  'QEMU binary (not run without --run), schema file, file of -dump-vmstate, or built-in schema such as 7.2-x86_64';

export const compatCommand = new Command('compat')
  .description(
    'compare the device state of two QEMU builds: what would break when a VM migrates between them',
  )
  .argument('<old>', SIDE)
  .argument('[new...]', 'the same, of the other one; kinds may be mixed')
  .usage('[options] <old> <new>\n       vmwalk compat [options] --matrix <old...> -- <new...>')
  .addOption(
    new Option(
      '--matrix <old...>',
      'each of these with each of those behind --, where no option may stand; one table for each direction',
    ).conflicts(['baseline', 'writeBaseline', 'junit', 'sarif', 'github', 'gitlab', 'mail']),
  )
  .addOption(new Option('--direction <direction>', 'one way only; both without it').choices(directions))
  .option('--only <glob>', 'only devices (VMSD or QOM type) that match; repeatable', collect)
  .option('--ignore <glob>', 'without devices that match; repeatable', collect)
  .option(
    '--machine <type...>',
    'what VMs of these machine types have, or of those that match a glob such as "pc-q35-*"; or an alias',
  )
  .option(
    '--run',
    'start the binaries with "-M none" to ask what their machine types set (QEMU 9.1 and later)',
  )
  .option('--all', 'show cosmetic differences, too: other names and types on the same bytes')
  .addOption(
    new Option('--fail-on <rank>', 'the least rank of findings that gives exit status 1')
      .choices(compatRanks)
      .default('certain' as const),
  )
  .option('--baseline <file>', 'findings in it are known: neither shown nor counted, unless they got worse')
  .option(
    '--write-baseline <file>',
    'write what breaks, or may, to a file for --baseline; one that exists is replaced',
  )
  .addOption(mailOption())
  .addOption(bisectOption())
  .addOption(jsonOption().conflicts(['junit', 'sarif', 'github', 'gitlab']))
  .addOption(new Option('--junit', 'print JUnit XML').conflicts(['sarif', 'github', 'gitlab', 'mail']))
  .addOption(new Option('--sarif', 'print SARIF 2.1.0').conflicts(['github', 'gitlab', 'mail']))
  .addOption(new Option('--github', "print annotations for GitHub's runners").conflicts(['gitlab', 'mail']))
  .addOption(new Option('--gitlab', "print GitLab's Code Quality report").conflicts('mail'))
  .addHelpText(
    'after',
    `
What OLD would write for each device is compared with how NEW would read it, and the other way round. A finding breaks
for certain (whenever the VM has the device), or under a condition, which is shown, or is cosmetic.

Machine types set properties so that VMs of an older one have what an older QEMU sent. With --machine conditions that hang
on those are decided: a field that such a VM does not send is no break. Without it a table at the end counts, for all
machine types that both builds have, what breaks, what may, and what the machine type keeps from breaking (gated).

With --baseline only what is new counts: a finding is known by its rule, direction, VMSD and fields.

Exit status: 0 no certain break (see --fail-on), 1 some, 2 usage, I/O, or selectors that pick nothing.

Examples:
  vmwalk compat /usr/bin/qemu-system-x86_64 ./build/qemu-system-x86_64
  vmwalk compat 7.2-x86_64 10.0-x86_64 --direction old-to-new
  vmwalk compat 10.0-x86_64 ./build/qemu-system-x86_64 --machine pc-q35-9.2 pc-i440fx-9.2
  vmwalk compat 10.0-x86_64 ./build/qemu-system-x86_64 --machine 'pc-q35-*' --fail-on conditional
  vmwalk compat 10.0-x86_64 ./build/qemu-system-x86_64 --write-baseline known.json
  vmwalk compat 10.0-x86_64 ./build/qemu-system-x86_64 --baseline known.json --fail-on conditional --github
  vmwalk compat --matrix 7.2-x86_64 10.0-x86_64 -- 11.1-x86_64 ./build/qemu-system-x86_64
  vmwalk compat --mail build-master/qemu-system-x86_64 build/qemu-system-x86_64     for below --- of a patch
  vmwalk compat old-dump.json new-dump.json --only 'virtio*' --all
  vmwalk compat 7.2-aarch64 q.json.gz --json | jq -r '.findings[] | select(.rank == "certain") | .vmsd'`,
  )
  .action(async (oldName, newNames, options, command) => {
    const { machine: machines, run, failOn, only, ignore, direction, all = false } = options;
    const failing = compatRanks.slice(0, compatRanks.indexOf(failOn) + 1);
    if (options.matrix) {
      const late = [oldName, ...newNames].find((name) => name.startsWith('-'));
      if (late !== undefined)
        command.error(`error: '${late}' behind -- would be a build: options stand before it`);
      const names = [options.matrix, [oldName, ...newNames]] as const;
      const selection = { machines, only, ignore, direction };
      await printMatrix(names, selection, { run, failing, json: options.json });
      return;
    }
    const [newName, ...others] = newNames;
    if (newName === undefined) return command.error("error: missing required argument 'new'");
    if (others.length > 0)
      command.error('error: too many arguments: two builds are compared, more with --matrix');
    const { sides, report } = await orTrouble(async () => {
      const baseline = options.baseline === undefined ? undefined : await readBaseline(options.baseline);
      const opened = [await openSide(oldName, { run }), await openSide(newName, { run })] as const;
      const found = compareSides(...opened, { machines, only, ignore, direction });
      if (options.writeBaseline !== undefined)
        await writeOutput(options.writeBaseline, [serializeBaseline(found)], 'replace');
      warnOfTargets(opened);
      return { sides: opened, report: baseline ? withBaseline(found, baseline) : found };
    });
    if (report.compared + report.findings.length === 0 && (only ?? ignore)) {
      say('nothing matches --only and --ignore');
      process.exitCode = EXIT_TROUBLE;
    }
    // Before it is printed: who reads may stop.
    if (report.findings.some(({ rank, known }) => !known && failing.includes(rank)))
      process.exitCode = EXIT_DATA;
    const output = new Output();
    if (options.json) await output.line(toJson(report));
    else if (options.junit) await output.line(compatJunit(report, { failing, all }));
    else if (options.sarif) await output.line(toJson(compatSarif(report, packageVersion())));
    else if (options.gitlab) await output.line(toJson(compatGitlab(report, { all })));
    else if (options.github)
      for (const line of compatGithub(report, { failing, all })) await output.line(line);
    else if (options.mail) {
      const fresh = { ...report, findings: report.findings.filter(({ known }) => !known) };
      const names = new Set(changesOnWire(fresh).map(({ vmsd }) => vmsd));
      for (const line of compatMail(fresh, vmsdOutlines(...sides, names))) await output.line(line);
    } else {
      const view = { style: styleFor(process.stdout), width: terminalWidth(), all };
      for (const line of compatText(report, view)) await output.row(line);
    }
    await output.flush();
  });

interface MatrixOptions {
  readonly run: true | undefined;
  readonly failing: readonly CompatRank[];
  readonly json: true | undefined;
}

async function printMatrix(
  names: readonly [readonly string[], readonly string[]],
  selection: CompatOptions,
  { run, failing, json }: MatrixOptions,
): Promise<void> {
  const matrix = await orTrouble(async () => {
    const sides = new Map<string, Side>();
    for (const name of names.flat()) sides.set(name, sides.get(name) ?? (await openSide(name, { run })));
    const [olds, news] = names.map((each) => each.map((name) => sides.get(name)!));
    warnOfTargets([...sides.values()]);
    return compareMatrix(olds!, news!, selection);
  });
  const fails = (counts: PairCounts) =>
    counts.certain > 0 || (failing.includes('conditional') && counts.conditional > 0);
  const all = matrix.pairs.flatMap(({ counts, machines }) =>
    selection.machines ? machines.flatMap((machine) => machine.counts) : counts,
  );
  if (selection.machines && all.length === 0) {
    say(
      'no two of these builds have such a machine type (by its own name, no alias), and know what it sets',
      'error',
    );
    process.exitCode = EXIT_TROUBLE;
    return;
  }
  // Before it is printed: who reads may stop.
  if (all.some(fails)) process.exitCode = EXIT_DATA;
  const output = new Output();
  if (json) await output.line(toJson(matrix));
  else for (const line of matrixText(matrix, selection.machines !== undefined)) await output.row(line);
  await output.flush();
}

/** A VM of one target is none of another, whatever their devices have in common. */
function warnOfTargets(sides: readonly Side[]): void {
  const targets = [...new Set(sides.flatMap(({ facts }) => facts.target ?? []))];
  if (targets.length > 1)
    say(
      `these are QEMUs of different targets (${targets.join(', ')}): no VM migrates between them`,
      'warning',
    );
}

function withBaseline(found: CompatReport, baseline: Baseline): CompatReport {
  const { report, gone } = compareToBaseline(found, baseline);
  if (gone.length > 0)
    say(
      `${gone.length} of the baseline are gone: ${gone.slice(0, 3).join(', ')}${gone.length > 3 ? ' \u2026' : ''}`,
    );
  return report;
}
