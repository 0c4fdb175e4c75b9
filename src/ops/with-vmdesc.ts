import { encodeText } from '../bytes/byte-writer.ts';
import { DecodeError } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { splicedSource } from '../bytes/splice.ts';
import type { OpenedStream } from '../layout/open.ts';
import type { JsonObject } from '../schema/vmdesc.ts';
import { writeVmDescriptionHeader } from '../stream/vmdescription.ts';

/**
 * A stream with a VMDESCRIPTION record behind its EOF record, in place of the one that it may have; all bytes in front of
 * it are as they were. Throws DecodeError `truncated` for a stream without an end.
 */
export function withVmdesc({ source, stream }: OpenedStream, vmdesc: JsonObject): FinishedSource {
  const eof = stream.records.find(({ kind }) => kind === 'eof');
  if (!eof) {
    throw new DecodeError({
      severity: 'error',
      code: 'truncated',
      message: 'the stream has no end-of-file record, behind which a description could be put',
    });
  }
  const json = encodeText(JSON.stringify(vmdesc));
  return splicedSource(source, [
    { start: 0, end: eof.range.end },
    writeVmDescriptionHeader(json.byteLength),
    json,
  ]);
}
