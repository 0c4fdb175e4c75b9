import { u64At } from '../bytes/view.ts';
import type { Window } from '../bytes/window.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { requireVersion, sectionError } from './section-error.ts';

const VERSION = 0;
/** s390x pages; flags are in the bits below. */
const PAGE_SIZE = 4096;
const STATTR_FLAG_EOS = 0x01;
const STATTR_FLAG_MORE = 0x02;
const STATTR_FLAG_ERROR = 0x04;
const STATTR_FLAG_DONE = 0x08;

/** Storage attributes (CMMA) of a s390x guest: a byte for each page. */
export interface S390StattribSummary {
  readonly kind: 's390-storage_attributes';
  /** Runs of pages, and pages in them; a page can be sent more than once. */
  readonly runs: number;
  readonly pages: number;
  /** STATTR_FLAG_DONE was sent: all is there. */
  readonly done: boolean;
}

/**
 * Scanner of the section `s390-storage_attributes`, version 0 (hw/s390x/s390-stattrib.c, cmma_load): u64 words with
 * flags below the page size: MORE, whose upper bits are the address of a page, and which a u64 count and as many
 * bytes follow; DONE; EOS, which ends the record; ERROR, after which nothing more is read. Throws DecodeError
 * `bad-iterative`, `truncated`, `unsupported`.
 */
export function createS390StattribScanner(context: IterativeContext): SectionReader<S390StattribSummary> {
  let runs = 0;
  let pages = 0;
  let done = false;

  async function scan(window: Window): Promise<void> {
    requireVersion(context, VERSION, window.offset);
    for (;;) {
      if (window.limit - window.pos < 8) await window.require(8, 'the storage attributes');
      const { view, pos } = window;
      const start = window.offset;
      const flags = view.getUint32(pos + 4) & (PAGE_SIZE - 1);
      window.pos += 8;
      switch (flags) {
        case STATTR_FLAG_EOS:
          return;
        case STATTR_FLAG_DONE:
          done = true;
          break;
        case STATTR_FLAG_MORE: {
          if (window.limit - window.pos < 8) await window.require(8, 'the storage attributes');
          const count = u64At(window.view, window.pos);
          const what = `a run of ${window.view.getBigUint64(window.pos)} storage attributes`;
          window.pos += 8;
          await window.skip(count, what);
          runs++;
          pages += count;
          break;
        }
        case STATTR_FLAG_ERROR:
          throw sectionError(
            context,
            'bad-iterative',
            'the source could not read its storage attributes (STATTR_FLAG_ERROR): they are incomplete',
            start,
            start + 8,
          );
        default:
          throw sectionError(
            context,
            'bad-iterative',
            `storage attributes with flags 0x${flags.toString(16)}; expected MORE, DONE or EOS`,
            start,
            start + 8,
          );
      }
    }
  }

  return { scan, summary: () => ({ kind: 's390-storage_attributes', runs, pages, done }) };
}
