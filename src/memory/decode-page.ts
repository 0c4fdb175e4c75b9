import { DecodeError, problemIn } from '../bytes/diagnostic.ts';
import { readExactly } from '../bytes/source.ts';
import {
  CODE_BITS,
  CODE_MASK,
  COMPRESSED,
  DELTA,
  FILL,
  PACKED,
  PLAIN,
  SPOOLED,
  ZERO,
} from '../ram/page-runs.ts';
import { readCompressedPage } from './encodings/compressed.ts';
import { applyXbzrle, readXbzrleDelta } from './encodings/xbzrle.ts';
import type { Inflater } from './inflater.ts';
import type { PageIndex } from './page-index.ts';

type Index = Pick<PageIndex, 'pageSize' | 'sources' | 'spools' | 'deltas'>;

/**
 * One page by kind and value of its run, as a copy. A page that ends with XBZRLE deltas is put together from the last
 * version that is whole. Throws an Error that tells what is wrong where it cannot be had.
 */
export async function decodePage(
  index: Index,
  kind: number,
  value: number,
  inflater: Inflater | undefined,
): Promise<Uint8Array> {
  const { deltas, sources } = index;
  // From the last delta back to the first.
  const offsets: { readonly source: number; readonly offset: number }[] = [];
  let [code, at] = [kind, value];
  while ((code & CODE_MASK) === DELTA) {
    offsets.push({ source: code >> CODE_BITS, offset: deltas.offset(at) });
    const earlier = deltas.earlier(at);
    code = earlier.kind;
    at = earlier.value;
  }
  const page = await wholePage(index, code, at, inflater);
  for (const { source, offset } of offsets.reverse())
    applyXbzrle(await readXbzrleDelta(sources[source]!.source, offset), page);
  return page;
}

/** The same, and undefined where it cannot be had. Throws DecodeError `io` and `changed`. */
export async function tryDecodePage(...page: Parameters<typeof decodePage>): Promise<Uint8Array | undefined> {
  try {
    return await decodePage(...page);
  } catch (error) {
    if (error instanceof DecodeError) problemIn(error);
    return undefined;
  }
}

async function wholePage(
  { pageSize = 0, sources, spools }: Index,
  kind: number,
  value: number,
  inflater: Inflater | undefined,
): Promise<Uint8Array> {
  const which = kind >> CODE_BITS;
  const page = new Uint8Array(pageSize);
  switch (kind & CODE_MASK) {
    case ZERO:
      return page;
    case FILL:
      return page.fill(value);
    case PLAIN:
    case PACKED:
      page.set(await readExactly(sources[which]!.source, value, pageSize));
      return page;
    case COMPRESSED:
      page.set(await readCompressedPage(sources[which]!.source, value, pageSize, inflater));
      return page;
    case SPOOLED:
      await spools[which]!.read(value, page);
      return page;
    default:
      throw new Error('what it is a change of is not in the stream');
  }
}
