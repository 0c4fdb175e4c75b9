import { DwarfProblem } from './cursor.ts';

/** Different problems that are counted. */
const MAX_PROBLEMS = 10_000;

/** What is in a supplementary file (dwz) that is not there, which is said once where it is looked for. */
export class MissingSupplement extends DwarfProblem {}

/** What of the debug information of a file is not read, and why. */
export class LeftOut {
  readonly #problems = new Set<string>();
  #splitUnits = 0;
  #splitName: string | undefined;

  /** Notes what could not be read because of an error. Throws it if it is no DwarfProblem. */
  add(error: unknown): void {
    if (!(error instanceof DwarfProblem)) throw error;
    if (!(error instanceof MissingSupplement) && this.#problems.size < MAX_PROBLEMS)
      this.#problems.add(error.message);
  }

  /** Notes a unit that is mostly in a .dwo file. */
  addSplit(name: string): void {
    this.#splitUnits++;
    this.#splitName ??= name;
  }

  /** A line for each kind, without the name of the file. */
  warnings(): readonly string[] {
    const lines: string[] = [];
    const [first] = this.#problems;
    if (first !== undefined) {
      const count = this.#problems.size;
      const others =
        count === 1 ? '' : ` (${count === MAX_PROBLEMS ? 'at least ' : ''}${count} such problems)`;
      lines.push(`a part of its debug information is damaged and left out: ${first}${others}`);
    }
    if (this.#splitUnits > 0)
      lines.push(
        `.dwo files are not read, where the debug information of ${this.#splitUnits} of its units is (${this.#splitName})`,
      );
    return lines;
  }
}
