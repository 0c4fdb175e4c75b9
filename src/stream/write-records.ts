import { type Piece, pieceLength } from '../bytes/splice.ts';
import { commandPayload, writeCommand } from './commands.ts';
import { writeConfiguration } from './configuration.ts';
import { writeHeader } from './header.ts';
import { QEMU_VM_EOF, type SectionRecord, type StreamRecord } from './records.ts';
import { writeSectionFooter, writeSectionHeader } from './section-header.ts';
import { writeVmDescriptionHeader } from './vmdescription.ts';

/**
 * A record of a stream, written anew: its framing is made from what is known of it, what devices wrote into it is taken
 * over from the stream that it was read from, as is what nothing explains. Of a sound record these are its bytes.
 */
export function recordPieces(record: StreamRecord): Piece[] {
  return rewrittenPieces(record, () => undefined);
}

/**
 * The same where something else may come in the place of a record, also of one in a package: what `rewrite` gives for it,
 * unless that is undefined.
 */
export function rewrittenPieces(
  record: StreamRecord,
  rewrite: (record: StreamRecord) => Piece[] | undefined,
): Piece[] {
  const rewritten = rewrite(record);
  if (rewritten) return rewritten;
  switch (record.kind) {
    case 'header':
      return [writeHeader()];
    case 'configuration': {
      // One with a subsection that is not known has more than was read of it.
      const written = writeConfiguration(record);
      return [written.byteLength === pieceLength(record.range) ? written : record.range];
    }
    case 'section':
      return sectionPieces(record, [record.body]);
    case 'command': {
      const { command, detail, payload } = record;
      if (detail?.command === 'PACKAGED') {
        const content = detail.records.flatMap((inner) => rewrittenPieces(inner, rewrite));
        const length = content.reduce((sum, piece) => sum + pieceLength(piece), 0);
        return [...writeCommand(command, [commandPayload({ command: 'PACKAGED', length })]), ...content];
      }
      return writeCommand(command, [detail ? commandPayload(detail) : payload]);
    }
    case 'eof':
      return [Uint8Array.of(QEMU_VM_EOF)];
    case 'vmdescription':
      return [writeVmDescriptionHeader(pieceLength(record.json)), record.json];
    case 'gap':
    case 'unscanned':
      return [record.range];
  }
}

/** A section record with another body; it has a footer where it had one. */
export function sectionPieces(record: SectionRecord, body: readonly Piece[]): Piece[] {
  const footer = record.footer ? [writeSectionFooter(record.id)] : [];
  return [writeSectionHeader(record.type, record), ...body, ...footer];
}
