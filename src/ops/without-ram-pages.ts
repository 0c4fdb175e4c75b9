import { DecodeError } from '../bytes/diagnostic.ts';
import { readExactly } from '../bytes/source.ts';
import { type Piece, splicedSource } from '../bytes/splice.ts';
import type { OpenedStream } from '../layout/open.ts';
import { writeEndOfSection } from '../ram/write-ram.ts';
import type { StreamRecord } from '../stream/records.ts';
import { recordPieces, sectionPieces } from '../stream/write-records.ts';

/** Bytes of a stream without pages; 16 MiB is a VM of some hundred devices. */
const MAX_LENGTH = 128 << 20;

/**
 * The bytes of a stream without its pages of RAM: the section's START record, which has the list of RAMBlocks and no
 * page (migration/ram.c, ram_save_setup), is kept, its PART records go, and its END record has RAM_SAVE_FLAG_EOS only.
 * All others are written as they were. The stream must have been opened with all of its RAM scanned. Throws where what
 * is left is too much to be held.
 */
export async function withoutRamPages({ source, stream }: OpenedStream): Promise<Uint8Array> {
  const thin = splicedSource(source, stream.records.flatMap(thinPieces));
  if (thin.size > MAX_LENGTH)
    throw new DecodeError({
      severity: 'error',
      code: 'unsupported',
      message: `the device state of the stream has ${thin.size} bytes, more than ${MAX_LENGTH}`,
    });
  return readExactly(thin, 0, thin.size);
}

function thinPieces(record: StreamRecord): Piece[] {
  if (record.kind !== 'section' || record.idstr !== 'ram' || record.type === 'SECTION_START')
    return recordPieces(record);
  return record.type === 'SECTION_END' ? sectionPieces(record, [writeEndOfSection()]) : [];
}
