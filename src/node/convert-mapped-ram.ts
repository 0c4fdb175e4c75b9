import { DecodeError } from '../bytes/diagnostic.ts';
import { memoryOf, type OpenedStream } from '../layout/open.ts';
import type { MemoryVisitor } from '../memory/memory-visitor.ts';
import { asWarning, planConversion, unsupported } from '../ops/conversion-plan.ts';
import { type Conversion, type ConvertOptions, copyPieces } from '../ops/convert.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { bitmapLength, layOutMappedBlocks, type MappedBlockList } from '../ram/write-mapped-ram.ts';
import { isAllZeros, writeEndOfSection } from '../ram/write-ram.ts';
import { sectionPieces } from '../stream/write-records.ts';
import { BlockWriter } from './block-writer.ts';
import { writeFully } from './output.ts';

/**
 * Writes a VM that was opened with its memory into an empty file, as QEMU 9.0 and later do with the capability
 * mapped-ram: each page at its place, those of zeros as holes. Throws what `convertStream` throws, and the system's errors.
 */
export async function convertToMappedRam(
  vm: OpenedStream,
  fd: number,
  { partial = false, onProgress }: ConvertOptions = {},
): Promise<Conversion> {
  const plan = await planConversion(vm, { partial, isMapped: true });
  const { before, between, behind, ram, commandsLeftOut } = plan;
  let size = 0;
  const next = (bytes: Uint8Array) => {
    writeFully(fd, bytes, size);
    size += bytes.byteLength;
  };
  await copyPieces(vm, before, next);
  let pages = 0;
  let diagnostics = plan.diagnostics;
  if (ram) {
    if (ram.pageSize === undefined) throw unsupported('nothing in the stream tells the size of its pages');
    const [header, ...footer] = sectionPieces(ram.start, []) as Uint8Array[];
    next(header!);
    const list = layOutMappedBlocks(ram.blocks, ram.pageSize, size);
    for (const { offset, bytes } of list.parts) writeFully(fd, bytes, offset);
    const writer = new MappedPages(fd, ram.blocks, list);
    const damage = await memoryOf(vm).visit(writer, onProgress);
    if (damage[0] && !partial) throw new DecodeError(damage[0]);
    diagnostics = [...diagnostics, ...damage.map(asWarning)];
    writer.finish();
    pages = writer.count;
    size = list.end;
    for (const bytes of footer) next(bytes);
    await copyPieces(vm, between, next);
    await copyPieces(vm, sectionPieces({ ...ram.start, type: 'SECTION_END' }, [writeEndOfSection()]), next);
  }
  await copyPieces(vm, behind, next);
  return { size, pages: { plain: pages, zero: 0 }, commandsLeftOut, diagnostics };
}

/** Writes pages to their places, and notes them in the bitmaps of their blocks. */
class MappedPages implements MemoryVisitor {
  /** Pages so far. */
  count = 0;
  readonly #fd: number;
  readonly #list: MappedBlockList;
  readonly #bitmaps: ReadonlyMap<string, Uint8Array>;
  readonly #writer: BlockWriter;

  constructor(fd: number, blocks: readonly RamBlock[], list: MappedBlockList) {
    this.#fd = fd;
    this.#list = list;
    this.#bitmaps = new Map(
      blocks.map(({ idstr, length }) => {
        const { pageSize } = list.mapped.get(idstr)!;
        return [idstr, new Uint8Array(bitmapLength(length, pageSize))];
      }),
    );
    this.#writer = new BlockWriter(({ idstr }) => ({ fd, start: list.mapped.get(idstr)!.pagesOffset }));
  }

  pages(
    block: RamBlock,
    offset: number,
    count: number,
    bytes: Uint8Array,
    start: number,
    stride: number,
    pageSize: number,
  ): void {
    const isZero = (page: number) => {
      const at = start + page * stride;
      return isAllZeros(bytes, at, at + pageSize);
    };
    for (let page = 0; page < count; page++) {
      if (isZero(page)) continue;
      const first = page;
      while (page + 1 < count && !isZero(page + 1)) page++;
      const present = page + 1 - first;
      const at = offset + first * pageSize;
      this.#mark(block, at / pageSize, present);
      this.#writer.pages(block, at, present, bytes, start + first * stride, stride, pageSize);
    }
  }

  fill(block: RamBlock, offset: number, length: number, byte: number): void {
    if (byte === 0) return;
    const { pageSize } = this.#list.mapped.get(block.idstr)!;
    this.#mark(block, offset / pageSize, length / pageSize);
    this.#writer.fill(block, offset, length, byte);
  }

  /** Writes what is left, and the bitmaps: least significant bits first, in words of little byte order. */
  finish(): void {
    this.#writer.flush();
    for (const [idstr, bitmap] of this.#bitmaps)
      writeFully(this.#fd, bitmap, this.#list.mapped.get(idstr)!.bitmapOffset);
  }

  #mark({ idstr }: RamBlock, first: number, count: number): void {
    const bitmap = this.#bitmaps.get(idstr)!;
    this.count += count;
    for (let page = first; page < first + count; page++) bitmap[page >> 3]! |= 1 << (page & 7);
  }
}
