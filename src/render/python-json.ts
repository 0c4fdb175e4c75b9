import { PLAIN_TEXT } from '../bytes/printable.ts';
import { decodeText } from '../bytes/window.ts';

/**
 * A value to be written as Python's `json` module writes it. A Map and an object are a dict; another iterable is a
 * list, whose items may be made on demand; bytes are a string, two hex digits a byte with spaces between.
 */
export type PythonJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Map<string, PythonJson>
  | Iterable<PythonJson>
  | { readonly [key: string]: PythonJson };

/** The text of `json.dumps(value, indent=4, separators=(',', ': '))`. */
export function pythonJson(value: PythonJson): string {
  const writer = new PythonJsonWriter();
  let text = '';
  for (const chunk of writer.write(value, '\n')) text += chunk;
  return text + writer.take();
}

/** The same for a dict whose entries come one by one, in chunks of about 64 KiB. */
export async function* pythonJsonChunks(
  entries: AsyncIterable<readonly [string, PythonJson]>,
): AsyncGenerator<string> {
  const writer = new PythonJsonWriter();
  const newline = `\n${INDENT}`;
  let before = '{';
  for await (const [key, value] of entries) {
    writer.text += `${before}${newline}${quote(key)}: `;
    yield* writer.write(value, newline);
    before = ',';
  }
  writer.text += before === '{' ? '{}' : '\n}';
  yield writer.take();
}

const INDENT = '    ';
/** Characters of a chunk; one is longer by at most the scalar or the piece of bytes that completes it. */
const CHUNK_LENGTH = 64 << 10;
/** Bytes that are written at once. */
const PIECE_SIZE = 16 << 10;

/** Collects text until it is a chunk. */
class PythonJsonWriter {
  text = '';

  take(): string {
    const { text } = this;
    this.text = '';
    return text;
  }

  /** Writes a value whose closing bracket goes behind `newline`: a line feed and the indentation of its line. */
  *write(value: PythonJson, newline: string): Generator<string> {
    if (typeof value !== 'object' || value === null) this.text += scalarText(value);
    else if (value instanceof Uint8Array) yield* this.#writeBytes(value);
    else if (value instanceof Map) yield* this.#writeDict(value, newline);
    else if (isIterable(value)) yield* this.#writeList(value, newline);
    else yield* this.#writeDict(Object.entries(value), newline);
    if (this.text.length >= CHUNK_LENGTH) yield this.take();
  }

  *#writeBytes(bytes: Uint8Array): Generator<string> {
    this.text += '"';
    for (let pos = 0; pos < bytes.byteLength; pos += PIECE_SIZE) {
      if (pos > 0) this.text += ' ';
      this.text += spacedHex(bytes.subarray(pos, pos + PIECE_SIZE));
      if (this.text.length >= CHUNK_LENGTH) yield this.take();
    }
    this.text += '"';
  }

  *#writeList(items: Iterable<PythonJson>, newline: string): Generator<string> {
    const inner = newline + INDENT;
    const next = `,${inner}`;
    let before = `[${inner}`;
    for (const item of items) {
      // Arrays of millions of integers: no generator for each of them.
      if (typeof item === 'string' && this.text.length < CHUNK_LENGTH) this.text += before + quote(item);
      else {
        this.text += before;
        yield* this.write(item, inner);
      }
      before = next;
    }
    this.text += before === next ? `${newline}]` : '[]';
  }

  *#writeDict(entries: Iterable<readonly [string, PythonJson]>, newline: string): Generator<string> {
    const inner = newline + INDENT;
    let before = '{';
    for (const [key, value] of entries) {
      this.text += `${before}${inner}${quote(key)}: `;
      yield* this.write(value, inner);
      before = ',';
    }
    this.text += before === '{' ? '{}' : `${newline}}`;
  }
}

const HEX_DIGITS = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/** `00 1a ff`, made from character codes: to put a string together byte by byte takes several times as long. */
function spacedHex(bytes: Uint8Array): string {
  const codes = new Uint8Array(Math.max(0, 3 * bytes.byteLength - 1)).fill(0x20);
  for (let i = 0; i < bytes.byteLength; i++) {
    codes[3 * i] = HEX_DIGITS[bytes[i]! >> 4]!;
    codes[3 * i + 1] = HEX_DIGITS[bytes[i]! & 15]!;
  }
  return decodeText(codes);
}

function isIterable(value: object): value is Iterable<PythonJson> {
  return Symbol.iterator in value;
}

/** Integers, however large, with all their digits. (Python writes some fractions otherwise; no vmdesc has any.) */
function scalarText(value: null | boolean | number | bigint | string): string {
  if (typeof value === 'string') return quote(value);
  return String(typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value);
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** As `ensure_ascii` has it: all but printable ASCII is escaped, DEL too, by UTF-16 code units. */
function quote(text: string): string {
  if (PLAIN_TEXT.test(text)) return `"${text}"`;
  const escaped = text.replace(
    /[^ !#-[\]-~]/g,
    (unit) => SHORT_ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${escaped}"`;
}
