import { DecodeError, type DiagnosticCode, problemIn } from '../../bytes/diagnostic.ts';
import { hexOffset } from '../../bytes/range.ts';
import { type ByteSource, readExactly } from '../../bytes/source.ts';
import type { CompressedPackets } from '../../ram/multifd/compressed-packets.ts';
import { encodingNames, type MultifdEncoding } from '../../ram/multifd/packet.ts';
import type { InflatedPayloads, Inflater, PayloadFormat } from '../inflater.ts';

const payloadFormats: Partial<Record<MultifdEncoding, PayloadFormat>> = {
  zlib: 'zlib',
  zstd: 'zstd',
  qatzip: 'gzip',
};

/** Pages of one packet of a channel. */
interface DecodedPayload {
  /** In all that the payloads of the channel decompress to. */
  readonly offset: number;
  /** The pages, one behind the other; valid until the next is asked for. */
  readonly bytes: Uint8Array;
}

/**
 * Decompresses the pages of a channel, from its first packet on. Throws DecodeError, with the place in its message,
 * where they cannot be decompressed: those of the packets behind are lost, too, as one builds on the other.
 */
export async function* decodePayloads(
  source: ByteSource,
  { encoding, packets }: CompressedPackets,
  inflater: Inflater | undefined,
): AsyncGenerator<DecodedPayload> {
  let inflated: InflatedPayloads | undefined;
  let isWhole = false;
  let offset = 0;
  try {
    for await (const { start, length } of packets()) {
      let bytes: Uint8Array;
      try {
        inflated ??= openPayloads(source, { encoding, packets }, inflater);
        bytes = await inflated.next(length);
      } catch (error) {
        if (error instanceof DecodeError)
          throw problem(source, problemIn(error).code, start, error.diagnostic.message, error);
        const message = `pages (${encodingNames[encoding]}) that do not decompress: ${reasonOf(error)}; those behind them in this channel are missing, too`;
        throw problem(source, 'bad-ram', start, message, error);
      }
      yield { offset, bytes };
      offset += length;
    }
    isWhole = true;
  } finally {
    const end = await source.end();
    const closing = inflated?.close();
    if (!isWhole) closing?.catch(() => {});
    else
      await closing?.catch((error) => {
        const message = `pages that decompress to another length than their packets say: ${reasonOf(error)}`;
        throw problem(source, 'bad-ram', end, message, error);
      });
  }
}

function openPayloads(
  source: ByteSource,
  { encoding, packets }: CompressedPackets,
  inflater: Inflater | undefined,
): InflatedPayloads {
  const format = payloadFormats[encoding];
  const unsupported = (message: string) =>
    new DecodeError({ severity: 'error', code: 'unsupported', message });
  if (!format) {
    throw unsupported(
      `pages compressed by ${encodingNames[encoding]}, which only its hardware's library reads; they are missing`,
    );
  }
  if (!inflater) throw unsupported(`pages compressed by ${format}, for which no decoder was given`);
  return inflater.open(format, payloadsOf(source, packets()));
}

/** Reads on its own, so that a decoder may be ahead. */
async function* payloadsOf(
  source: ByteSource,
  packets: ReturnType<CompressedPackets['packets']>,
): AsyncGenerator<Uint8Array> {
  for await (const { payload, payloadSize } of packets) yield await readExactly(source, payload, payloadSize);
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function problem(source: ByteSource, code: DiagnosticCode, offset: number, message: string, cause: unknown) {
  const place = `channel ${source.name}, offset ${hexOffset(offset)}`;
  return new DecodeError({ severity: 'error', code, message: `${place}: ${message}` }, { cause });
}
