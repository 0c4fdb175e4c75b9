import type { HostAddress, HostFunction } from '../schema/qemu-schema.ts';
import type { LoadedProgram } from './elf/load.ts';

/** An address of the image as one of a file: which, and where it was linked. */
export function hostAddress(program: LoadedProgram, address: number): HostAddress {
  const object = program.image.segmentAt(address)?.object ?? 0;
  return { object, address: address - (program.objects[object]?.base ?? 0) };
}

/** Numbers functions in order of first use. */
export class FunctionTable {
  readonly #program: LoadedProgram;
  readonly #indexes = new Map<number, number>();
  readonly functions: HostFunction[] = [];

  constructor(program: LoadedProgram) {
    this.#program = program;
  }

  /** Index of the function that the word at `place` points to; undefined where it is no pointer. */
  at(place: number): number | undefined {
    const address = this.#program.image.pointer(place);
    if (address === 0) return undefined;
    const known = this.#indexes.get(address);
    if (known !== undefined) return known;
    const index = this.functions.length;
    this.#indexes.set(address, index);
    this.functions.push(hostAddress(this.#program, address));
    return index;
  }
}
