import {
  DW_AT_location,
  DW_AT_low_pc,
  DW_AT_ranges,
  DW_TAG_formal_parameter,
  DW_TAG_subprogram,
  DW_TAG_variable,
} from './constants.ts';
import type { DebugData, WantedTags } from './debug-data.ts';
import type { Entry, EntryReference } from './entry.ts';
import { findUnits, type WantedAddresses } from './find-units.ts';
import { readSourceFiles } from './line-files.ts';

/** A function or variable as the source has it. */
export interface SourcePlace {
  /** Of the entry that has its name, whose unit is that of its source file. */
  readonly reference: EntryReference;
  readonly name: string;
  /** Relative to the folder of the sources, as far as that can be told. */
  readonly file: string | undefined;
  readonly line: number | undefined;
  /** Of a variable. */
  readonly type: EntryReference | undefined;
  /** Types of the parameters and variables of a function, outermost block only. */
  readonly locals: readonly EntryReference[];
}

/** Entries that each other names: a clone of a function, its abstract instance, its declaration. */
const MAX_ORIGINS = 8;
const MAX_LOCALS = 1000;
/** Pieces of a function. */
const MAX_RANGES = 64;
/** Rows of all tables of files together; in real binaries some hundred thousand. */
const MAX_FILES = 10_000_000;

const addressed: WantedTags = new Map([
  [DW_TAG_subprogram, [DW_AT_low_pc, DW_AT_ranges]],
  [DW_TAG_variable, [DW_AT_location]],
]);
const locals: WantedTags = new Map([
  [DW_TAG_formal_parameter, []],
  [DW_TAG_variable, []],
]);

/**
 * The functions and variables at addresses (as they were linked), by address. Looks through the outermost entries of
 * units; one that is damaged has nothing from there on, which `leftOut` says.
 */
export function findSourcePlaces(data: DebugData, wanted: WantedAddresses): ReadonlyMap<number, SourcePlace> {
  const found = new Map<number, SourcePlace>();
  const files = new SourceFiles(data);
  for (const unit of findUnits(data, wanted)) {
    const entries: (readonly [number, Entry])[] = [];
    try {
      data.forEachChild(data.root(unit), addressed, (entry) => {
        const addresses = entry.tag === DW_TAG_variable ? wanted.variables : wanted.functions;
        for (const address of startsOf(data, entry))
          if (addresses.has(address)) entries.push([address, entry]);
      });
    } catch (error) {
      data.leftOut.add(error);
    }
    for (const [address, entry] of entries) {
      if (found.has(address)) continue;
      try {
        const place = placeOf(data, entry, files);
        if (place) found.set(address, place);
      } catch (error) {
        data.leftOut.add(error);
      }
    }
  }
  return found;
}

function startsOf(data: DebugData, entry: Entry): readonly number[] {
  if (entry.address !== undefined) return [entry.address];
  return data.rangesOf(entry, MAX_RANGES).map(({ start }) => start);
}

function placeOf(data: DebugData, first: Entry, files: SourceFiles): SourcePlace | undefined {
  let entry = first;
  let place: { file: string | undefined; line: number } | undefined;
  let type: EntryReference | undefined;
  const types: EntryReference[] = [];
  for (let i = 0; i < MAX_ORIGINS; i++) {
    if (!place && entry.line !== undefined && entry.line > 0)
      place = { file: files.of(entry.reference, entry.file), line: entry.line };
    if (entry.tag === DW_TAG_variable) type ??= entry.type;
    else if (types.length === 0) readLocals(data, entry, types);
    const { name } = entry;
    if (name !== undefined && name !== '') {
      return { reference: entry.reference, name, file: place?.file, line: place?.line, type, locals: types };
    }
    if (entry.origin === undefined) return undefined;
    entry = data.entry(entry.origin);
  }
  return undefined;
}

function readLocals(data: DebugData, entry: Entry, types: EntryReference[]): void {
  data.forEachChild(entry, locals, (child) => {
    if (child.type !== undefined && types.length < MAX_LOCALS) types.push(child.type);
  });
}

/** Paths of source files, by unit and number. */
export class SourceFiles {
  readonly #data: DebugData;
  readonly #files = new Map<number, readonly (string | undefined)[]>();
  #rows = 0;

  constructor(data: DebugData) {
    this.#data = data;
  }

  /** The path that a DW_AT_decl_file of an entry names. */
  of(reference: EntryReference, file: number | undefined): string | undefined {
    if (file === undefined) return undefined;
    const root = this.#data.rootOf(reference);
    let files = this.#files.get(root.reference);
    if (!files) {
      const { lineTable, folder } = root;
      try {
        files =
          lineTable === undefined || this.#rows > MAX_FILES
            ? []
            : readSourceFiles(this.#data.sectionsOf(reference), lineTable);
      } catch (error) {
        this.#data.leftOut.add(error);
        files = [];
      }
      files = files.map((path) => (path === undefined ? undefined : sourcePath(path, folder)));
      this.#rows += files.length;
      this.#files.set(root.reference, files);
    }
    return files[file];
  }
}

/**
 * A path relative to the folder of the sources: QEMU's build names `../hw/net/e1000e.c` from its build folder, or the
 * whole path of both.
 */
export function sourcePath(path: string, buildFolder: string | undefined): string {
  const parts = path.split('/').filter((part, i) => part !== '.' && (part !== '' || i === 0));
  if (!path.startsWith('/')) {
    while (parts[0] === '..' && parts.length > 1) parts.shift();
    return parts.join('/');
  }
  const around = (buildFolder ?? '').split('/').filter((part, i) => part !== '' || i === 0);
  // `/build/../hw` of a path that was put together.
  for (let i = parts.indexOf('..'); i > 1; i = parts.indexOf('..')) parts.splice(i - 1, 2);
  let common = 0;
  while (common < parts.length - 1 && parts[common] === around[common]) common++;
  return common > 1 ? parts.slice(common).join('/') : parts.join('/');
}
