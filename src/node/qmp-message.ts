import { printableJson } from '../bytes/printable.ts';
import { JsonProblem, parseCheckedJson } from '../schema/checked-json.ts';

/** Bytes of one message; the longest known, the schema of QMP itself, has some 300,000. */
const MAX_MESSAGE = 16 << 20;
/** Levels of a message: what QEMU's own parser takes (MAX_NESTING of qobject/json-streamer.c). */
const MAX_DEPTH = 1024;
const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;

/** What came is no message of QMP. */
export class NoQmpMessage extends Error {}

/** Puts the lines of a connection together, however it is cut. Time and memory grow with what came, and no faster. */
export class QmpLines {
  /** A line that is not complete, and room for more of it: pieces may be of a byte each. */
  #room = Buffer.alloc(0);
  #length = 0;

  /** The lines that are complete with these bytes, without those that are blank. Throws NoQmpMessage. */
  *add(bytes: Uint8Array): Generator<string> {
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(NEWLINE, start);
      const end = newline < 0 ? bytes.length : newline;
      this.#append(bytes.subarray(start, end));
      if (newline < 0) return;
      const line = this.#room.toString('utf8', 0, this.#length).trim();
      this.#length = 0;
      start = end + 1;
      if (line !== '') yield line;
    }
  }

  #append(piece: Uint8Array): void {
    const length = this.#length + piece.length;
    if (length > MAX_MESSAGE) throw new NoQmpMessage(`a line of more than ${MAX_MESSAGE} bytes`);
    if (length > this.#room.length) {
      const room = Buffer.allocUnsafe(Math.max(length, 2 * this.#room.length));
      this.#room.copy(room, 0, 0, this.#length);
      this.#room = room;
    }
    this.#room.set(piece, this.#length);
    this.#length = length;
  }
}

/**
 * The JSON object of a line. Integers that a number would round are their decimal text; numbers with a fraction or an
 * exponent are numbers. (From Node 21 on, a reviver of JSON.parse gets the text of a number.) Throws NoQmpMessage.
 */
export function parseQmpMessage(line: string): Readonly<Record<string, unknown>> {
  try {
    const message = parseCheckedJson(quoteLargeIntegers(line), MAX_DEPTH);
    if (typeof message === 'object' && message !== null && !Array.isArray(message))
      return message as Readonly<Record<string, unknown>>;
  } catch (error) {
    if (!(error instanceof JsonProblem)) throw error;
  }
  throw new NoQmpMessage(printableJson(JSON.stringify(line.length > 60 ? `${line.slice(0, 60)}…` : line)));
}

/** JSON with its integers of more than 53 bits in quotes; what is no JSON stays so. */
function quoteLargeIntegers(json: string): string {
  const pieces: string[] = [];
  let copied = 0;
  for (let i = 0; i < json.length; ) {
    const code = json.charCodeAt(i);
    if (code === QUOTE) i = endOfString(json, i);
    else if (!startsNumber(code)) i++;
    else {
      const end = endOfNumber(json, i);
      if (isLargeInteger(json.slice(i, end)) && !isName(json, end)) {
        pieces.push(json.slice(copied, i), '"', json.slice(i, end), '"');
        copied = end;
      }
      i = end;
    }
  }
  return pieces.length === 0 ? json : pieces.join('') + json.slice(copied);
}

/** Offset behind the string that begins at `start`. */
function endOfString(json: string, start: number): number {
  for (let i = start + 1; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) return i + 1;
  }
  return json.length;
}

/** Offset behind all characters that numbers are made of. */
function endOfNumber(json: string, start: number): number {
  let end = start + 1;
  while (end < json.length && (startsNumber(json.charCodeAt(end)) || '.eE+'.includes(json[end]!))) end++;
  return end;
}

function startsNumber(code: number): boolean {
  return code === MINUS || (code >= 0x30 && code <= 0x39);
}

/** Whether what ends here is in the place of a name: a number is none, and quotes would make it one. */
function isName(json: string, end: number): boolean {
  let at = end;
  while (' \t\r'.includes(json[at] ?? '-')) at++;
  return json[at] === ':';
}

function isLargeInteger(text: string): boolean {
  return text.length > 15 && /^-?[1-9]\d*$/.test(text) && !Number.isSafeInteger(Number(text));
}
