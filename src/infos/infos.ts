import { scalarTypes } from '../vmsd/scalars.ts';
import { bitmap } from './bitmap.ts';
import { byteArray } from './byte-array.ts';
import { capability } from './capability.ts';
import { fixedLengths } from './fixed-length.ts';
import { flagRegisters } from './flag-registers.ts';
import { gtree } from './gtree.ts';
import type { Info, Infos } from './info.ts';
import { pciConfig } from './pci/config.ts';
import { pciIrqState } from './pci/irq-state.ts';
import { msixState } from './pci/msix-state.ts';
import { shpc } from './pci/shpc.ts';
import { queue } from './queue.ts';
import { scsiRequests } from './scsi-requests.ts';
import { tlbEntries } from './tlb-entries.ts';
import { undescribed } from './undescribed.ts';
import { unusedBuffer } from './unused-buffer.ts';
import { usbRedirBufpq, usbRedirPacketIds, usbRedirParser } from './usb-redir.ts';
import { vdagentClipboard } from './vdagent.ts';
import { backEndState } from './virtio/back-end-state.ts';
import { virtioGpu, virtioGpuBlob } from './virtio/gpu.ts';
import { virtio } from './virtio/virtio.ts';
import { virtqueueExtraState } from './virtio/virtqueue-extra-state.ts';

/** All that is known of custom VMStateInfos: one file and one line for each, or for a family. */
const known: readonly Info[] = [
  backEndState,
  bitmap,
  byteArray,
  capability,
  ...fixedLengths,
  ...flagRegisters,
  gtree,
  msixState,
  pciConfig,
  pciIrqState,
  queue,
  scsiRequests,
  shpc,
  ...tlbEntries,
  undescribed,
  unusedBuffer,
  usbRedirBufpq,
  usbRedirPacketIds,
  usbRedirParser,
  vdagentClipboard,
  virtio,
  virtioGpu,
  virtioGpuBlob,
  virtqueueExtraState,
];

/** Those that vmwalk knows. */
export const builtInInfos: Infos = byName(known);

/** Those that vmwalk knows, and one's own, which go before those of the same names. */
export function withInfos(own: readonly Info[]): Infos {
  return new Map([...builtInInfos, ...byName(own)]);
}

function byName(infos: readonly Info[]): Infos {
  return new Map(infos.flatMap((info) => info.names.map((name) => [name, info] as const)));
}

/** Bytes that an info puts for one value of `size` bytes in memory, in a field of that name; undefined where it varies. */
export function fixedInfoLength(
  info: string,
  size: number,
  field: string,
  infos = builtInInfos,
): number | undefined {
  const scalar = scalarTypes.get(info);
  if (scalar) return scalar.size;
  const length = infos.get(info)?.length;
  return typeof length === 'function' ? length(size, field) : typeof length === 'number' ? length : undefined;
}

/** Bytes that an info can put for one value, when it is one of several numbers. */
export function alternativeInfoLengths(info: string, infos = builtInInfos): readonly number[] | undefined {
  const length = infos.get(info)?.length;
  return typeof length === 'object' ? length : undefined;
}
