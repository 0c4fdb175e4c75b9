import type { CompressionFormat, Container } from './container.ts';

/** What a file of each format begins with, and what tells it from other files with the same beginning. */
const signatures: Record<CompressionFormat, (head: Uint8Array) => boolean> = {
  // RFC 1952: deflate is the only method, and the upper three flags are reserved.
  gzip: (head) => startsWith(head, [0x1f, 0x8b, 8]) && head.length > 3 && head[3]! < 0x20,
  // `BZh`, the block size, and the magic of a first block or, in a file of nothing, of the end.
  bzip2: (head) =>
    startsWith(head, [0x42, 0x5a, 0x68]) &&
    head[3]! >= 0x31 &&
    head[3]! <= 0x39 &&
    (startsWith(head.subarray(4), [0x31, 0x41, 0x59, 0x26, 0x53, 0x59]) ||
      startsWith(head.subarray(4), [0x17, 0x72, 0x45, 0x38, 0x50, 0x90])),
  xz: (head) => startsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]),
  lzop: (head) => startsWith(head, [0x89, 0x4c, 0x5a, 0x4f, 0, 0x0d, 0x0a, 0x1a, 0x0a]),
  // RFC 8878: a frame, or a skippable frame, as pzstd puts in front.
  zstd: (head) =>
    startsWith(head, [0x28, 0xb5, 0x2f, 0xfd]) ||
    (head[0]! >> 4 === 5 && startsWith(head.subarray(1), [0x2a, 0x4d, 0x18])),
};

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, i) => bytes[i] === byte);
}

/** Compressed files: what they are is seen here, what is in them is the platform's to say. */
export const compressedContainers: readonly Container[] = Object.entries(signatures).map(
  ([format, matches]) => ({
    kind: format,
    matches,
    async open(source, { environment }) {
      const content = await environment.decompress(format as CompressionFormat, source);
      return { ...content, details: { compressedSize: source.size } };
    },
  }),
);
