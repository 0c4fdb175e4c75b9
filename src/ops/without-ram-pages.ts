import { DecodeError } from '../bytes/diagnostic.ts';
import { type Range, rangeLength } from '../bytes/range.ts';
import { readExactly } from '../bytes/source.ts';
import type { OpenedStream } from '../layout/open.ts';
import { RAM_SAVE_FLAG_EOS } from '../ram/ram-flags.ts';

/** Bytes of a stream without pages; 16 MiB is a VM of some hundred devices. */
const MAX_LENGTH = 128 << 20;

/**
 * The bytes of a stream without its pages of RAM: the section's START record, which has the list of RAMBlocks and no
 * page (migration/ram.c, ram_save_setup), is kept, its PART records go, and its END record has RAM_SAVE_FLAG_EOS only.
 * All other bytes are as they were. The stream must have been opened with all of its RAM scanned. Throws where what is
 * left is too much to be held.
 */
export async function withoutRamPages({ source, stream }: OpenedStream): Promise<Uint8Array> {
  const pieces: (Range | Uint8Array)[] = [];
  for (const record of stream.records) {
    const { range } = record;
    if (record.kind !== 'section' || record.idstr !== 'ram' || record.type === 'SECTION_START') {
      pieces.push(range);
    } else if (record.type === 'SECTION_END') {
      const end = new Uint8Array(8);
      new DataView(end.buffer).setUint32(4, RAM_SAVE_FLAG_EOS);
      const { body } = record;
      pieces.push({ start: range.start, end: body.start }, end, { start: body.end, end: range.end });
    }
  }
  const lengthOf = (piece: Range | Uint8Array) =>
    piece instanceof Uint8Array ? piece.length : rangeLength(piece);
  const length = pieces.reduce((sum, piece) => sum + lengthOf(piece), 0);
  if (length > MAX_LENGTH)
    throw new DecodeError({
      severity: 'error',
      code: 'unsupported',
      message: `the device state of the stream has ${length} bytes, more than ${MAX_LENGTH}`,
    });
  const bytes = new Uint8Array(length);
  let pos = 0;
  for (const piece of pieces) {
    const content =
      piece instanceof Uint8Array ? piece : await readExactly(source, piece.start, rangeLength(piece));
    bytes.set(content, pos);
    pos += content.length;
  }
  return bytes;
}
