import { magicOf } from '../../bytes/view.ts';
import { loadedMsixVectors, readMsixVectors } from '../pci/msix-state.ts';
import {
  choose,
  integer,
  type ObjectPlace,
  peek,
  type ReaderArguments,
  type ReaderSteps,
  struct,
} from '../reader.ts';

/** What a virtio bus adds to each queue. */
export interface TransportTraits {
  readonly hasVectors: boolean;
  readonly hasAlignment: boolean;
}

const PCI = 0;
const CCW = 1;
const MMIO = 2;
/** `version_id` of a PCIDevice, which is the first thing that it writes. */
const PCI_DEVICE_VERSION = 2;
/** Number of the object that the transport (VirtIOPCIProxy …) is, beside the VirtIODevice. */
export const TRANSPORT_OBJECT = -3;

/** save_config of hw/virtio/virtio-pci.c, hw/s390x/virtio-ccw.c and hw/virtio/virtio-mmio.c. */
export function* readTransport(args: ReaderArguments): ReaderSteps<TransportTraits> {
  const place = { object: args.behind(args.place.object, args.place.offset, TRANSPORT_OBJECT), offset: 0 };
  const [pci] = args.vmsds('PCIDevice');
  const [ccw] = args.vmsds('s390_virtio_ccw_dev');
  const ahead = yield* peek(4);
  const first = magicOf(ahead);
  const options = [];
  if (pci && first === PCI_DEVICE_VERSION) options.push({ value: BigInt(PCI), cost: 0 });
  if (ccw) options.push({ value: BigInt(CCW), cost: options.length > 0 ? 12 : 1 });
  // host_features_sel is a choice of two.
  if (first <= 1) options.push({ value: BigInt(MMIO), cost: 2 });
  const transport = yield* choose('transport', options);
  yield { request: 'open', name: 'transport', type: ['virtio-pci', 'virtio-ccw', 'virtio-mmio'][transport]! };
  let traits: TransportTraits;
  if (transport === PCI) {
    yield* struct('pci_dev', pci!, place);
    traits = { hasVectors: yield* readPciVectors(place), hasAlignment: false };
  } else if (transport === CCW) {
    yield* struct('s390_virtio_ccw_dev', ccw!, place);
    traits = { hasVectors: true, hasAlignment: false };
  } else {
    yield* integer('host_features_sel', 'uint32');
    yield* integer('guest_features_sel', 'uint32');
    yield* integer('guest_page_shift', 'uint32');
    traits = { hasVectors: false, hasAlignment: true };
  }
  yield { request: 'close' };
  return traits;
}

/** The MSI-X state and the configuration's vector. Returns whether there is MSI-X. */
function* readPciVectors({ object }: ObjectPlace): ReaderSteps<boolean> {
  const vectors = yield* loadedMsixVectors(object);
  if (vectors === 0) return false;
  yield { request: 'open', name: 'msix', type: 'msix state' };
  yield* readMsixVectors(vectors);
  yield { request: 'close' };
  yield* integer('config_vector', 'uint16');
  return true;
}
