/** A count that a pre_save function computes in a `tmp` object, from a member of the object around it. */
interface ComputedCount {
  /** The member, by names that its field had in different versions. */
  readonly from: readonly string[];
  /** Undefined stands for a member that was not sent. */
  compute(value: bigint | undefined): bigint;
}

/** By VMSD of the `tmp` object and name of the field that is counted. */
export const computedCounts: ReadonlyMap<string, ComputedCount> = new Map([
  [
    // hw/net/virtio-net.c, virtio_net_tx_waiting_pre_save: of all queue pairs but the first. One pair is not sent.
    'virtio-net-tx_waiting/vqs_1',
    {
      from: ['curr_queue_pairs', 'curr_queues'],
      compute: (pairs) => (pairs === undefined || pairs === 0n ? 0n : pairs - 1n),
    },
  ],
]);

/** Values of members that count elements or bits and that every QEMU sets to the same; by VMSD and name of the field. */
export const constantCounts: ReadonlyMap<string, bigint> = new Map([
  // hw/block/fdc.c, fdctrl_realize_common: fifo_size is FD_SECTOR_LEN.
  ['fdc/fifo', 512n],
  // hw/ide/core.c, ide_init1: io_buffer_total_len is IDE_DMA_BUF_SECTORS * 512 + 4.
  ['ide_drive/pio_state/io_buffer', 131_076n],
  // hw/ppc/spapr_ovec.c, spapr_ovec_new: bitmap_size is OV_MAXBITS.
  ['spapr_option_vector/bitmap', 2048n],
]);
