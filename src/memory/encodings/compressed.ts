import type { ByteSource } from '../../bytes/source.ts';
import { readExactly } from '../../bytes/source.ts';
import { viewOf } from '../../bytes/view.ts';
import type { Inflater } from '../inflater.ts';

/** Of the zlib data. */
const LENGTH_SIZE = 4;

/**
 * The page whose u32 length, behind which its zlib data is, stands at an offset of a source (migration/ram.c,
 * RAM_SAVE_FLAG_COMPRESS_PAGE; before QEMU 9.1). Throws an Error that tells what is wrong with it.
 */
export async function readCompressedPage(
  source: ByteSource,
  offset: number,
  pageSize: number,
  inflater: Inflater | undefined,
): Promise<Uint8Array> {
  if (!inflater) throw new Error('nothing was given to decompress it');
  const header = await readExactly(source, offset, LENGTH_SIZE);
  const length = viewOf(header).getUint32(0);
  const data = await readExactly(source, offset + LENGTH_SIZE, length);
  const page = await inflater.inflate(data, pageSize);
  if (page.length !== pageSize) throw new Error(`it decompresses to ${page.length} bytes`);
  return page;
}
