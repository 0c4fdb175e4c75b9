import { once } from 'node:events';
import type { Writable } from 'node:stream';
import pc from 'picocolors';
import { type Diagnostic, formatDiagnostic } from '../bytes/diagnostic.ts';
import { printable, printableLines } from '../bytes/printable.ts';
import { severityText } from '../render/info-text.ts';
import { toJson } from '../render/json.ts';
import { plainStyle, plainText, type Style } from '../render/style.ts';
import { wrapLine } from '../render/wrap.ts';

export { toJson };

/** Exit statuses of all commands. */
export const EXIT_OK = 0;
/** The data has problems of severity error; what could be decoded was printed. */
export const EXIT_DATA = 1;
/** Wrong usage, or a file that cannot be read or written, or is no migration stream. */
export const EXIT_TROUBLE = 2;

/** Characters that are written at once: fewer at first, for who waits to see something. */
const FIRST_BUFFERED = 2 << 10;
const BUFFERED = 64 << 10;

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
  return process.stdout.isTTY ? process.stdout.columns : plainText.width;
}

const ESCAPE = '\u001b';
const COLOUR = new RegExp(`(${ESCAPE}\\[\\d+m)`);

/** What goes out as text, whatever is in it: colours are the only control sequences that come from here. */
function guardedText(text: string): string {
  if (styleFor(process.stdout) === plainStyle) return printableLines(text);
  return text
    .split(COLOUR)
    .map((part, i) => (i % 2 === 1 ? part : printableLines(part)))
    .join('');
}

/** Standard output with a buffer, which waits when the reader is slow. */
export class Output {
  readonly #stream: Writable = process.stdout;
  readonly #asIs: boolean;
  #pieces: string[] = [];
  #length = 0;
  #room = FIRST_BUFFERED;

  /** `asIs` is for who passes a document on that is not for a terminal; other text is made safe to show. */
  constructor({ asIs = false }: { readonly asIs?: boolean } = {}) {
    this.#asIs = asIs;
  }

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
    const joined = this.#pieces.join('');
    const text = this.#asIs ? joined : guardedText(joined);
    this.#pieces = [];
    this.#length = 0;
    this.#room = BUFFERED;
    if (!this.#stream.write(text)) await once(this.#stream, 'drain');
  }
}

/** One line of talk on standard error, made safe to show; without a severity it is a remark. */
export function say(message: string, severity?: Diagnostic['severity']): void {
  const how = severity === undefined ? '' : `${severityText(severity, styleFor(process.stderr))} `;
  process.stderr.write(`vmwalk: ${how}${printable(message)}\n`);
}

/** Errors and warnings on standard error, one a line, behind the name of the file; notes are for info. */
export function printDiagnostics(name: string, diagnostics: readonly Diagnostic[]): void {
  for (const diagnostic of diagnostics) {
    if (diagnostic.severity !== 'note') say(`${name}: ${formatDiagnostic(diagnostic)}`, diagnostic.severity);
  }
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}
