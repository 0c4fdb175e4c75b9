import { DecodeError } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { QEMU_SCHEMA_FORMAT, QEMU_SCHEMA_FORMAT_VERSION, type QemuSchema } from '../schema/qemu-schema.ts';
import { vmsdGraphProblem } from '../schema/vmsd-graph.ts';
import { hostAddress } from './address-table.ts';
import { type DebugEnvironment, type DebugFile, readDebugFile } from './debug-files.ts';
import { type DebugLayouts, readDebugLayouts } from './debug-layouts.ts';
import { type LoadedProgram, loadProgram } from './elf/load.ts';
import { findEmbeddedOnly } from './embedded-only.ts';
import { findInfos } from './find-infos.ts';
import { withoutStrays } from './find-vmsds.ts';
import { fitLayout } from './fit-layout.ts';
import { readMachineProperties } from './machine-properties.ts';
import { readQemuTarget } from './qemu-target.ts';
import { parseQemuVersion, readModuleStamp, readQemuVersion } from './qemu-version.ts';
import type { RawType } from './qom-types.ts';
import { readExpressions } from './read-expressions.ts';
import { readSchemaSymbols } from './read-symbols.ts';
import { readTables } from './read-tables.ts';
import { findClasses, readTypes } from './read-types.ts';
import type { TableLayout } from './table-layout.ts';

/** The smallest real system emulator (avr, 5.2) has 25. */
const MIN_VMSDS = 5;

/**
 * The files of a QEMU: its binary, and modules that it may load (`hw-*.so`). Modules of another build are left out, as
 * QEMU itself leaves them out.
 */
export interface QemuSources {
  readonly binary: FinishedSource;
  readonly modules: readonly FinishedSource[];
  /** Where there is one, names of the source are read from symbols and debug information. */
  readonly debug?: DebugEnvironment | undefined;
}

/**
 * Reads the VMStateDescription tables out of a QEMU system emulator, stripped or not, which is never run. Throws
 * DecodeError `bad-elf` for a file that is no 64-bit ELF binary or a damaged one, and `not-qemu` for one without such
 * tables.
 */
export async function extractSchema(sources: QemuSources): Promise<QemuSchema> {
  const { program, files } = await loadQemu(sources);
  const { debug } = sources;
  const debugFiles: DebugFile[] = [];
  if (debug)
    for (const [i, file] of files.entries())
      debugFiles.push(await readDebugFile(file, program.objects[i]?.buildId, debug));
  const layouts = readDebugLayouts(debugFiles);
  const { schema: tables, layout, types, contradicted } = readProgram(program, layouts);
  const schema = {
    ...tables,
    expressions: await readExpressions(program, tables),
    ...(await readMachineProperties(program, types)),
  };
  const symbols = readSchemaSymbols(schema, debugFiles, layout.vmsd.size, (address) =>
    hostAddress(program, address),
  );
  for (const struct of [...contradicted, ...(layouts?.others ?? [])])
    debug?.warn(`${layouts?.file}: its debug information describes another ${struct} than the binary has`);
  for (const { name, data } of debugFiles)
    for (const message of data?.leftOut.warnings() ?? []) debug?.warn(`${name}: ${message}`);
  return symbols ? { ...schema, symbols } : schema;
}

/** Loads the files of a QEMU, for callers that need its code as well as its tables. */
async function loadQemu({ binary, modules }: QemuSources): Promise<{
  readonly program: LoadedProgram;
  /** Of its objects. */
  readonly files: readonly FinishedSource[];
}> {
  const program = await loadProgram(binary, modules);
  const stamp = modules.length === 0 ? undefined : readModuleStamp(program.image);
  const own = modules.filter((_, i) => {
    const symbols = program.objects[i + 1]?.symbols;
    return stamp !== undefined && symbols?.find(stamp) !== undefined;
  });
  const files = [binary, ...own];
  return own.length === modules.length
    ? { program, files }
    : { program: await loadProgram(binary, own), files };
}

/** The tables alone, without what is read from the code, of a program that is loaded already. */
export function schemaOfProgram(program: LoadedProgram): QemuSchema {
  return readProgram(program, undefined).schema;
}

function readProgram(
  program: LoadedProgram,
  described: DebugLayouts | undefined,
): {
  readonly schema: QemuSchema;
  readonly layout: TableLayout;
  readonly types: readonly RawType[];
  /** Structs that debug information describes otherwise than they are. */
  readonly contradicted: readonly string[];
} {
  const { image, objects } = program;
  const name = objects[0]?.name ?? '';
  const infos = findInfos(image);
  const qemuVersion = readQemuVersion(image);
  const fit = fitLayout(program, infos, parseQemuVersion(qemuVersion), described?.table);
  if (!fit || fit.vmsds.length < MIN_VMSDS) throw notQemu(name);
  const { reader } = fit;
  const types = findClasses(program, fit.vmsds, described);
  const referenced = types.classes && new Set([...types.classes.values()].flatMap((data) => data.vmsds));
  const vmsds = referenced ? withoutStrays(reader, fit.vmsds, referenced) : fit.vmsds;
  const embeddedOnly = findEmbeddedOnly(program, reader, vmsds);
  const tables = readTables(program, reader.layout, infos, vmsds, embeddedOnly);
  const problem = vmsdGraphProblem(tables.vmsds);
  if (problem !== undefined) {
    throw new DecodeError({ severity: 'error', code: 'bad-schema', message: `${name}: its ${problem}` });
  }
  const schema: QemuSchema = {
    format: QEMU_SCHEMA_FORMAT,
    formatVersion: QEMU_SCHEMA_FORMAT_VERSION,
    origin: 'binary',
    qemuVersion,
    target: readQemuTarget(program),
    host: { machine: program.machine, byteOrder: image.littleEndian ? 'little' : 'big' },
    layout: reader.layout.name,
    objects: objects.map((object) => ({ name: fileName(object.name), buildId: object.buildId })),
    ...tables,
    expressions: [],
    globalPropertyLists: [],
    machineProperties: [],
    ...readTypes(program, types, new Map(vmsds.map(({ address }, i) => [address, i]))),
  };
  const contradicted = [
    ...(fit.contradictsDescription ? ['VMStateField or VMStateDescription'] : []),
    ...types.contradicted,
  ];
  return { schema, layout: reader.layout, types: types.types, contradicted };
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function notQemu(name: string): DecodeError {
  return new DecodeError({
    severity: 'error',
    code: 'not-qemu',
    message: `${name} is no QEMU system emulator: it has no VMStateDescription tables`,
  });
}
