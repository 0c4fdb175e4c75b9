import type { Diagnostic } from '../../src/bytes/diagnostic.ts';
import type { GuestMemory } from '../../src/memory/guest-memory.ts';
import type { RamBlock } from '../../src/ram/ram-block.ts';

/** All bytes of each block of which there is a page, as a visitor of the memory gets them; zeros for what is not known. */
export async function wholeMemory(
  memory: GuestMemory,
): Promise<{ blocks: Map<string, Uint8Array>; diagnostics: readonly Diagnostic[] }> {
  const blocks = new Map<string, Uint8Array>();
  const contentOf = (block: RamBlock): Uint8Array => {
    let content = blocks.get(block.idstr);
    if (!content) {
      content = new Uint8Array(block.length);
      blocks.set(block.idstr, content);
    }
    return content;
  };
  for (const block of memory.blocks) if (block.mapped) contentOf(block);
  const diagnostics = await memory.visit({
    pages(block, offset, count, bytes, start, stride, pageSize) {
      const content = contentOf(block);
      for (let i = 0; i < count; i++) {
        const page = bytes.subarray(start + i * stride, start + i * stride + pageSize);
        content.set(page, offset + i * pageSize);
      }
    },
    fill: (block, offset, length, byte) => void contentOf(block).fill(byte, offset, offset + length),
  });
  return { blocks, diagnostics };
}
