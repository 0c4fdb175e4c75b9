/** sizeof(VRingDesc), bytes. */
const DESCRIPTOR = 16n;
/** Flags and index, in front of the entries of either ring. */
const RING_HEADER = 4n;
const AVAILABLE_ENTRY = 2n;
const USED_ENTRY = 8n;
/** Behind the entries of either ring, with VIRTIO_RING_F_EVENT_IDX. */
const EVENT_INDEX = 2n;
/** VIRTIO_PCI_VRING_ALIGN; the other transports send theirs. */
const PCI_ALIGN = 4096n;

/**
 * Guest physical addresses of the rings of a legacy queue: the available ring lies behind the descriptors, the used ring
 * at the next boundary of `align` bytes (hw/virtio/virtio.c, virtio_queue_update_rings).
 */
export function legacyRings(
  descriptors: bigint,
  size: bigint,
  align: bigint | undefined,
): { readonly available: bigint; readonly used: bigint } {
  const unit = align || PCI_ALIGN;
  const available = descriptors + size * DESCRIPTOR;
  const end = available + RING_HEADER + size * AVAILABLE_ENTRY;
  return { available, used: ((end + unit - 1n) / unit) * unit };
}

/** Bytes that a split virtqueue of `size` entries takes at the most (VIRTIO specification, 2.7). */
export function vringLengths(size: bigint): {
  readonly descriptors: bigint;
  readonly available: bigint;
  readonly used: bigint;
} {
  return {
    descriptors: size * DESCRIPTOR,
    available: RING_HEADER + size * AVAILABLE_ENTRY + EVENT_INDEX,
    used: RING_HEADER + size * USED_ENTRY + EVENT_INDEX,
  };
}
