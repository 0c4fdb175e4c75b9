import { printable } from '../bytes/printable.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
};

/** Text for an XML document, in an element or an attribute. What XML 1.0 does not allow at all is not printable. */
export function xmlText(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line))
    .join('\n')
    .replace(/[&<>"\n]/g, (character) => ENTITIES[character]!);
}
