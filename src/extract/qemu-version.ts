import type { Image } from './elf/image.ts';

/** What `--version` prints begins so (softmmu/vl.c, system/vl.c), in one string with the copyright. */
const PREFIX = 'QEMU emulator version ';
const STAMP = 'qemu_stamp_';
const MAX_TEXT = 200;

/** The version that the binary prints, with what the packager added in brackets; undefined where it prints none. */
export function readQemuVersion(image: Image): string | undefined {
  return textBehind(image, PREFIX)?.trim();
}

/**
 * Name of the symbol that a module must define to be of the same build (include/qemu/module.h, DSO_STAMP_FUN);
 * undefined for a QEMU that loads no modules.
 */
export function readModuleStamp(image: Image): string | undefined {
  const stamp = textBehind(image, STAMP);
  return stamp === undefined ? undefined : STAMP + stamp;
}

/** The rest of the line in the binary's constants that begins with a prefix. */
function textBehind(image: Image, prefix: string): string | undefined {
  const constants = image.segments.filter(({ writable, object }) => !writable && object === 0);
  // Old linkers put constants behind the code, new ones apart from it, which saves looking through the code.
  constants.sort((a, b) => Number(a.executable) - Number(b.executable));
  for (const { bytes } of constants) {
    const at = indexOfText(bytes, prefix);
    if (at < 0) continue;
    let text = '';
    for (let i = at + prefix.length; i < bytes.length && text.length < MAX_TEXT; i++) {
      const byte = bytes[i]!;
      if (byte < 0x20 || byte >= 0x7f) return text;
      text += String.fromCharCode(byte);
    }
  }
  return undefined;
}

/** `[major, minor]` of a version text; undefined where it does not begin with them. */
export function parseQemuVersion(text: string | undefined): readonly [number, number] | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})\b/.exec(text ?? '');
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

/** Offset of an ASCII text in bytes, or -1. */
function indexOfText(bytes: Uint8Array, text: string): number {
  const first = text.charCodeAt(0);
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    let matched = 1;
    while (matched < text.length && bytes[at + matched] === text.charCodeAt(matched)) matched++;
    if (matched === text.length) return at;
  }
  return -1;
}
