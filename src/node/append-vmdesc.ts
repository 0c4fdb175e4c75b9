import { DecodeError } from '../bytes/diagnostic.ts';
import type { OpenedStream } from '../layout/open.ts';
import type { JsonObject } from '../schema/vmdesc.ts';
import { QEMU_VM_VMDESCRIPTION } from '../stream/records.ts';
import { writeOutput } from './output.ts';
import { readRanges } from './read-ranges.ts';

/**
 * Writes a copy of a stream with a VMDESCRIPTION record behind its EOF record, in place of the one that it may have.
 * Throws DecodeError `truncated` for a stream without an end, and OutputError; a file that exists is not written over.
 */
export async function appendVmdesc(opened: OpenedStream, vmdesc: JsonObject, path: string): Promise<void> {
  const { source, stream } = opened;
  const eof = stream.records.find(({ kind }) => kind === 'eof');
  if (!eof) {
    throw new DecodeError({
      severity: 'error',
      code: 'truncated',
      message: 'the stream has no end-of-file record, behind which a description could be put',
    });
  }
  const json = new TextEncoder().encode(JSON.stringify(vmdesc));
  const header = new DataView(new ArrayBuffer(5));
  header.setUint8(0, QEMU_VM_VMDESCRIPTION);
  header.setUint32(1, json.length);
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield* readRanges(source, [{ start: 0, end: eof!.range.end }]);
    yield new Uint8Array(header.buffer);
    yield json;
  }
  await writeOutput(path, bytes(), 'keep');
}
