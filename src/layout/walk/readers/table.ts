import type { InfoReader } from '../reader.ts';
import { readBackEndState } from './back-end-state.ts';
import { readByteArray } from './byte-array.ts';
import { readCapability } from './capability.ts';
import { readGtree } from './gtree.ts';
import { readList } from './list.ts';
import { readMsixState } from './msix.ts';
import { readScsiRequests } from './scsi-requests.ts';
import { readShpc } from './shpc.ts';
import { readUndescribed } from './undescribed.ts';
import { readUsbRedirBufpq, readUsbRedirPacketIds, readUsbRedirParser } from './usb-redir.ts';
import { readVdagentClipboard } from './vdagent.ts';
import { readVirtio } from './virtio.ts';
import { readVirtioGpu, readVirtioGpuBlob } from './virtio-gpu.ts';
import { readVirtqueueExtraState } from './virtqueue-extra-state.ts';

/** By the name of the VMStateInfo. A reader is one file beside this one and one line here. */
export const infoReaders: ReadonlyMap<string, InfoReader> = new Map([
  ['GByteArray', readByteArray],
  ['blob', readVirtioGpuBlob],
  ['capability', readCapability],
  ['gtree', readGtree],
  ['msix state', readMsixState],
  ['qlist', readList],
  ['qtailq', readList],
  ['scsi-requests', readScsiRequests],
  ['shpc', readShpc],
  ['undescribed', readUndescribed],
  ['usb-redir-bufpq', readUsbRedirBufpq],
  ['usb-redir-packet-id-q', readUsbRedirPacketIds],
  ['usb-redir-parser', readUsbRedirParser],
  ['vdagent/cbinfos', readVdagentClipboard],
  ['virtio', readVirtio],
  ['virtio-fs back-end state', readBackEndState],
  ['virtio-gpu', readVirtioGpu],
  ['virtio-net vhost-user backend state', readBackEndState],
  ['virtqueue_extra_state', readVirtqueueExtraState],
]);
