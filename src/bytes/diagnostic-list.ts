import { BoundedList } from './bounded-list.ts';
import type { Diagnostic } from './diagnostic.ts';

/** Diagnostics, of which so many of one severity and code are kept. */
export class DiagnosticList extends BoundedList<Diagnostic> {
  #hasProblems = false;

  constructor(diagnostics: Iterable<Diagnostic> = []) {
    super(({ severity, code }) => `${severity} ${code}`);
    this.addAll(diagnostics);
  }

  override add(diagnostic: Diagnostic): void {
    super.add(diagnostic);
    this.#hasProblems ||= diagnostic.severity !== 'note';
  }

  /** Whether one is more than a note. */
  get hasProblems(): boolean {
    return this.#hasProblems;
  }
}
