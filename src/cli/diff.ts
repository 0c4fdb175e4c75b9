import { Command, Option } from '@commander-js/extra-typings';
import { type Diagnostic, printable } from '../bytes/diagnostic.ts';
import { type FinishedSource, memorySource } from '../bytes/source.ts';
import { SchemaTables } from '../layout/tables.ts';
import { hashPages, type PageHashes } from '../memory/page-hashes.ts';
import { nodeMemory } from '../node/node-memory.ts';
import { packagedSchemas } from '../node/packaged-schemas.ts';
import type { VmInput, VmPlace } from '../node/vm-input.ts';
import { diffStreams } from '../ops/diff.ts';
import type { StreamDiff } from '../ops/diff-result.ts';
import { volatileFields, volatileTypes } from '../ops/volatile-fields.ts';
import { diffJson } from '../render/diff-json.ts';
import { diffMail } from '../render/diff-mail.ts';
import { diffText, WIDE } from '../render/diff-text.ts';
import { openVm, type Vm, type VmOptions } from '../vm/vm.ts';
import { progressLine, sayChoice, withInput } from './input.ts';
import {
  bisectOption,
  collect,
  fullScanOption,
  jsonOption,
  type KnowledgeOptions,
  mailOption,
  noBlobOption,
  openKnowledge,
  parseOffset,
  qemuOption,
  qemuWords,
  schemaOption,
  skipRam,
  splitWords,
  spoolOption,
} from './options.ts';
import {
  EXIT_OK,
  EXIT_TROUBLE,
  hasErrors,
  Output,
  printDiagnostics,
  say,
  styleFor,
  terminalWidth,
  toJson,
} from './output.ts';
import { orTrouble } from './trouble.ts';
import { reportUnmatched } from './unmatched.ts';

/** The streams differ. */
const EXIT_DIFFERENT = 1;

const sides = ['a', 'b'] as const;
type Side = (typeof sides)[number];

export const diffCommand = new Command('diff')
  .description('how two streams differ, field by field')
  .argument('<a>', 'migration stream; - is standard input; with --run a QEMU, with what starts it in front')
  .argument('<b>', 'the other one')
  .option('--structure', 'compare what is sent, not the values: versions, subsections, fields, types, sizes')
  .addOption(
    new Option(
      '--run <options>',
      'of two QEMUs in place of streams: what they send for this command line, "q35 -device e1000e"; no guest code runs',
    )
      .implies({ structure: true })
      .conflicts(['ram', 'qemu', 'qemuA', 'qemuB', 'schema', 'schemaA', 'schemaB', 'channelA', 'channelB']),
  )
  .option('--ram', 'compare RAM, too, page by page')
  .option('--only <selector>', 'compare only what this picks; repeatable', collect)
  .option('--ignore <selector>', 'do not compare what this picks; repeatable', collect)
  .option('--ignore-volatile', 'do not compare clocks, timers and counters; which, is printed')
  .addOption(
    new Option(
      '--side-by-side <when>',
      `a column for each side; auto: on a terminal of ${WIDE} columns or more`,
    )
      .choices(['auto', 'always', 'never'] as const)
      .default('auto' as const),
  )
  .option('--full', 'shorten nothing')
  .addOption(mailOption())
  .addOption(bisectOption())
  .addOption(jsonOption())
  .addOption(qemuOption().conflicts(['qemuA', 'qemuB', 'schemaA', 'schemaB']))
  .addOption(schemaOption().conflicts(['qemuA', 'qemuB', 'schemaA', 'schemaB']))
  .addOption(new Option('--qemu-a <binary>', 'the same for A only').conflicts('schemaA'))
  .addOption(new Option('--qemu-b <binary>', 'the same for B only').conflicts('schemaB'))
  .option('--schema-a <file>', 'the same for A only')
  .option('--schema-b <file>', 'the same for B only')
  .addOption(noBlobOption())
  .option('--no-blob-a', 'the same for A only')
  .option('--no-blob-b', 'the same for B only')
  .option('--channel-a <file...>', 'further connections of the migration A, or a pattern, for --ram')
  .option('--channel-b <file...>', 'the same of B')
  .addOption(new Option('--offset-a <bytes>', 'where in A the stream begins').argParser(parseOffset))
  .addOption(new Option('--offset-b <bytes>', 'where in B the stream begins').argParser(parseOffset))
  .addOption(spoolOption())
  .addOption(fullScanOption())
  .addHelpText(
    'after',
    `
A and B are what dump takes: streams, save images, compressed ones, snapshots. Sections belong together by name and
instance id, fields by name, elements of lists by what they hold. Selectors are those of dump.

+ only in B   - only in A   ~ another value   ! another form: type, size, length, version, name or place

Exit status: 0 no difference, 1 differences, 2 usage, I/O, or a damaged stream (what can be decoded is compared).

Examples:
  vmwalk diff before.qevm after.qevm --ignore-volatile
  vmwalk diff --structure qemu-7.2.qevm qemu-10.0.qevm     what one sends that the other does not
  vmwalk diff --structure --run 'q35 -device e1000e' build-master/qemu-system-x86_64 build/qemu-system-x86_64 --mail
  vmwalk diff disk.qcow2#monday disk.qcow2#tuesday --ram
  vmwalk diff a.qevm b.qevm --only 'cpu*' --ignore '**/tsc'
  vmwalk diff a.qevm b.qevm --json | jq -r '.sections[].section'`,
  )
  .action(async (fileA, fileB, options) => {
    if (fileA === '-' && fileB === '-') throw new Error('only one of the streams can be standard input');
    if (options.run !== undefined) {
      await orTrouble(async () => {
        const [a, b] = [await capture(fileA, options.run!), await capture(fileB, options.run!)];
        await show(a, b, options);
      });
      return;
    }
    const { qemu, schema, blob, fullScan, ram, spool } = options;
    const of = (side: Side): SideOptions => ({
      knowledge: {
        qemu: (side === 'a' ? options.qemuA : options.qemuB) ?? qemu,
        schema: (side === 'a' ? options.schemaA : options.schemaB) ?? schema,
        blob: blob && (side === 'a' ? options.blobA : options.blobB),
      },
      place: {
        channel: side === 'a' ? options.channelA : options.channelB,
        offset: side === 'a' ? options.offsetA : options.offsetB,
      },
      fullScan,
      ram,
      spool,
    });
    await orTrouble(() =>
      withInput(fileA, of('a').place, (a) =>
        withInput(fileB, of('b').place, async (b) => {
          await refuseSchemas(a.source, b.source);
          const openedA = await open(a, of('a'));
          const openedB = await open(b, of('b'));
          await show(openedA, openedB, options);
        }),
      ),
    );
  });

interface SideOptions {
  readonly knowledge: KnowledgeOptions;
  readonly place: VmPlace;
  readonly fullScan: true | undefined;
  readonly ram: true | undefined;
  readonly spool: string | undefined;
}

interface Opened {
  readonly vm: Vm;
  readonly pages?: PageHashes;
  /** What a mail calls it. */
  readonly title?: string;
}

/** What a QEMU sends for a command line, of which the first word may be a machine type. */
async function capture(qemu: string, text: string): Promise<Opened> {
  const [first = '', ...rest] = splitWords(text);
  const args = first === '' || first.startsWith('-') ? [first, ...rest] : ['-M', first, ...rest];
  const { captureProfile } = await import('../node/capture-profile.ts');
  const { QemuEnded } = await import('../node/start-qemu.ts');
  const command = [...qemuWords(qemu), ...args.filter((word) => word !== '')];
  const { profile, removed } = await captureProfile(command).catch((error) => {
    if (error instanceof QemuEnded)
      for (const line of error.lines) process.stderr.write(`${printable(line)}\n`);
    throw error;
  });
  for (const option of removed) say(`left out ${option}`);
  const { qemu: version, machineType, schema, stream } = profile;
  const tables = schema && { tables: new SchemaTables(schema) };
  const vm = await openVm(memorySource(stream, qemu), { pagesLeftOut: true, ...tables });
  const all = [version.version, version.package].filter((part) => part !== '').join(' ');
  return { vm, title: `QEMU ${all}, ${machineType}` };
}

async function open(
  { source, openOptions, description }: VmInput,
  { knowledge, place, fullScan, ram, spool }: SideOptions,
): Promise<Opened> {
  const progress = progressLine(source.size);
  const options: VmOptions = {
    schemas: packagedSchemas,
    ...description,
    ...(await openKnowledge(knowledge)),
    ...(ram ? { memory: nodeMemory(spool) } : skipRam({ fullScan, offset: place.offset })),
    ...openOptions,
    onProgress: progress.update,
  };
  const { vm, hashed } = await openHashed(source, options).finally(progress.clear);
  sayChoice(vm);
  const found = [...vm.diagnostics, ...(hashed?.diagnostics ?? [])];
  return { vm: { ...vm, diagnostics: found }, ...(hashed ? { pages: hashed.pages } : {}) };
}

/** Pages are hashed where memory is asked for. */
async function openHashed(source: VmInput['source'], options: VmOptions) {
  const vm = await openVm(source, options);
  const hashed = vm.memory && (await hashPages(vm.memory));
  await vm.memory?.close();
  return { vm, hashed };
}

interface ShowOptions {
  readonly structure?: true | undefined;
  readonly only?: readonly string[] | undefined;
  readonly ignore?: readonly string[] | undefined;
  readonly ignoreVolatile?: true | undefined;
  readonly sideBySide: 'auto' | 'always' | 'never';
  readonly full?: true | undefined;
  readonly mail?: true | undefined;
  readonly json?: true | undefined;
}

async function show(a: Opened, b: Opened, options: ShowOptions): Promise<void> {
  const { structure, only = [], ignore = [], ignoreVolatile, full, mail, json } = options;
  if (ignoreVolatile) {
    const types = [...volatileTypes].map((type) => `fields of type ${type}`);
    const what = [...types, ...volatileFields.map(({ selector }) => selector)];
    say(`clocks and the like are not compared: ${what.join(', ')}`);
  }
  const diff = await diffStreams(a.vm, b.vm, {
    structure,
    only,
    ignore,
    ignoreVolatile,
    ...(a.pages && b.pages ? { pages: { a: a.pages, b: b.pages } } : {}),
  });
  const damaged = sides.filter((side) => hasErrors(diff[side].diagnostics));
  // Before it is printed: who reads may stop.
  process.exitCode = exitStatus(diff, damaged);
  const output = new Output();
  if (json) await output.line(toJson(diffJson(diff)));
  else if (mail) {
    const names = { ...(a.title ? { a: a.title } : {}), ...(b.title ? { b: b.title } : {}) };
    for (const line of diffMail(diff, names)) await output.line(line);
  } else {
    const width = terminalWidth();
    const isWide = process.stdout.isTTY === true && width >= WIDE;
    const sideBySide = options.sideBySide === 'always' || (options.sideBySide === 'auto' && isWide);
    const style = styleFor(process.stdout);
    const columns = process.stdout.isTTY ? width : Math.max(width, WIDE);
    for (const line of diffText(diff, { style, width: columns, sideBySide, full: full ?? false }))
      await (sideBySide ? output.line(line) : output.row(line));
  }
  await output.flush();
  for (const side of sides) printDiagnostics(diff[side].name, distinct(diff[side].diagnostics));
  if (damaged.length > 0) {
    const which = damaged.map((side) => side.toUpperCase()).join(' and ');
    say(`not all of ${which} could be decoded; the rest was compared`);
  }
  await reportUnmatched([a.vm, b.vm], only);
}

function exitStatus(diff: StreamDiff, damaged: readonly Side[]): number {
  if (damaged.length > 0 || !diff.anySelected) return EXIT_TROUBLE;
  return diff.verdict === 'same' ? EXIT_OK : EXIT_DIFFERENT;
}

function distinct(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return [...new Set(diagnostics)];
}

const ELF_MAGIC = '\u007fELF';

/** Binaries and schema files have a command of their own. */
async function refuseSchemas(...sources: readonly FinishedSource[]): Promise<void> {
  const isSchema = await Promise.all(
    sources.map(async (source) => {
      const start = String.fromCharCode(...(await source.read(0, 4)));
      return start === ELF_MAGIC || start.startsWith('{');
    }),
  );
  if (isSchema.every(Boolean))
    throw new Error('these are QEMU binaries or schema files, not streams: vmwalk compat compares them');
  const [name] = sources.filter((_, i) => isSchema[i]).map((source) => source.name);
  if (name !== undefined)
    throw new Error(
      `${printable(name)} is a QEMU binary or a schema file, not a stream; --qemu-a and the like say what wrote a stream`,
    );
}
