import { u64At } from '../bytes/view.ts';
import type { Window } from '../bytes/window.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { requireVersion, sectionError } from './section-error.ts';
import { findVfioPciConfigEnd } from './vfio-pci-config.ts';

const VERSION = 1;
/** Upper half of every VFIO_MIG_FLAG_*; the lower halves follow. */
const FLAG_HIGH = 0xffffffff;
const VFIO_MIG_FLAG_END_OF_STATE = 0xef100001;
const VFIO_MIG_FLAG_DEV_CONFIG_STATE = 0xef100002;
const VFIO_MIG_FLAG_DEV_SETUP_STATE = 0xef100003;
const VFIO_MIG_FLAG_DEV_DATA_STATE = 0xef100004;
/** QEMU 8.1 and later. */
const VFIO_MIG_FLAG_DEV_INIT_DATA_SENT = 0xef100005;
/** QEMU 10.1 and later. */
const VFIO_MIG_FLAG_DEV_CONFIG_LOAD_READY = 0xef100006;

/** The state of a passed-through device, whose content only its driver knows. */
export interface VfioSummary {
  readonly kind: 'vfio';
  /** DEV_DATA_STATE chunks and their bytes. */
  readonly dataChunks: number;
  readonly dataBytes: number;
  /** Bytes of the device's configuration (PCI config space, MSI-X); 0 when it came by another channel, or not yet. */
  readonly configBytes: number;
  /** The source had sent all initial data before it asked to switch over. */
  readonly initialDataSent: boolean;
}

/**
 * Scanner of the sections `…/vfio` (hw/vfio/migration.c, vfio_load_state): u64 tags. DEV_DATA_STATE: u64 length and
 * the data; DEV_CONFIG_STATE: the PCI device and a tag; DEV_SETUP_STATE; a record ends with END_OF_STATE,
 * DEV_INIT_DATA_SENT or DEV_CONFIG_LOAD_READY. Throws DecodeError `bad-iterative`, `truncated`, and `unsupported`
 * where the end of the PCI device cannot be told.
 */
export function createVfioScanner(context: IterativeContext): SectionReader<VfioSummary> {
  let dataChunks = 0;
  let dataBytes = 0;
  let configBytes = 0;
  let initialDataSent = false;

  async function readTag(window: Window): Promise<number> {
    await window.require(8, 'the state of a VFIO device');
    const { view, pos } = window;
    const tag = view.getUint32(pos + 4);
    if (view.getUint32(pos) !== FLAG_HIGH) throw badTag(window);
    window.pos += 8;
    return tag;
  }

  function badTag(window: Window) {
    const found = window.view.getBigUint64(window.pos).toString(16).padStart(16, '0');
    const message = `0x${found} is not a VFIO_MIG_FLAG_*; expected 0xffffffffef10…`;
    return sectionError(context, 'bad-iterative', message, window.offset, window.offset + 8);
  }

  async function scan(window: Window): Promise<void> {
    requireVersion(context, VERSION, window.offset);
    for (;;) {
      switch (await readTag(window)) {
        case VFIO_MIG_FLAG_END_OF_STATE:
        case VFIO_MIG_FLAG_DEV_CONFIG_LOAD_READY:
          return;
        case VFIO_MIG_FLAG_DEV_INIT_DATA_SENT:
          initialDataSent = true;
          return;
        case VFIO_MIG_FLAG_DEV_SETUP_STATE:
          break;
        case VFIO_MIG_FLAG_DEV_DATA_STATE: {
          await window.require(8, 'the state of a VFIO device');
          const length = u64At(window.view, window.pos);
          const what = `${window.view.getBigUint64(window.pos)} bytes of a VFIO device's state`;
          window.pos += 8;
          await window.skip(length, what);
          dataChunks++;
          dataBytes += length;
          break;
        }
        case VFIO_MIG_FLAG_DEV_CONFIG_STATE: {
          const start = window.offset;
          const length = await findVfioPciConfigEnd(window, isEndOfState);
          if (length === undefined) {
            const message = 'the PCI configuration of a VFIO device does not end where its config space says';
            throw sectionError(context, 'unsupported', message, start);
          }
          configBytes += length;
          await window.skip(length + 8, 'the PCI configuration of a VFIO device');
          // Up to QEMU 5.2 the device's data comes after its configuration, in the same record.
          if (!(await isTagAhead(window))) return;
          break;
        }
        default:
          window.pos -= 8;
          throw badTag(window);
      }
    }
  }

  async function isTagAhead(window: Window): Promise<boolean> {
    if (!(await window.ensure(8))) return false;
    return (
      window.view.getUint32(window.pos) === FLAG_HIGH &&
      window.view.getUint32(window.pos + 4) >>> 16 === 0xef10
    );
  }

  return {
    scan,
    summary: () => ({ kind: 'vfio', dataChunks, dataBytes, configBytes, initialDataSent }),
  };
}

function isEndOfState(window: Window, pos: number): boolean {
  return (
    window.limit - pos >= 8 &&
    window.view.getUint32(pos) === FLAG_HIGH &&
    window.view.getUint32(pos + 4) === VFIO_MIG_FLAG_END_OF_STATE
  );
}
