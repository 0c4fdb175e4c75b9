import type { FinishedSource } from '../../bytes/source.ts';
import {
  DT_JMPREL,
  DT_PLTREL,
  DT_PLTRELSZ,
  DT_REL,
  DT_RELA,
  DT_RELACOUNT,
  DT_RELASZ,
  DT_RELR,
  DT_RELRSZ,
  DT_RELSZ,
  type Dynamic,
} from './dynamic.ts';
import { elfError } from './header.ts';
import { type Image, markPointer, type Segment } from './image.ts';
import { machineOf, type RelocationKinds } from './relocation-kinds.ts';

const RELA_SIZE = 24;
const REL_SIZE = 16;
const WORD = 8;

/** Address of the symbol with an index; undefined for one that no loaded object defines. */
type ResolveSymbol = (index: number) => number | undefined;

/** Everything that relocating one object needs. */
interface RelocationContext {
  readonly source: FinishedSource;
  readonly image: Image;
  readonly dynamic: Dynamic;
  /** The segments of this object, which alone may be written. */
  readonly segments: readonly Segment[];
  readonly machine: RelocationKinds;
  readonly resolve: ResolveSymbol;
}

/** The machine of an object, with the type of the relocations that DT_RELACOUNT counts where it is not known. */
export function relocationMachine(
  elfMachine: number,
  image: Image,
  dynamic: Dynamic | undefined,
): RelocationKinds {
  const rela = dynamic?.table(DT_RELA);
  const counted =
    rela !== undefined && dynamic !== undefined && dynamic.value(DT_RELACOUNT) > 0
      ? image.u32(rela + (image.littleEndian ? 8 : 12))
      : undefined;
  return machineOf(elfMachine, image.littleEndian, counted);
}

/**
 * Puts the addresses into an object's tables: DT_RELR (relative, addends in place), DT_RELA, DT_REL and DT_JMPREL. A
 * relocation of another type, or against a symbol that nobody defines, leaves its word alone. Throws DecodeError
 * `bad-elf` for a table outside the file and for a relocation outside the object.
 */
export function relocate(context: RelocationContext): void {
  const { dynamic } = context;
  applyRelr(context, dynamic.table(DT_RELR), dynamic.value(DT_RELRSZ));
  applyTable(context, dynamic.table(DT_RELA), dynamic.value(DT_RELASZ), RELA_SIZE);
  applyTable(context, dynamic.table(DT_REL), dynamic.value(DT_RELSZ), REL_SIZE);
  const pltEntry = dynamic.value(DT_PLTREL) === DT_REL ? REL_SIZE : RELA_SIZE;
  applyTable(context, dynamic.table(DT_JMPREL), dynamic.value(DT_PLTRELSZ), pltEntry);
}

/** The bytes of a table that has to lie in one segment. */
function tableView(context: RelocationContext, address: number, size: number): DataView {
  const segment = context.image.segmentAt(address);
  if (!segment || address + size > segment.end)
    throw elfError(context.source, `a relocation table of ${size} bytes lies outside the file`, 0);
  // A copy: a table that describes itself must not change while it is read.
  const start = address - segment.start;
  return new DataView(segment.bytes.slice(start, start + size).buffer);
}

function applyTable(
  context: RelocationContext,
  address: number | undefined,
  size: number,
  entrySize: number,
): void {
  if (address === undefined || size < entrySize) return;
  const { image, machine, dynamic, resolve } = context;
  const { littleEndian } = image;
  const { relative, symbolic } = machine;
  const { base } = dynamic;
  const table = tableView(context, address, size);
  const writer = new WordWriter(context);
  // Signed: an addend may be negative.
  const i64 = (at: number): number => {
    const high = table.getInt32(littleEndian ? at + 4 : at, littleEndian);
    const low = table.getUint32(littleEndian ? at : at + 4, littleEndian);
    return high * 0x1_0000_0000 + low;
  };
  for (let at = 0; at + entrySize <= size; at += entrySize) {
    const type = table.getUint32(littleEndian ? at + 8 : at + 12, littleEndian);
    const isRelative = type === relative;
    if (!isRelative && !symbolic.includes(type)) continue;
    const place = base + i64(at);
    let target = base;
    if (!isRelative) {
      const resolved = resolve(table.getUint32(littleEndian ? at + 12 : at + 8, littleEndian));
      if (resolved === undefined) continue;
      target = resolved;
    }
    writer.write(place, target + (entrySize === RELA_SIZE ? i64(at + 16) : image.u64(place)));
  }
}

/**
 * DT_RELR (gABI proposal "Relative relocations"): an even word is the address of a word to relocate; an odd one is a
 * bitmap of which of the 63 words after it are, too.
 */
function applyRelr(context: RelocationContext, address: number | undefined, size: number): void {
  if (address === undefined || size < WORD) return;
  const { image, dynamic } = context;
  const { littleEndian } = image;
  const { base } = dynamic;
  const table = tableView(context, address, size);
  const writer = new WordWriter(context);
  const add = (place: number) => writer.write(place, base + image.u64(place));
  let next = 0;
  for (let at = 0; at + WORD <= size; at += WORD) {
    const high = table.getUint32(littleEndian ? at + 4 : at, littleEndian);
    const low = table.getUint32(littleEndian ? at : at + 4, littleEndian);
    if ((low & 1) === 0) {
      const place = base + high * 0x1_0000_0000 + low;
      add(place);
      next = place + WORD;
    } else {
      for (let bit = 1; bit < 64; bit++) {
        if (((bit < 32 ? low >>> bit : high >>> (bit - 32)) & 1) === 1) add(next + (bit - 1) * WORD);
      }
      next += 63 * WORD;
    }
  }
}

/** Writes addresses into the segments of one object, and marks the words as pointers. */
class WordWriter {
  readonly #context: RelocationContext;
  #segment: Segment | undefined;

  constructor(context: RelocationContext) {
    this.#context = context;
  }

  write(place: number, target: number): void {
    const { littleEndian } = this.#context.image;
    let segment = this.#segment;
    if (!segment || place < segment.start || place + WORD > segment.end) {
      segment = this.#context.segments.find(({ start, end }) => place >= start && place + WORD <= end);
      if (!segment)
        throw elfError(
          this.#context.source,
          `a relocation at 0x${place.toString(16)} lies outside the file`,
          0,
        );
      this.#segment = segment;
    }
    const at = place - segment.start;
    const high = Math.floor(target / 0x1_0000_0000);
    segment.view.setUint32(littleEndian ? at + 4 : at, high, littleEndian);
    segment.view.setUint32(littleEndian ? at : at + 4, target % 0x1_0000_0000, littleEndian);
    if (place % WORD === 0) markPointer(segment, place);
  }
}
