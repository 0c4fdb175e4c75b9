import { readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { badArgument, DecodeError, printable } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { magicOf } from '../bytes/view.ts';
import { decodeText } from '../bytes/window.ts';
import { PROFILE_START } from '../containers/profile.ts';
import { type DumpVmstate, isDumpVmstate, parseDumpVmstate } from '../schema/dump-vmstate.ts';
import { parseSchema, schemaOfJson } from '../schema/parse-schema.ts';
import type { QemuSchema } from '../schema/qemu-schema.ts';
import { type MachineTables, parseQueryMachines } from '../schema/query-machines.ts';
import { serializeSchema } from '../schema/serialize-schema.ts';
import { QEMU_VM_FILE_MAGIC } from '../stream/records.ts';
import { schemaPath } from './builtin-schema-index.ts';
import type { DebugFileOptions } from './debug-environment.ts';
import { type FileSource, openFile } from './file-source.ts';
import { writeOutput } from './output.ts';
import { findQemuModules } from './qemu-modules.ts';
import { openPath, type SpoolOptions } from './spool.ts';

/** Bytes of a schema file, and of the text in a compressed one. */
const MAX_SCHEMA = 64 << 20;
/** Bytes of a binary that comes through a pipe, with what debuggers want. */
const MAX_BINARY = 1 << 30;
const ELF_MAGIC = 0x7f454c46;
const GZIP_MAGIC = 0x1f8b;
/** The first character of JSON that is an object. */
const OBJECT = /^\s*\{/;

/** What is read of a pipe to its end: what begins as a binary or a schema. */
const SPOOLING: SpoolOptions = {
  limit: { bytes: MAX_BINARY, reason: 'the most that a QEMU binary is believed to have' },
  isOfUse: (beginning) =>
    magicOf(beginning) === ELF_MAGIC ||
    magicOf(beginning) >>> 16 === GZIP_MAGIC ||
    OBJECT.test(decodeText(beginning)),
};

/** Loaded only where a schema is compressed. */
function zlib() {
  return process.getBuiltinModule('node:zlib');
}

/**
 * The schema of a file: a QEMU binary, with the modules beside it or those given, or a schema file (`.json`, or
 * compressed by gzip; told apart by content), or a built-in schema by its name (`7.2-x86_64`), where no file is called
 * that. Throws DecodeError `io`, `bad-elf`, `not-qemu` or `bad-schema`.
 */
export async function openSchema(
  path: string,
  modules?: readonly string[],
  debug?: DebugFileOptions,
): Promise<QemuSchema> {
  const opened = await openText(path, modules, debug);
  return typeof opened === 'string' ? parseSchema(opened, path) : opened;
}

/** The same, or what `-dump-vmstate` printed. */
export async function openSchemaOrDump(path: string): Promise<QemuSchema | DumpVmstate> {
  const opened = await openText(path);
  if (typeof opened !== 'string') return opened;
  return isDumpVmstate(opened) ? parseDumpVmstate(opened, path) : parseSchema(opened, path);
}

/** The schema of a binary, or the text of another file. */
async function openText(
  name: string,
  modules?: readonly string[],
  debug?: DebugFileOptions,
): Promise<QemuSchema | string> {
  const path = await schemaPath(name);
  const source = await openPath(path, SPOOLING);
  try {
    const magic = magicOf(await source.read(0, 4));
    if (magic === QEMU_VM_FILE_MAGIC) throw badSchema(name, 'it is a migration stream');
    if (magic === ELF_MAGIC)
      return await extractFrom(source, modules ?? (await findQemuModules(path)), debug);
    const text = await readText(source, magic >>> 16 === GZIP_MAGIC);
    if (text.startsWith(PROFILE_START))
      throw badSchema(name, 'it is a profile, which vmwalk check takes as a stream and as --profile');
    return text;
  } finally {
    await source.close();
  }
}

/** What machine types set, from a file with QEMU's answer to `query-machines`. Throws DecodeError `io`, `bad-argument` or `bad-schema`. */
export async function readQueryMachinesFile(path: string): Promise<MachineTables> {
  return parseQueryMachines(await readTextFile(path), path);
}

/** The text of a file, compressed by gzip or not. Throws DecodeError `io`, or `bad-argument` for one that is too large. */
export async function readTextFile(path: string): Promise<string> {
  const source = await openPath(path, SPOOLING);
  try {
    return await readText(source, magicOf(await source.read(0, 4)) >>> 16 === GZIP_MAGIC);
  } catch (error) {
    if (!(error instanceof DecodeError) || !(error.cause instanceof UnreadableText)) throw error;
    throw badArgument(`${printable(path)}: ${error.cause.message}`);
  } finally {
    await source.close();
  }
}

/** Is a file a binary? False for the name of a built-in schema, and for what cannot be read twice, such as a pipe. */
export async function isElf(name: string): Promise<boolean> {
  if (!statSync(name, { throwIfNoEntry: false })?.isFile()) return false;
  const source = await openFile(name);
  try {
    return magicOf(await source.read(0, 4)) === ELF_MAGIC;
  } finally {
    await source.close();
  }
}

/**
 * The schema of a QEMU binary. Modules that are of another build are left out. Names of the source come from symbols and
 * debug information, in the binary itself or in files that are found by its build id or link. Throws DecodeError as
 * `openSchema`, and `bad-argument` for a named file with debug information of another build.
 */
export async function extractSchemaOfFile(
  path: string,
  modules?: readonly string[],
  debug?: DebugFileOptions,
): Promise<QemuSchema> {
  const source = await openPath(path, SPOOLING);
  try {
    return await extractFrom(source, modules ?? (await findQemuModules(path)), debug);
  } finally {
    await source.close();
  }
}

/** The same of a binary and modules that are opened already; they stay open. */
export function extractSchemaOfBinary(
  binary: FinishedSource,
  modules: readonly FinishedSource[],
): Promise<QemuSchema> {
  return extractFromSources(binary, modules, {});
}

async function extractFrom(
  binary: FinishedSource,
  paths: readonly string[],
  debugFiles: DebugFileOptions = {},
): Promise<QemuSchema> {
  const modules: FileSource[] = [];
  try {
    for (const path of paths) modules.push(await openFile(path));
    return await extractFromSources(binary, modules, debugFiles);
  } finally {
    await Promise.all(modules.map((module) => module.close()));
  }
}

async function extractFromSources(
  binary: FinishedSource,
  modules: readonly FinishedSource[],
  debugFiles: DebugFileOptions,
): Promise<QemuSchema> {
  const { NodeDebugEnvironment } = await import('./debug-environment.ts');
  const debug = new NodeDebugEnvironment(debugFiles);
  try {
    await debug.openNamed();
    const isPlain = [debugFiles.files, debugFiles.folders].every((given = []) => given.length === 0);
    const entry = isPlain ? await keptEntry(binary, modules) : undefined;
    const kept = await entry?.find();
    if (kept) return kept;
    const { extractSchema } = await import('../extract/extract-schema.ts');
    const schema = await extractSchema({ binary, modules, debug });
    debug.checkNamed();
    // What was warned of is to be said again.
    if (!debug.hasWarned) entry?.keep(schema, debug.searches);
    return schema;
  } finally {
    await debug.close();
  }
}

/** Where the schema of a binary is kept by the programs of this package. */
async function keptEntry(binary: FinishedSource, modules: readonly FinishedSource[]) {
  const { SchemaCache } = await import('./schema-cache.ts');
  return SchemaCache.open()?.entry({ binary, modules });
}

/** Why a file's text is not had, whatever it is to be. */
class UnreadableText extends Error {}

async function readText(source: FinishedSource, compressed: boolean): Promise<string> {
  const unreadable = (reason: string) => badSchema(source.name, reason, new UnreadableText(reason));
  if (source.size > MAX_SCHEMA) throw unreadable(`it has ${source.size} bytes, more than can be`);
  let bytes = await source.read(0, source.size);
  if (compressed) {
    try {
      bytes = await promisify(zlib().gunzip)(bytes, { maxOutputLength: MAX_SCHEMA });
    } catch (error) {
      throw unreadable(error instanceof Error ? error.message : String(error));
    }
  }
  return decodeText(bytes);
}

/** The schema of a compressed schema file of this package. */
export function readSchemaFileSync(path: string): QemuSchema {
  const text = decodeText(zlib().gunzipSync(readFileSync(path), { maxOutputLength: MAX_SCHEMA }));
  return schemaOfJson(JSON.parse(text), path);
}

function badSchema(name: string, reason: string, cause?: Error): DecodeError {
  const message = `${name} is no usable schema: ${reason}`;
  return new DecodeError({ severity: 'error', code: 'bad-schema', message }, cause ? { cause } : {});
}

/** Writes a schema as JSON, compressed by gzip when the name ends in `.gz`. A file that exists is replaced. Throws OutputError. */
export async function writeSchemaFile(path: string, schema: QemuSchema): Promise<void> {
  const text = serializeSchema(schema);
  const content = path.endsWith('.gz') ? await promisify(zlib().gzip)(text, { level: 9 }) : text;
  await writeOutput(path, [content], 'replace');
}
