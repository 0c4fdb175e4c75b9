import { Command } from '@commander-js/extra-typings';
import { formatDiagnostic } from '../bytes/diagnostic.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { collect, jsonOption } from './options.ts';
import { EXIT_TROUBLE, Output, say, styleFor, toJson } from './output.ts';

// What reads binaries is loaded when a command runs: the others start without it.

const SCHEMA_FILE =
  'QEMU binary, schema file that extract or learn wrote, or built-in schema such as 7.2-x86_64';

const extractCommand = new Command('extract')
  .description('read the device state tables (VMStateDescription) out of a QEMU binary, which is not run')
  .argument('<binary>', 'qemu-system-X of any version from 2.10 on; it may be stripped')
  .option('-o, --output <file>', 'file to write: .json, or .json.gz; standard output without it')
  .option(
    '--module <file>',
    'a device module (hw-*.so), instead of those beside the binary; repeatable',
    collect,
  )
  .option(
    '--query-machines <file>',
    'what this QEMU answered to query-machines {"compat-props": true}, in place of what is found in the binary',
  )
  .option(
    '--debug-file <file>',
    'a file with debug information of the binary or a module; repeatable',
    collect,
  )
  .option(
    '--debug-dir <dir>',
    'where to look for one by build id, before /usr/lib/debug; repeatable',
    collect,
  )
  .addHelpText(
    'after',
    `
The file describes the device state of this build of QEMU: with it a stream can be decoded where the binary is not.
Where the binary has symbols or debug information (DWARF), in itself or in a .debug file that is found by its build id,
it also has names of functions and members, and file and line of each VMStateDescription.

Examples:
  vmwalk schema extract /usr/bin/qemu-system-x86_64 -o q.json.gz
  vmwalk schema extract ./build/qemu-system-aarch64 | jq '.qemuVersion'
  vmwalk schema extract /usr/bin/qemu-system-x86_64 --debug-dir ./dbgsym/usr/lib/debug -o q.json.gz`,
  )
  .action(
    async (binary, { output: file, module: modules, queryMachines, debugFile: files, debugDir: folders }) => {
      await checkSchemaOutput(file);
      const { extractSchemaOfFile, readQueryMachinesFile } = await import('../node/schema-file.ts');
      const onWarning = (message: string) => say(message, 'warning');
      const schema = await extractSchemaOfFile(binary, modules, { files, folders, onWarning });
      warnOfModules(schema, modules ?? []);
      const machines = queryMachines === undefined ? {} : await readQueryMachinesFile(queryMachines);
      await writeSchema({ ...schema, ...machines }, file);
    },
  );

const learnCommand = new Command('learn')
  .description('make a schema of streams that have a vmdesc, for streams of the same QEMU that have none')
  .argument('<stream...>', 'migration streams of one build of QEMU')
  .option('-o, --output <file>', 'file to write: .json, or .json.gz; standard output without it')
  .addHelpText(
    'after',
    `
For when the binary is not at hand. The schema knows what was in the streams: the more devices and states of them there
are, the more it can read. A reading in which something had to be guessed says so.

Examples:
  vmwalk schema learn saved/*.qevm -o learned.json.gz
  vmwalk dump --schema learned.json.gz postcopy.qevm`,
  )
  .action(async (files, { output: file }) => {
    await checkSchemaOutput(file);
    const { learnSchemaOfFiles } = await import('../node/learn-schema.ts');
    const { schema, diagnostics } = await learnSchemaOfFiles(files);
    for (const { severity, ...diagnostic } of diagnostics)
      say(formatDiagnostic({ severity, ...diagnostic }), severity);
    await writeSchema(schema, file);
  });

const listCommand = new Command('list')
  .description('all VMStateDescriptions, by name; without a file, the built-in schemas')
  .argument('[file]', SCHEMA_FILE)
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
Examples:
  vmwalk schema list                                        what there is without a file
  vmwalk schema list 10.0-x86_64
  vmwalk schema list /usr/bin/qemu-system-x86_64
  vmwalk schema list --json q.json.gz | jq -r '.vmsds[] | select(.unmigratable) | .name'`,
  )
  .action(async (file, { json }) => {
    if (file === undefined) return listBuiltinSchemas(json);
    const { listVmsds } = await import('../ops/schema-list.ts');
    const { vmsdTable } = await import('../render/schema-text.ts');
    const schema = await openSchema(file);
    const vmsds = listVmsds(schema);
    const output = new Output();
    if (json) {
      const { origin, qemuVersion, target, host, layout, objects } = schema;
      await output.line(toJson({ origin, qemuVersion, target, host, layout, objects, vmsds }));
    } else {
      await printFacts(schema, output);
      await output.line('');
      for (const line of vmsdTable(vmsds)) await output.row(line);
    }
    await output.flush();
  });

const findCommand = new Command('find')
  .description('VMStateDescriptions, fields, infos, device types and properties by name')
  .argument('<file>', SCHEMA_FILE)
  .argument('<name>', 'a glob: * matches within one name, ** anything, ? one character')
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
Examples:
  vmwalk schema find /usr/bin/qemu-system-x86_64 'virtio*'
  vmwalk schema find q.json.gz 'apic/*'                     fields of a VMSD
  vmwalk schema find q.json.gz '**/num_queues'              wherever it is`,
  )
  .action(async (file, name, { json }) => {
    const { findInSchema } = await import('../ops/schema-find.ts');
    const { matchTable } = await import('../render/schema-text.ts');
    const matches = findInSchema(await openSchema(file), name);
    const output = new Output();
    if (json) await output.line(toJson(matches));
    else if (matches.length > 0) for (const line of matchTable(matches)) await output.row(line);
    await output.flush();
    if (matches.length === 0) nothingFound(name);
  });

const showCommand = new Command('show')
  .description('a VMStateDescription as a table: fields, types, counts, versions, conditions, subsections')
  .argument('<file>', SCHEMA_FILE)
  .argument('<name>', 'its name, #N as list --json numbers it, or a device type')
  .addOption(jsonOption())
  .addHelpText(
    'after',
    `
offset and size are bytes in QEMU's struct; a count or size with * is in the member of that name, or at that place.
if is the function (its address in the binary) that decides whether the field is there; with symbols what that asks, its
name, and file and line.

Examples:
  vmwalk schema show /usr/bin/qemu-system-x86_64 apic
  vmwalk schema show q.json.gz e1000 --json | jq -r '.[0].fields[].name'`,
  )
  .action(async (file, name, { json }) => {
    const { describeVmsds } = await import('../ops/schema-show.ts');
    const { vmsdText } = await import('../render/schema-text.ts');
    const { testConditions } = await import('../compat/test-text.ts');
    const schema = await openSchema(file);
    const vmsds = describeVmsds(schema, name, testConditions(schema));
    const output = new Output();
    if (json) await output.line(toJson(vmsds));
    else {
      const style = styleFor(process.stdout);
      for (const [i, vmsd] of vmsds.entries()) {
        if (i > 0) await output.line('');
        for (const line of vmsdText(vmsd, style)) await output.row(line);
      }
    }
    await output.flush();
    if (vmsds.length === 0) nothingFound(name);
  });

export const schemaCommand = new Command('schema').description(
  'what a QEMU binary knows of device state: extract it or learn it from streams, look into it',
);
for (const command of [extractCommand, learnCommand, listCommand, findCommand, showCommand]) {
  schemaCommand.addCommand(
    command.exitOverride().showHelpAfterError(`(vmwalk schema ${command.name()} --help shows the usage)`),
  );
}

async function openSchema(file: string): Promise<QemuSchema> {
  const schemaFile = await import('../node/schema-file.ts');
  return schemaFile.openSchema(file);
}

async function listBuiltinSchemas(json: boolean | undefined): Promise<void> {
  const { builtinSchemas } = await import('../node/builtin-schema-index.ts');
  const schemas = await builtinSchemas();
  const output = new Output();
  if (json) await output.line(toJson(schemas));
  else {
    const { builtinSchemaTable } = await import('../render/schema-text.ts');
    for (const line of builtinSchemaTable(schemas)) await output.row(line);
  }
  await output.flush();
}

/** Better said before the work than behind it. */
async function checkSchemaOutput(file: string | undefined): Promise<void> {
  if (file === undefined) return;
  const { checkOutput } = await import('../node/output.ts');
  checkOutput(file, 'replace');
}

async function writeSchema(schema: QemuSchema, file: string | undefined): Promise<void> {
  const output = new Output();
  if (file === undefined) {
    const { serializeSchema } = await import('../schema/serialize-schema.ts');
    await output.write(serializeSchema(schema));
  } else {
    const { writeSchemaFile } = await import('../node/schema-file.ts');
    await writeSchemaFile(file, schema);
    await printFacts(schema, output);
  }
  await output.flush();
}

async function printFacts(schema: QemuSchema, output: Output): Promise<void> {
  const { schemaFacts } = await import('../render/schema-text.ts');
  for (const line of schemaFacts(schema, styleFor(process.stdout))) await output.row(line);
}

/** Says which of the modules that the user named are of another build. */
function warnOfModules({ objects }: QemuSchema, modules: readonly string[]): void {
  const used = new Set(objects.slice(1).map(({ name }) => name));
  for (const path of modules) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (!used.has(name)) say(`${path} is no module of this build of QEMU; left out`, 'warning');
  }
}

function nothingFound(name: string): void {
  say(`nothing is called ${name}; list and find show what there is`);
  process.exitCode = EXIT_TROUBLE;
}
