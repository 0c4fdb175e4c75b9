const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** Bytes that are turned into text at once. */
const PIECE = 3 << 12;

/** Value of each character of the alphabet by its code; 255 for any other. */
const values = new Uint8Array(128).fill(255);
for (let i = 0; i < ALPHABET.length; i++) values[ALPHABET.charCodeAt(i)] = i;

/** Base64 with padding (RFC 4648, section 4). Ours, as no one way to do it is in both Node 20 and browsers. */
export function encodeBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let start = 0; start < bytes.length; start += PIECE) {
    let text = '';
    const end = Math.min(start + PIECE, bytes.length);
    for (let i = start; i < end; i += 3) {
      const group = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
      text += ALPHABET[group >> 18]! + ALPHABET[(group >> 12) & 63]!;
      text += i + 1 < bytes.length ? ALPHABET[(group >> 6) & 63]! : '=';
      text += i + 2 < bytes.length ? ALPHABET[group & 63]! : '=';
    }
    pieces.push(text);
  }
  return pieces.join('');
}

/** The bytes of padded base64 text; undefined where it is none: another character, no padding, a length that cannot be. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const length = text.length - padding;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let pos = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < length; i++) {
    const value = values[text.charCodeAt(i)] ?? 255;
    if (value === 255) return undefined;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[pos++] = held >> bits;
  }
  return bytes;
}
