import type { ElfHeader } from './header.ts';
import type { Image } from './image.ts';

const NT_GNU_BUILD_ID = 3;
/** `GNU` and a NUL, read as a big-endian number. */
const GNU = 0x474e5500;
/** A SHA-1 has 20 bytes; the longest in use 32. */
const MAX_BUILD_ID = 64;

/** The build id note as lower-case hex digits, or undefined. `base` is where the object is loaded. */
export function readBuildId(header: ElfHeader, image: Image, base: number): string | undefined {
  for (const note of header.notes) {
    const end = base + note.address + note.size;
    let at = base + note.address;
    while (at + 12 <= end) {
      const nameSize = image.u32(at);
      const size = image.u32(at + 4);
      const type = image.u32(at + 8);
      const content = at + 12 + Math.ceil(nameSize / 4) * 4;
      if (content + size > end) break;
      const name = image.u32(at + 12);
      const isGnu = nameSize === 4 && (image.littleEndian ? swap32(name) : name) === GNU;
      if (isGnu && type === NT_GNU_BUILD_ID && size > 0 && size <= MAX_BUILD_ID) {
        let text = '';
        for (let i = 0; i < size; i++)
          text += image
            .u8(content + i)
            .toString(16)
            .padStart(2, '0');
        return text;
      }
      at = content + Math.ceil(size / 4) * 4;
    }
  }
  return undefined;
}

function swap32(value: number): number {
  return (
    ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | ((value >>> 24) & 0xff)
  );
}
