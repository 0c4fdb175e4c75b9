import type { GlobalProperty } from '../schema/qemu-schema.ts';
import type { MachineTables } from '../schema/query-machines.ts';
import { effectOfKnownCall } from './code/calls.ts';
import { type CallWatcher, Explorer } from './code/explore.ts';
import type { MachineImage } from './code/image.ts';
import { classInitLimits, effortForMachines } from './code/limits.ts';
import { loadInstructionSet } from './code/load-instruction-set.ts';
import { programImage } from './code/program-image.ts';
import type { CallNote } from './code/state.ts';
import { referenceScanners } from './elf/code-references.ts';
import { nextStart, readFunctionStarts } from './elf/function-starts.ts';
import { forEachPointer, type Image } from './elf/image.ts';
import type { LoadedProgram } from './elf/load.ts';
import { machineTypes, type RawType } from './qom-types.ts';

/**
 * GlobalProperty (include/hw/qdev-core.h, QEMU 4.0 and later): three strings, `bool used` and `bool optional`, and what
 * fills up the word.
 */
const STRIDE = 32;
const FLAGS = 24;
const FLAG_VALUES: readonly number[] = [0, 0x1, 0x100, 0x101];
/** Name of a QOM type, or of a property. */
const NAME = /^[\w][\w.,+/-]*$/;
/** The function of GLib that each of them is handed to. */
const ADDER = 'g_ptr_array_add';
/** Bytes of the instruction that a stub may begin with. */
const ENDBR64 = 4;
/** Functions between a class_init and one that has a list, none of which has one itself. */
const MAX_DISTANCE = 3;
/** Bytes of a function that are looked through for lists and calls. */
const MAX_FUNCTION = 4096;
/** Bytes of all of them; in real binaries some 1 MB. */
const MAX_CODE = 32 << 20;

/**
 * What machine types set: the code of each class_init is followed with the functions that it calls, and the lists that
 * are handed to `compat_props_add` on the way are gathered. A machine type whose code is not understood is not among the
 * result; none is where the host's instruction set is not modelled.
 */
export async function readMachineProperties(
  program: LoadedProgram,
  types: readonly RawType[],
): Promise<MachineTables> {
  const set = program.machine === 'x86_64' ? await loadInstructionSet(program.machine) : undefined;
  const tables = { globalPropertyLists: [] as GlobalProperty[][], machineProperties: [] as Machine[] };
  if (!set) return tables;
  const image = programImage(program);
  const lists = new PropertyLists(program.image);
  if (lists.isEmpty) return tables;
  const relevance = new Relevance(program, lists, image);
  const explorer = new Explorer(image, set, classInitLimits, watcher(lists, relevance));
  const effort = effortForMachines();
  const indexes = new Map<string, number>();
  for (const { name, classInit } of machineTypes(types)) {
    const notes = classInit === 0 ? [] : notesOf(explorer, classInit, effort);
    if (!notes) continue;
    const globalPropertyLists = joined(notes).map(({ address, count }) => {
      const key = `${address} ${count}`;
      const index = indexes.get(key) ?? tables.globalPropertyLists.length;
      if (!indexes.has(key)) tables.globalPropertyLists.push(lists.read(address, count));
      indexes.set(key, index);
      return index;
    });
    tables.machineProperties.push({ machineType: name, globalPropertyLists });
  }
  // Where nothing is found, it is the code that is not understood.
  return tables.globalPropertyLists.length === 0
    ? { globalPropertyLists: [], machineProperties: [] }
    : tables;
}

type Machine = MachineTables['machineProperties'][number];

/** `void class_init(ObjectClass *oc, const void *data)`: the lists that it adds, in order. */
function notesOf(
  explorer: Explorer,
  classInit: number,
  effort: ReturnType<typeof effortForMachines>,
): readonly CallNote[] | undefined {
  const outcome = explorer.run(classInit, [explorer.terms.symbol('opaque')], effort);
  return outcome.kind === 'end' ? outcome.state.notes : undefined;
}

/** Properties behind each other in memory are a list. */
function joined(notes: readonly CallNote[]): readonly CallNote[] {
  const result: CallNote[] = [];
  for (const note of notes) {
    const last = result.at(-1);
    if (last && last.address + last.count * STRIDE === note.address)
      result[result.length - 1] = { address: last.address, count: last.count + note.count };
    else result.push(note);
  }
  return result;
}

/**
 * Each property is handed to `g_ptr_array_add(array, property)`, by `compat_props_add` or where a compiler put that;
 * functions that cannot lead there are not entered.
 */
function watcher(lists: PropertyLists, relevance: Relevance): CallWatcher {
  return (call) => {
    const { target, terms, args } = call;
    const skipped = { result: terms.unknown('call'), keepsMemory: true };
    const place = target.operator === 'constant' ? Number(target.value) : undefined;
    if (target.name === `import ${ADDER}` || (place !== undefined && relevance.isAdder(place))) {
      const address = args[1]?.operator === 'constant' ? Number(args[1].value) : 0;
      return { effect: skipped, note: lists.isProperty(address) ? { address, count: 1 } : null };
    }
    if (place === undefined || relevance.of(place)) return undefined;
    return { effect: effectOfKnownCall(call) ?? skipped };
  };
}

/** What looks like a GlobalProperty in the image. */
class PropertyLists {
  readonly #image: Image;
  readonly #places = new Set<number>();

  constructor(image: Image) {
    this.#image = image;
    forEachPointer(image, (address, driver) => {
      if (!FLAG_VALUES.includes(image.u64(address + FLAGS)) || image.pointer(address + FLAGS) !== 0) return;
      const [property, value] = [image.pointer(address + 8), image.pointer(address + 16)];
      if (property === 0 || value === 0) return;
      const isNamed = NAME.test(image.text(driver) ?? '') && NAME.test(image.text(property) ?? '');
      if (isNamed && image.text(value) !== undefined) this.#places.add(address);
    });
  }

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  isProperty(address: number): boolean {
    return this.#places.has(address);
  }

  read(address: number, count: number): GlobalProperty[] {
    const text = (at: number) => this.#image.text(this.#image.pointer(at)) ?? '';
    return Array.from({ length: count }, (_, i) => {
      const at = address + i * STRIDE;
      return { driver: text(at), property: text(at + 8), value: text(at + 16) };
    });
  }
}

/** Which functions name a list of properties, or hand one on, or may call one that does. */
class Relevance {
  readonly #program: LoadedProgram;
  readonly #lists: PropertyLists;
  readonly #starts: readonly Float64Array[];
  readonly #looked = new Map<number, { readonly hasList: boolean; readonly callees: readonly number[] }>();
  /** By address: the distance up to which none was found, or true. */
  readonly #known = new Map<number, number | true>();
  readonly #importAt: (address: number) => string | undefined;
  #bytes = 0;

  constructor(program: LoadedProgram, lists: PropertyLists, image: MachineImage) {
    this.#importAt = (address) => image.importAt(address);
    this.#program = program;
    this.#lists = lists;
    this.#starts = program.objects.map(({ header, base }) => readFunctionStarts(header, program.image, base));
  }

  of(address: number, distance = MAX_DISTANCE): boolean {
    const known = this.#known.get(address);
    if (known === true || (known !== undefined && known >= distance)) return known === true;
    // Also for a function that calls itself.
    this.#known.set(address, distance);
    const { hasList, callees } = this.#look(address);
    const result = hasList || (distance > 0 && callees.some((callee) => this.of(callee, distance - 1)));
    if (result) this.#known.set(address, true);
    return result;
  }

  #look(start: number): { readonly hasList: boolean; readonly callees: readonly number[] } {
    const seen = this.#looked.get(start);
    if (seen) return seen;
    const { image, machine } = this.#program;
    // What begins where no function does leads on to a library.
    let hasList = !this.#isStart(start);
    const segment = image.segmentAt(start);
    const starts = this.#starts[segment?.object ?? 0] ?? new Float64Array(0);
    const whole = nextStart(starts, start) ?? start;
    const end = Math.min(whole, start + MAX_FUNCTION, segment?.end ?? start);
    hasList ||= end < whole;
    const callees = new Set<number>();
    this.#bytes += end - start;
    if (this.#bytes > MAX_CODE) hasList = true;
    if (!hasList) {
      referenceScanners.get(machine)?.(image, start, end, (address) => {
        hasList ||= this.#lists.isProperty(address);
      });
      // CALL and JMP with a displacement from the next instruction.
      for (let at = start; at + 5 <= end; at++) {
        hasList ||= this.#adds(at);
        if ((image.u8(at) & 0xfe) !== 0xe8) continue;
        const callee = at + 5 + image.i32(at + 1);
        if (callee >= start && callee < end) continue;
        if (this.#isStart(callee)) callees.add(callee);
        else hasList ||= this.isAdder(callee);
      }
    }
    const result = { hasList, callees: [...callees] };
    this.#looked.set(start, result);
    return result;
  }

  /** Is there a stub that leads to what each property is handed to? */
  isAdder(address: number): boolean {
    return this.#adds(address) || this.#adds(address + ENDBR64);
  }

  /** Is there a CALL or JMP by way of the word that holds the address of `g_ptr_array_add`? */
  #adds(address: number): boolean {
    const { image } = this.#program;
    // With BND in front, in stubs for CET.
    const at = image.u8(address) === 0xf2 ? address + 1 : address;
    if (image.u8(at) !== 0xff || ![0x15, 0x25].includes(image.u8(at + 1))) return false;
    return this.#importAt(at + 6 + image.i32(at + 2)) === ADDER;
  }

  #isStart(address: number): boolean {
    const starts = this.#starts[this.#program.image.segmentAt(address)?.object ?? -1];
    return starts !== undefined && nextStart(starts, address - 1) === address;
  }
}
