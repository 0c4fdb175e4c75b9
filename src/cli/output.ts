import { once } from 'node:events';
import type { Writable } from 'node:stream';
import pc from 'picocolors';
import { type Diagnostic, formatDiagnostic, printable } from '../bytes/diagnostic.ts';
import { severityText } from '../render/info-text.ts';
import { plainStyle, type Style } from '../render/style.ts';
import { wrapLine } from '../render/wrap.ts';

/** Exit statuses of all commands. */
export const EXIT_OK = 0;
/** The data has problems of severity error; what could be decoded was printed. */
export const EXIT_DATA = 1;
/** Wrong usage, or a file that cannot be read or written, or is no migration stream. */
export const EXIT_TROUBLE = 2;

/** Characters that are written at once: fewer at first, for who waits to see something. */
const FIRST_BUFFERED = 2 << 10;
const BUFFERED = 64 << 10;
const NARROW = 100;

function colourStyle(): Style {
  const c = pc.createColors(true);
  return {
    heading: c.bold,
    name: c.cyan,
    faint: c.dim,
    value: (text) => text,
    error: c.red,
    warning: c.yellow,
  };
}

/** Colour for a terminal only; NO_COLOR and FORCE_COLOR are honoured as https://no-color.org says. */
export function styleFor(stream: { readonly isTTY?: boolean }): Style {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return plainStyle;
  if (FORCE_COLOR && FORCE_COLOR !== '0') return colourStyle();
  return stream.isTTY && TERM !== 'dumb' ? colourStyle() : plainStyle;
}

/** Columns of the terminal; a fixed width where the output is no terminal. */
export function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns : NARROW;
}

/** Standard output with a buffer, which waits when the reader is slow. */
export class Output {
  readonly #stream: Writable = process.stdout;
  #pieces: string[] = [];
  #length = 0;
  #room = FIRST_BUFFERED;

  /** Writes text; await it, so that memory stays bounded. */
  write(text: string): Promise<void> | undefined {
    this.#pieces.push(text);
    this.#length += text.length;
    return this.#length >= this.#room ? this.flush() : undefined;
  }

  line(text: string): Promise<void> | undefined {
    return this.write(`${text}\n`);
  }

  /** A line for people: on a terminal that is too narrow for it, it is broken between words. */
  row(text: string): Promise<void> | undefined {
    if (!process.stdout.isTTY || text.length <= process.stdout.columns) return this.line(text);
    return this.write([...wrapLine(text, process.stdout.columns), ''].join('\n'));
  }

  /** Writes texts one after another. */
  async writeAll(texts: Iterable<string>): Promise<void> {
    for (const text of texts) {
      const full = this.write(text);
      if (full) await full;
    }
  }

  async flush(): Promise<void> {
    if (this.#length === 0) return;
    const text = this.#pieces.join('');
    this.#pieces = [];
    this.#length = 0;
    this.#room = BUFFERED;
    if (!this.#stream.write(text)) await once(this.#stream, 'drain');
  }
}

/** Errors and warnings on standard error, one a line, behind the name of the file; notes are for info. */
export function printDiagnostics(name: string, diagnostics: readonly Diagnostic[]): void {
  const style = styleFor(process.stderr);
  for (const diagnostic of diagnostics) {
    if (diagnostic.severity === 'note') continue;
    process.stderr.write(
      `vmwalk: ${severityText(diagnostic.severity, style)} ${printable(name)}: ${formatDiagnostic(diagnostic)}\n`,
    );
  }
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}

/** JSON of plain data, with 64-bit integers as decimal strings. */
export function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, member: unknown) => (typeof member === 'bigint' ? member.toString() : member),
    2,
  );
}
