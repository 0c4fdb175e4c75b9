import { DecodeError, type Diagnostic } from '../bytes/diagnostic.ts';
import { type Piece, splicedSource } from '../bytes/splice.ts';
import { memoryOf, type OpenedStream } from '../layout/open.ts';
import { presentPages } from '../ram/mapped-ram.ts';
import type { RamBlock } from '../ram/ram-block.ts';
import { RamBodyWriter, writeBlockList, writeEndOfSection } from '../ram/write-ram.ts';
import { sectionPieces } from '../stream/write-records.ts';
import { asWarning, type PlannedRam, planConversion } from './conversion-plan.ts';

/** Bytes of a RAM record, and of what is copied at a time. */
const RECORD_SIZE = 1 << 20;

export interface ConvertOptions {
  /** Write a stream also where pages of RAM are missing or damaged: without them, which the result says. */
  readonly partial?: boolean | undefined;
  /** Called with the bytes of memory that were read since it was called last. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** What was written. */
export interface Conversion {
  /** Bytes. */
  readonly size: number;
  /** Pages that were written with their content, and as zeros. */
  readonly pages: { readonly plain: number; readonly zero: number };
  /** Commands of the stream that are not in what was written, each name once. */
  readonly commandsLeftOut: readonly string[];
  /** What is wrong with the stream, or is not in what was written: warnings. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Takes the next bytes of what is written, which stay as they are until what it returns is settled. */
export type WriteNext = (bytes: Uint8Array) => void | Promise<void>;

/**
 * Writes a VM that was opened with its memory as a plain stream, whatever the encoding of its RAM: one version of each
 * page, in records of the one connection. All that is not RAM is copied as it is, but for the capabilities in the
 * configuration (and in its description), which a destination compares with its own, and commands that need a return
 * path or postcopy.
 *
 * Throws DecodeError: what is wrong with a stream that is damaged, cut, or lacks pages; `unsupported` for one that is no
 * whole migration; `bad-argument` where the memory was not asked for; what source and `write` throw.
 */
export async function convertStream(
  vm: OpenedStream,
  write: WriteNext,
  { partial = false, onProgress }: ConvertOptions = {},
): Promise<Conversion> {
  const { before, between, behind, ram, commandsLeftOut, diagnostics } = await planConversion(vm, {
    partial,
    isMapped: false,
  });
  let size = 0;
  const next: WriteNext = (bytes) => {
    size += bytes.byteLength;
    return write(bytes);
  };
  const list = ram ? sectionPieces(ram.start, [writeBlockList(ram.blocks)]) : [];
  await copyPieces(vm, [...before, ...list, ...between], next);
  const written = ram && (await writePages(vm, ram, next, onProgress));
  const damage = written?.diagnostics ?? [];
  if (damage[0] && !partial) throw new DecodeError(damage[0]);
  await copyPieces(vm, behind, next);
  return {
    size,
    pages: written?.pages ?? { plain: 0, zero: 0 },
    commandsLeftOut,
    diagnostics: [...diagnostics, ...damage.map(asWarning)],
  };
}

/** Copies pieces of a stream. Throws what its source and `write` throw. */
export async function copyPieces(
  { source }: OpenedStream,
  pieces: readonly Piece[],
  write: WriteNext,
): Promise<void> {
  const spliced = splicedSource(source, pieces);
  for (let offset = 0; offset < spliced.size; offset += RECORD_SIZE)
    await write(await spliced.read(offset, Math.min(RECORD_SIZE, spliced.size - offset)));
}

/** Writes all pages in PART records, and the END record of the section. */
async function writePages(
  vm: OpenedStream,
  { start, absent, pageSize }: PlannedRam,
  write: WriteNext,
  onProgress: ((bytes: number) => void) | undefined,
): Promise<Pick<Conversion, 'pages' | 'diagnostics'>> {
  const record = async (type: 'SECTION_PART' | 'SECTION_END', body: Uint8Array) => {
    for (const piece of sectionPieces({ ...start, type }, [body])) await write(piece as Uint8Array);
  };
  const memory = memoryOf(vm);
  let counts = { plain: 0, zero: 0 };
  let diagnostics: readonly Diagnostic[] = [];
  if (pageSize !== undefined) {
    const writer = new RamBodyWriter((body) => record('SECTION_PART', body), { pageSize, most: RECORD_SIZE });
    for (const block of memory.blocks) if (!absent.has(block.idstr)) await writeZeros(vm, block, writer);
    diagnostics = await memory.visit(writer, onProgress);
    await writer.finish();
    counts = writer.written;
  }
  await record('SECTION_END', writeEndOfSection());
  return { pages: counts, diagnostics };
}

/** Writes the pages that a mapped block has no content of: they are zeros. */
async function writeZeros({ source }: OpenedStream, block: RamBlock, writer: RamBodyWriter): Promise<void> {
  const { mapped } = block;
  if (!mapped) return;
  const { pageSize } = mapped;
  let end = 0;
  for await (const { page, count } of presentPages(source, block, mapped)) {
    await writer.fill(block, end, page * pageSize - end, 0);
    end = (page + count) * pageSize;
  }
  await writer.fill(block, end, Math.floor(block.length / pageSize) * pageSize - end, 0);
}
