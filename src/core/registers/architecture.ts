import type { Fields } from '../fields.ts';
import type { Note } from '../notes.ts';

/** What the ELF header of a core says of the machine. */
export interface CoreFormat {
  /** EM_*. */
  readonly machine: number;
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
}

/** How the registers of one architecture become notes: what QEMU does in target/<name>/arch_dump.c. */
export interface Architecture {
  readonly name: string;
  /** Whether a `cpu` section is of this architecture. */
  recognises(cpu: Fields): boolean;
  /** By the first CPU; `end` is where the highest memory ends, or the file if that is longer, bytes. */
  format(first: Fields, end: number): CoreFormat;
  /**
   * The notes of all CPUs in the order in which QEMU writes them. Throws MissingRegister.
   */
  notes(cpus: readonly Fields[], format: CoreFormat): readonly Note[];
}

/** A field with a register is not in the section. */
export class MissingRegister extends Error {
  override readonly name = 'MissingRegister';
}

/** Reads registers, which must be there: throws MissingRegister. */
export function registersOf(cpu: Fields) {
  const required = <T>(value: T | undefined, path: readonly (string | number)[]): T => {
    if (value === undefined) {
      throw new MissingRegister(`cpu ${cpu.instanceId} has no register ${path.join('.')} in the stream`);
    }
    return value;
  };
  return {
    one: (...path: readonly (string | number)[]) => required(cpu.integer(...path), path),
    /** At least `count` of them. */
    many(count: number, ...path: readonly (string | number)[]): readonly bigint[] {
      const values = cpu.integers(...path);
      return required(values && values.length >= count ? values : undefined, path);
    },
    bytes: (...path: readonly (string | number)[]) => required(cpu.bytes(...path), path),
  };
}

/** `pr_pid`, by which debuggers tell CPUs apart: QEMU counts them from 1. */
export const processId = (cpu: Fields) => cpu.instanceId + 1;
