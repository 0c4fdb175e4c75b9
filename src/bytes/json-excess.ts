/** Objects and arrays of a text: they take the memory. A vmdesc of 1024 vCPUs has 800,000. */
const MAX_BRACKETS = 1_000_000;
/** Values beside each other; that vmdesc has 3 million. */
const MAX_COMMAS = 4_000_000;

/**
 * Says why a text of JSON is not to be parsed: as it would take memory out of proportion. Undefined where it may be.
 * Small files can unpack to such texts.
 */
export function excessOfJson(text: string, maxDepth: number): string | undefined {
  let deepest = 0;
  let brackets = 0;
  let commas = 0;
  eachMark(text, (mark, depth) => {
    if (mark === COMMA) commas++;
    else if (depth > deepest) deepest = depth;
    if (mark === OPENING_BRACE || mark === OPENING_BRACKET) brackets++;
  });
  if (deepest > maxDepth) return `it nests deeper than ${maxDepth} levels`;
  if (brackets > MAX_BRACKETS) return `it has ${brackets} objects and arrays, more than ${MAX_BRACKETS}`;
  if (commas > MAX_COMMAS) return `it has ${commas} values, more than ${MAX_COMMAS}`;
  return undefined;
}

const COMMA = 0x2c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const OPENING_BRACE = 0x7b;
const CLOSING_BRACE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Calls back for each bracket and comma outside strings, with its code, how many brackets are open behind it, and where. */
export function eachMark(text: string, onMark: (mark: number, depth: number, offset: number) => void): void {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (code === COMMA) onMark(code, depth, i);
    else if (code === OPENING_BRACE || code === OPENING_BRACKET) onMark(code, ++depth, i);
    else if (code === CLOSING_BRACE || code === CLOSING_BRACKET) onMark(code, --depth, i);
  }
}
