import { crc32, createInflateRaw } from 'node:zlib';
import { hexOffset } from '../bytes/range.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { viewOf } from '../bytes/view.ts';
import { DamagedData, type Decoding, readChunks, runTransform } from './decoder.ts';

/** Of a member header, before its optional parts (RFC 1952). */
const HEADER_SIZE = 10;
/** CRC32 and length modulo 2^32, little endian. */
const TRAILER_SIZE = 8;
/** Bits of the header's flags. */
const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;
/** Bytes that a file name or comment is searched for its end in. */
const MAX_TEXT = 64 << 10;
/** Decoded bytes of a piece; of damaged data, as much may be lost in front of the damage. */
const CHUNK_SIZE = 64 << 10;

/**
 * Decodes gzip members one after another. Members are taken apart here and not by node:zlib, which throws all of a
 * small member away when something that is no member follows it, as padding of a tape or a block device does.
 */
export async function gunzip(decoding: Decoding): Promise<string | undefined> {
  const { source } = decoding;
  let offset = 0;
  while (offset < source.size) {
    const magic = await source.read(offset, 2);
    if (offset > 0 && (magic[0] !== 0x1f || magic[1] !== 0x8b)) {
      return (await isZero(source, offset))
        ? undefined
        : `${source.size - offset} bytes behind the gzip data, from ${hexOffset(offset)} on, are no gzip data and left out`;
    }
    offset = await gunzipMember(decoding, offset);
  }
  return undefined;
}

/** Decodes the member at `start`. Returns where it ends. */
async function gunzipMember(decoding: Decoding, start: number): Promise<number> {
  const { source, write } = decoding;
  const body = await readMemberHeader(source, start);
  const inflate = createInflateRaw({ chunkSize: CHUNK_SIZE });
  let crc = 0;
  let length = 0;
  await runTransform(inflate, readChunks(decoding, body), (bytes) => {
    write(bytes);
    crc = crc32(bytes, crc);
    length += bytes.byteLength;
  }).catch((error) => {
    const message = (error as Error).message;
    throw error instanceof DamagedData
      ? new DamagedData(`${message}, at or before ${hexOffset(body + inflate.bytesWritten)}`)
      : error;
  });
  const end = body + inflate.bytesWritten;
  const trailer = await source.read(end, TRAILER_SIZE);
  if (trailer.byteLength < TRAILER_SIZE) throw new DamagedData(`the file ends at ${hexOffset(source.size)}`);
  const view = viewOf(trailer);
  if (view.getUint32(0, true) !== crc || view.getUint32(4, true) !== length % 2 ** 32) {
    throw new DamagedData(
      `the checksum at ${hexOffset(end)} is not that of the content, any of whose bytes may be wrong`,
    );
  }
  return end + TRAILER_SIZE;
}

/** Where the deflate data of the member at `start` begins. */
async function readMemberHeader(source: FinishedSource, start: number): Promise<number> {
  const header = await source.read(start, HEADER_SIZE);
  const cut = () => new DamagedData(`the file ends inside the member header at ${hexOffset(start)}`);
  if (header.byteLength < HEADER_SIZE) throw cut();
  const flags = header[3]!;
  if (header[2] !== 8 || flags > 0x1f) throw new DamagedData(`bad member header at ${hexOffset(start)}`);
  let offset = start + HEADER_SIZE;
  if (flags & FEXTRA) {
    const length = await source.read(offset, 2);
    if (length.byteLength < 2) throw cut();
    offset += 2 + length[0]! + 256 * length[1]!;
  }
  for (const flag of [FNAME, FCOMMENT]) {
    if (!(flags & flag)) continue;
    const end = (await source.read(offset, MAX_TEXT)).indexOf(0);
    if (end < 0) throw new DamagedData(`bad member header at ${hexOffset(start)}`);
    offset += end + 1;
  }
  if (flags & FHCRC) offset += 2;
  if (offset >= source.size) throw cut();
  return offset;
}

/** Whether nothing but zeros, which pad a file to blocks, is from `offset` on. */
async function isZero(source: FinishedSource, offset: number): Promise<boolean> {
  for await (const chunk of readChunks({ source, write() {} }, offset)) {
    if (chunk.some((byte) => byte !== 0)) return false;
  }
  return true;
}
