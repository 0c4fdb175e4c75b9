import type { Diagnostic, Severity } from './diagnostic.ts';

/** Diagnostics of one severity and code that are kept; of those after them, only how many they are. */
export const MAX_OF_ONE_KIND = 100;

interface Kind {
  readonly severity: Severity;
  count: number;
  /** Place of the last that is kept. */
  last: number;
  /** Those that are not. */
  more: number;
}

/** Collects diagnostics in memory that is bounded, however many problems there are. */
export class DiagnosticList {
  readonly #kept: Diagnostic[] = [];
  readonly #kinds = new Map<string, Kind>();

  constructor(diagnostics: Iterable<Diagnostic> = []) {
    this.addAll(diagnostics);
  }

  add(diagnostic: Diagnostic): void {
    const { code, severity, more = 0 } = diagnostic;
    const key = `${severity} ${code}`;
    const kind = this.#kinds.get(key) ?? { severity, count: 0, last: 0, more: 0 };
    if (kind.count === 0) this.#kinds.set(key, kind);
    kind.more += more;
    if (kind.count === MAX_OF_ONE_KIND) {
      kind.more++;
      return;
    }
    kind.count++;
    kind.last = this.#kept.push(diagnostic) - 1;
  }

  addAll(diagnostics: Iterable<Diagnostic>): void {
    for (const diagnostic of diagnostics) this.add(diagnostic);
  }

  /** In the order in which they came; the last of a kind says how many more there were. */
  list(): readonly Diagnostic[] {
    const list = this.#kept.map(({ more: _, ...diagnostic }): Diagnostic => diagnostic);
    for (const { last, more } of this.#kinds.values()) if (more > 0) list[last] = { ...list[last]!, more };
    return list;
  }

  /** Whether one is more than a note. */
  get hasProblems(): boolean {
    return [...this.#kinds.values()].some(({ severity }) => severity !== 'note');
  }
}
