/** What is known where a count is asked for that was not sent. */
export interface CountContext {
  /** Bytes from here to the end of the section. */
  readonly left: number;
  /** CPUs of the machine: sections named `cpu`. */
  readonly cpus: number;
  /** The count of a field of the same VMSD. */
  count(field: string): number | undefined;
  /** A member of the object around a `tmp` object, by the first of these names that its VMSD has; undefined if not sent. */
  around(...names: readonly string[]): bigint | undefined;
}

/** How the code of a device comes to a count, or the size of a buffer, that is not sent. */
export interface CountRule {
  /** The count itself. */
  compute?(context: CountContext): number | undefined;
  /** Counts that are likelier than others. */
  likely?(context: CountContext): readonly number[];
}

const WORD = 4;

/**
 * *_PLIC_NUM_SOURCES, VIRT_IRQCHIP_NUM_SOURCES and the like of QEMU's boards, 5.2 to 10.2: where each hart has machine
 * and supervisor mode, and where the first one has no supervisor mode.
 */
const BOARD_SOURCES: readonly ReadonlySet<number>[] = [
  new Set([28, 53, 96, 127]),
  new Set([53, 54, 127, 180, 185, 187]),
];

/** Sources of QEMU's boards, and the number 0, which is none. */
const APLIC_INTERRUPTS: ReadonlySet<number> = new Set([54, 97]);

/** Sources of a PLIC whose arrays have `words` words in all, for a number of addresses: hw/intc/sifive_plic.c. */
function plicSources(words: number, addresses: number): number | undefined {
  for (let bitfield = 1; bitfield <= words; bitfield++) {
    const sources = words - addresses - bitfield * (2 + addresses);
    if (sources <= 0) return undefined;
    if (Math.ceil(sources / 32) === bitfield) return sources;
  }
  return undefined;
}

function plicBitfield({ count }: CountContext): number | undefined {
  const sources = count('source_priority');
  return sources === undefined ? undefined : Math.ceil(sources / 32);
}

/** By VMSD and field. */
export const countRules: ReadonlyMap<string, CountRule> = new Map<string, CountRule>([
  // hw/net/virtio-net.c, virtio_net_tx_waiting_pre_save: of all queue pairs but the first. One pair is not sent.
  [
    'virtio-net-tx_waiting/vqs_1',
    {
      compute({ around }) {
        const pairs = Number(around('curr_queue_pairs', 'curr_queues') ?? 1n);
        return Math.max(0, pairs - 1);
      },
    },
  ],
  // hw/intc/sifive_plic.c, sifive_plic_realize. Boards have an address for each mode of a hart: machine and supervisor,
  // or one where the first hart has no supervisor mode.
  [
    'riscv_sifive_plic/source_priority',
    {
      likely({ left, cpus }) {
        const fitting = [2 * cpus, 2 * cpus - 1].map((addresses) => plicSources(left / WORD, addresses));
        const ofBoards = fitting.filter((sources, i) => BOARD_SOURCES[i]!.has(sources ?? 0));
        return (ofBoards.length > 0 ? ofBoards : fitting).filter((sources) => sources !== undefined);
      },
    },
  ],
  [
    'riscv_sifive_plic/target_priority',
    {
      compute(context) {
        const bitfield = plicBitfield(context);
        return bitfield === undefined ? undefined : (context.left / WORD - 2 * bitfield) / (1 + bitfield);
      },
    },
  ],
  ['riscv_sifive_plic/pending', { compute: plicBitfield }],
  ['riscv_sifive_plic/claimed', { compute: plicBitfield }],
  [
    'riscv_sifive_plic/enable',
    {
      compute(context) {
        const addresses = context.count('target_priority');
        const bitfield = plicBitfield(context);
        return addresses === undefined || bitfield === undefined ? undefined : addresses * bitfield;
      },
    },
  ],
  // Set to the same by every QEMU. hw/block/fdc.c, fdctrl_realize_common: FD_SECTOR_LEN.
  ['fdc/fifo', { compute: () => 512 }],
  // hw/ide/core.c, ide_init1: IDE_DMA_BUF_SECTORS sectors and 4 bytes.
  ['ide_drive/pio_state/io_buffer', { compute: () => 256 * 512 + 4 }],
  // hw/ppc/spapr_ovec.c, spapr_ovec_new: OV_MAXBITS.
  ['spapr_option_vector/bitmap', { compute: () => 2048 }],
  // hw/intc/riscv_aplic.c: three arrays by interrupt, three by hart; no hart where interrupts are messages.
  [
    'riscv_aplic/sourcecfg',
    {
      likely({ left, cpus }) {
        const fitting = [0, cpus].map((harts) => left / WORD / 3 - harts);
        const ofBoards = fitting.filter((interrupts) => APLIC_INTERRUPTS.has(interrupts));
        return ofBoards.length > 0 ? ofBoards : fitting;
      },
    },
  ],
]);
