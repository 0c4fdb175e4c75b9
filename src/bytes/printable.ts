/**
 * What no output shows as it is: control characters (C0, DEL, C1), format characters (bidirectional controls, zero-width
 * ones, byte order marks, tags), line and paragraph separators, lone surrogates, what is private or not assigned, and
 * whatever else has no picture by default. A terminal or an editor obeys them, or shows another text than there is.
 */
const unprintable = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Most text is nothing but this, which is seen faster. */
const PLAIN_LINE = /^[ -~]*$/;
const PLAIN_LINES = /^[\n -~]*$/;

/** Text that is in JSON as it is. */
export const PLAIN_TEXT = /^[ !#-[\]-~]*$/;

/** Text from a stream made safe to show on one line: unprintable characters as `\xNN` or `\u{N}`. */
export function printable(text: string): string {
  return PLAIN_LINE.test(text) ? text : text.replace(unprintable, escapeCharacter);
}

/** The same for text of several lines: line feeds and tabs stay. */
export function printableLines(text: string): string {
  if (PLAIN_LINES.test(text)) return text;
  return text.replace(unprintable, (character) =>
    character === '\n' || character === '\t' ? character : escapeCharacter(character),
  );
}

/** JSON text with such characters, which only its strings can have, as `\uNNNN`: it means the same. */
export function printableJson(json: string): string {
  if (PLAIN_LINES.test(json)) return json;
  return json.replace(unprintable, (character) => {
    if (character === '\n') return character;
    const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  });
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}
