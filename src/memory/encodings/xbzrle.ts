import { DecodeError } from '../../bytes/diagnostic.ts';
import { type ByteSource, readExactly } from '../../bytes/source.ts';
import { viewOf } from '../../bytes/view.ts';

/** Run lengths are ULEB128 numbers of at most 14 bits (util/cutils.c, uleb128_decode_small). */
const MORE = 0x80;

/**
 * Applies an XBZRLE delta to `page`, which holds the page as it was sent before and afterwards what it has become
 * (migration/xbzrle.c, xbzrle_decode_buffer). A delta is pairs of runs: bytes that stay, by their number, and bytes
 * that change, by their number and content. Returns the offset behind the last byte that changed.
 *
 * Throws DecodeError `bad-ram`, without a range, when the delta is cut or reaches over the end of the page; the page
 * is then changed in part.
 */
export function applyXbzrle(delta: Uint8Array, page: Uint8Array): number {
  let pos = 0;
  let offset = 0;
  const readLength = (what: string): number => {
    // A run that changes follows each run that stays, so no length is the last byte.
    if (delta.length - pos < 2) throw badDelta(`it ends at ${delta.length} inside ${what}`);
    const low = delta[pos] ?? 0;
    if ((low & MORE) === 0) {
      pos += 1;
      return low;
    }
    const high = delta[pos + 1] ?? 0;
    if ((high & MORE) !== 0) throw badDelta(`${what} at ${pos} has a length of more than 14 bits`);
    pos += 2;
    return (low & ~MORE) | (high << 7);
  };
  while (pos < delta.length) {
    const first = pos === 0;
    const same = readLength('a run that stays');
    if (same === 0 && !first) throw badDelta(`an empty run that stays at ${pos - 1}`);
    offset += same;
    if (offset > page.length) throw badDelta(`a run that stays ends at ${offset} of ${page.length}`);
    const changed = readLength('a run that changes');
    if (changed === 0) throw badDelta(`an empty run that changes at ${pos - 1}`);
    if (changed > delta.length - pos) throw badDelta(`it ends inside ${changed} bytes that change`);
    if (changed > page.length - offset) {
      throw badDelta(`a run that changes ends at ${offset + changed} of ${page.length}`);
    }
    page.set(delta.subarray(pos, pos + changed), offset);
    offset += changed;
    pos += changed;
  }
  return offset;
}

function badDelta(message: string): DecodeError {
  return new DecodeError({ severity: 'error', code: 'bad-ram', message: `XBZRLE delta: ${message}` });
}

/** u8 encoding, u16 length. */
const HEADER_SIZE = 3;

/** The delta whose encoding stands at an offset of a source (migration/ram.c, load_xbzrle). */
export async function readXbzrleDelta(source: ByteSource, offset: number): Promise<Uint8Array> {
  const header = await readExactly(source, offset, HEADER_SIZE);
  const length = viewOf(header).getUint16(1);
  return readExactly(source, offset + HEADER_SIZE, length);
}
