import { decodeText } from '../bytes/window.ts';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
/** Of more bytes than this, the text is made from character codes: string by string it takes several times as long. */
const SHORT = 32;

/** Lowercase hex, two digits a byte. */
export function hexBytes(bytes: Uint8Array): string {
  if (bytes.length <= SHORT) {
    let text = '';
    for (let i = 0; i < bytes.length; i++) text += HEX[bytes[i]!]!;
    return text;
  }
  const codes = new Uint8Array(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    codes[2 * i] = digitCode(byte >> 4);
    codes[2 * i + 1] = digitCode(byte & 15);
  }
  return decodeText(codes);
}

/** The character code of a hex digit. */
function digitCode(digit: number): number {
  return digit < 10 ? 0x30 + digit : 0x57 + digit;
}
