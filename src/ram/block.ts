import type { Window } from '../bytes/window.ts';
import type { IterativeContext, SectionReader } from './scanner.ts';
import { requireVersion, sectionError } from './section-error.ts';

const VERSION = 1;
/** BLK_MIG_BLOCK_SIZE and BDRV_SECTOR_SIZE, bytes. */
const BLOCK_SIZE = 1 << 20;
const SECTOR_SIZE = 512;
const BLK_MIG_FLAG_DEVICE_BLOCK = 0x01;
const BLK_MIG_FLAG_EOS = 0x02;
const BLK_MIG_FLAG_PROGRESS = 0x04;
const BLK_MIG_FLAG_ZERO_BLOCK = 0x08;
const MAX_DEVICES = 65536;

/** What was sent of one disk. A block can be sent again after the guest has written to it. */
export interface BlockDevice {
  /** Name of the BlockBackend. */
  readonly device: string;
  /** Blocks of 1 MiB with their content. */
  readonly blocks: number;
  /** Blocks of zeros, sent without content. */
  readonly zeroBlocks: number;
  /** Bytes from the start of the disk up to which blocks were sent, rounded up to a block. */
  readonly covered: number;
}

/** Disks sent along with the guest (`migrate -b`, removed in QEMU 9.1). */
export interface BlockSummary {
  readonly kind: 'block';
  readonly devices: readonly BlockDevice[];
  /** The last that was said of how much is done, in percent. */
  readonly progress: number | undefined;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * Scanner of the section `block`, version 1 (migration/block.c, block_load, up to QEMU 9.0): u64 words, flags in the
 * low 9 bits, above them a sector. DEVICE_BLOCK: the device's name and, unless ZERO_BLOCK, 1 MiB; PROGRESS: the
 * sector is a percentage; EOS ends the record. Throws DecodeError `bad-iterative`, `truncated`, `unsupported`.
 */
export function createBlockScanner(context: IterativeContext): SectionReader<BlockSummary> {
  const devices = new Map<string, Mutable<BlockDevice>>();
  let progress: number | undefined;

  async function scan(window: Window): Promise<void> {
    requireVersion(context, VERSION, window.offset);
    for (;;) {
      if (window.limit - window.pos < 8) await window.require(8, 'the block devices');
      const { view, pos } = window;
      const start = window.offset;
      const low = view.getUint32(pos + 4);
      const flags = low & (SECTOR_SIZE - 1);
      const disk = view.getUint32(pos) * 2 ** 32 + (low - flags);
      window.pos += 8;
      switch (flags) {
        case BLK_MIG_FLAG_EOS:
          return;
        case BLK_MIG_FLAG_PROGRESS:
          progress = disk / SECTOR_SIZE;
          break;
        case BLK_MIG_FLAG_DEVICE_BLOCK:
        case BLK_MIG_FLAG_DEVICE_BLOCK | BLK_MIG_FLAG_ZERO_BLOCK: {
          const name = await window.readText8('the name of a block device');
          let device = devices.get(name);
          if (!device) {
            if (devices.size === MAX_DEVICES) {
              throw sectionError(
                context,
                'bad-iterative',
                `more than ${MAX_DEVICES} block devices`,
                start,
                window.offset,
              );
            }
            device = { device: name, blocks: 0, zeroBlocks: 0, covered: 0 };
            devices.set(name, device);
          }
          if (flags === BLK_MIG_FLAG_DEVICE_BLOCK) {
            await window.skip(BLOCK_SIZE, 'a block of a disk');
            device.blocks++;
          } else device.zeroBlocks++;
          device.covered = Math.max(device.covered, disk + BLOCK_SIZE);
          break;
        }
        default: {
          const message = `a block migration record with flags 0x${flags.toString(16)}; expected DEVICE_BLOCK, PROGRESS or EOS`;
          throw sectionError(context, 'bad-iterative', message, start, start + 8);
        }
      }
    }
  }

  return {
    scan,
    summary: () => ({
      kind: 'block',
      devices: [...devices.values()].map((device) => ({ ...device })),
      progress,
    }),
  };
}
