import type { FinishedSource } from '../../bytes/source.ts';
import { readBuildId } from './build-id.ts';
import { type Dynamic, readDynamic } from './dynamic.ts';
import { type ElfHeader, elfError, readElfHeader } from './header.ts';
import { forEachWord, Image, markPointer, type Segment } from './image.ts';
import { relocate, relocationMachine } from './relocate.ts';
import { readSymbols, type Symbols } from './symbols.ts';

/** An ELF file of an image. */
export interface LoadedObject {
  /** Name of its source. */
  readonly name: string;
  readonly header: ElfHeader;
  /** Added to the addresses of the file; 0 for the executable. */
  readonly base: number;
  /** Lower-case hex digits. */
  readonly buildId: string | undefined;
  readonly dynamic: Dynamic | undefined;
  readonly symbols: Symbols | undefined;
}

/** An executable and its modules, laid out in memory and relocated. */
export interface LoadedProgram {
  readonly image: Image;
  /** As `uname -m` says it. */
  readonly machine: string;
  /** The executable, then its modules in the order given. */
  readonly objects: readonly LoadedObject[];
}

/** Modules are shared libraries beside the executable; QEMU has some thirty. */
const MAX_MODULES = 256;

/**
 * Loads an executable and its modules as the dynamic loader would, without running anything. A symbol is looked up in
 * the executable first, then in the modules in their order; libraries are not loaded, so that a pointer to one of
 * their functions stays zero. Throws DecodeError `bad-elf`.
 */
export async function loadProgram(
  binary: FinishedSource,
  modules: readonly FinishedSource[] = [],
): Promise<LoadedProgram> {
  if (modules.length > MAX_MODULES)
    throw elfError(binary, `${modules.length} modules are given, more than ${MAX_MODULES}`, 0);
  const main = await readElfHeader(binary);
  const image = new Image(main.littleEndian);
  const objects: LoadedObject[] = [];
  const owned: Segment[][] = [];
  for (const [i, source] of [binary, ...modules].entries()) {
    const header = i === 0 ? main : await readElfHeader(source);
    if (header.littleEndian !== main.littleEndian || header.machine !== main.machine)
      throw elfError(source, `it is for another machine than ${binary.name}`, 18, 20);
    if (i > 0 && !header.positionIndependent) throw elfError(source, 'a module must be a shared library', 16);
    const base = i === 0 ? 0 : image.end;
    const segments = await loadSegments(source, header, image, base, i);
    const dynamic = readDynamic(source, header, image, base);
    objects.push({
      name: source.name,
      header,
      base,
      buildId: readBuildId(header, image, base),
      dynamic,
      symbols: dynamic && readSymbols(image, dynamic),
    });
    owned.push(segments);
  }
  const machine = relocationMachine(main.machine, image, objects[0]?.dynamic);
  for (const [i, object] of objects.entries()) {
    const { dynamic, symbols, header } = object;
    const segments = owned[i]!;
    const source = i === 0 ? binary : modules[i - 1]!;
    if (!header.positionIndependent) markFinalAddresses(image, segments);
    if (!dynamic) continue;
    const found = new Map<number, number | undefined>();
    const resolve = (index: number): number | undefined => {
      if (!found.has(index)) found.set(index, resolveSymbol(objects, symbols, index));
      return found.get(index);
    };
    relocate({ source, image, dynamic, segments, machine, resolve });
  }
  return { image, machine: machine.name, objects };
}

function resolveSymbol(
  objects: readonly LoadedObject[],
  own: Symbols | undefined,
  index: number,
): number | undefined {
  const name = own?.nameOf(index);
  if (name === undefined) return own?.addressOf(index);
  for (const { symbols } of objects) {
    const address = symbols?.find(name);
    if (address !== undefined) return address;
  }
  return own?.addressOf(index);
}

async function loadSegments(
  source: FinishedSource,
  header: ElfHeader,
  image: Image,
  base: number,
  object: number,
): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const load of header.loads) {
    // Relocations are written into it, so it must not be the source's own memory.
    const bytes = new Uint8Array(load.fileSize);
    const read = await source.read(load.offset, load.fileSize, bytes);
    if (read.byteLength < load.fileSize)
      throw elfError(source, 'the file ends inside a PT_LOAD', load.offset, load.offset + load.fileSize);
    if (read.buffer !== bytes.buffer) bytes.set(read.subarray(0, load.fileSize));
    const start = base + load.address;
    const segment: Segment = {
      start,
      end: start + load.fileSize,
      memoryEnd: start + load.memorySize,
      executable: load.executable,
      writable: load.writable,
      object,
      bytes,
      view: new DataView(bytes.buffer),
      pointers: new Uint8Array(Math.ceil((load.fileSize + 16) / 64)),
      firstWord: Math.floor(start / 8),
    };
    image.add(segment);
    segments.push(segment);
  }
  return segments;
}

/** Without relocations, a word that could be the address of something loaded is taken for one. */
function markFinalAddresses(image: Image, segments: readonly Segment[]): void {
  for (const segment of segments) {
    forEachWord(image, segment, (address, value) => {
      if (value !== 0 && image.isMapped(value)) markPointer(segment, address);
    });
  }
}
