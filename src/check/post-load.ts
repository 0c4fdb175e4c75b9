import { childNamed } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';
import type { Destination } from './destination.ts';
import type { Finding } from './finding.ts';
import { RESIZABLE } from './ram.ts';
import type { RuleCode } from './rules.ts';
import type { ValueInput } from './value-input.ts';
import { isOlder } from './version.ts';

/** Integers of a struct by the names of its fields; of an array nothing. */
type Fields = (...path: readonly string[]) => number | undefined;

/** What makes a `post_load` refuse. */
interface Refusal {
  /** Undefined where all of it is refused, whatever its values. */
  readonly field: string | undefined;
  /** What must be. */
  readonly text: string;
  readonly says?: string;
  readonly fix?: string;
  readonly rule?: RuleCode;
}

interface PostLoadRule {
  /** Whose fields are looked at. */
  readonly vmsd: string;
  /** Whose `post_load` does it, where that is another one. */
  readonly by?: string;
  refuse(stream: Fields, own: Fields, destination: Destination): Refusal | undefined;
}

type Limits = Readonly<Record<string, readonly [least: number, most: number]>>;

/** Fields that must be in a range. */
function limits(vmsd: string, ranges: Limits, by = vmsd): PostLoadRule {
  return {
    vmsd,
    by,
    refuse(stream) {
      for (const [field, [least, most]] of Object.entries(ranges)) {
        const value = stream(field);
        if (value !== undefined && (value < least || value > most))
          return { field, text: `must be ${least === most ? least : `from ${least} to ${most}`}` };
      }
      return undefined;
    },
  };
}

const LINE_STATUS_TRANSMITTER_EMPTY = 0x40;
/** Of a command register of an AHCI port: an engine, and whether it runs. */
const ENGINES = [
  { name: 'DMA', start: 1 << 0, running: 1 << 15 },
  { name: 'FIS RX', start: 1 << 4, running: 1 << 14 },
] as const;
const AHCI_SLOTS = 32;
/** Commands that can be queued (hw/ide/ahci.c, is_ncq). */
const QUEUED_COMMANDS: ReadonlySet<number> = new Set([0x60, 0x61, 0x63, 0x64, 0x65]);
const MPT_QUEUE = [0, 129] as const;
const PIXEL = [0, 79] as const;
const COLUMN = [0, 63] as const;

/** By the functions of the devices that are named; those of 5.2, 7.2 and 10.0 were read. */
const RULES: readonly PostLoadRule[] = [
  // hw/char/pl011.c
  limits('pl011', { read_pos: [0, 15], read_count: [0, 16] }),
  // hw/scsi/lsi53c895a.c
  limits('lsiscsi', { msg_len: [0, 8] }),
  // hw/scsi/mptsas.c
  limits('mptsas', {
    doorbell_cnt: [0, 256],
    doorbell_reply_size: [0, 256],
    request_post_head: MPT_QUEUE,
    request_post_tail: MPT_QUEUE,
    reply_post_head: MPT_QUEUE,
    reply_post_tail: MPT_QUEUE,
    reply_free_head: MPT_QUEUE,
    reply_free_tail: MPT_QUEUE,
    diagnostic_idx: [0, 4],
  }),
  notAbove('mptsas', 'doorbell_idx', 'doorbell_cnt'),
  notAbove('mptsas', 'doorbell_reply_idx', 'doorbell_reply_size'),
  // hw/net/vmxnet3.c, vmxnet3_validate_queues, vmxnet3_validate_interrupts
  limits('vmxnet3', { txq_num: [0, 8], rxq_num: [0, 8], event_int_idx: [0, 24] }),
  // hw/ide/core.c, ide_drive_pio_post_load
  limits('ide_drive/pio_state', { end_transfer_fn_idx: [0, 5] }),
  // hw/ssi/pl022.c
  limits('pl022_ssp', { tx_fifo_head: [0, 7], rx_fifo_head: [0, 7] }),
  // hw/sd/ssi-sd.c
  limits('ssi_sd', { mode: [0, 9] }),
  // hw/net/stellaris_enet.c
  limits('stellaris_enet', {
    next_packet: [0, 30],
    np: [0, 31],
    rx_fifo_offset: [0, 2044],
    tx_fifo_len: [0, 2048],
  }),
  limits('stellaris_enet/rx_frame', { len: [0, 2048] }, 'stellaris_enet'),
  // hw/display/ssd0323.c
  limits('ssd0323_oled', {
    cmd_len: [0, 8],
    row: PIXEL,
    row_start: PIXEL,
    row_end: PIXEL,
    col: COLUMN,
    col_start: COLUMN,
    col_end: COLUMN,
    mode: [0, 1],
  }),
  // target/i386/machine.c, cpu_post_load
  limits('cpu', { 'env.fpregs_format_vmstate': [0, 0] }),
  same('e1000e', 'subsys'),
  same('e1000e', 'subsys_ven'),
  // hw/timer/hpet.c: as many as the property timers= made, which is what the destination sends itself.
  same('hpet', 'num_timers_save', 'failed-validation'),
  { vmsd: 'fw_cfg/acpi_mr', refuse: acpiBlocks },
  { vmsd: 'serial', refuse: transmitter },
  { vmsd: 'ahci port', by: 'ahci', refuse: ahciPort },
  { vmsd: 'ncq state', by: 'ahci', refuse: queuedCommand },
  { vmsd: 'sd-card', refuse: poweredUpCard },
];

/** Values that code of the destination's device refuses when all is loaded: those that its fields alone decide. */
export function checkPostLoad({ node, ownNode, path, destination, section }: ValueInput): Finding[] {
  const vmsd = node.kind === 'struct' ? node.vmsdName : undefined;
  if (vmsd === undefined || !hasPostLoadRule(vmsd)) return [];
  return RULES.flatMap((rule): Finding[] => {
    if (rule.vmsd !== vmsd || !isDone(rule, destination)) return [];
    const refusal = rule.refuse(fieldsOf(node), fieldsOf(ownNode), destination);
    if (!refusal) return [];
    const { field, text, says, fix, rule: code = 'post-load' } = refusal;
    const at = (field === undefined ? undefined : childNamed(node, field)) ?? node;
    const value = at.kind === 'leaf' ? `${String(at.value)}; it ` : '';
    return [
      {
        rule: code,
        severity: 'blocks',
        path: field === undefined ? path : [...path, field],
        range: at,
        message: `${value}${text}`,
        says:
          says ??
          `error while loading state for instance 0x${section.instanceId.toString(16)} of device '${section.idstr}'`,
        fix: fix ?? 'an undamaged copy of the stream, or the same properties of the device at both sides',
      },
    ];
  });
}

const VMSDS: ReadonlySet<string> = new Set(RULES.map(({ vmsd }) => vmsd));

/** Is there a rule for structs of a VMSD? */
export function hasPostLoadRule(vmsd: string): boolean {
  return VMSDS.has(vmsd);
}

/** Does the QEMU of the destination have that code? */
function isDone({ vmsd, by = vmsd }: PostLoadRule, { tables }: Destination): boolean {
  const vmsds = tables?.schema.vmsds ?? [];
  return vmsds.some(
    ({ name, callbacks: { preLoad, preLoadErrp, postLoad, postLoadErrp } }) =>
      name === by && [preLoad, preLoadErrp, postLoad, postLoadErrp].some((code) => code !== undefined),
  );
}

function notAbove(vmsd: string, field: string, other: string): PostLoadRule {
  return {
    vmsd,
    refuse(stream) {
      const [value, most] = [stream(field), stream(other)];
      if (value === undefined || most === undefined || value <= most) return undefined;
      return { field, text: `must not be above ${other}, which is ${most}` };
    },
  };
}

/** A field that is sent to be compared with the property that it is made of. */
function same(vmsd: string, field: string, rule?: RuleCode): PostLoadRule {
  return {
    vmsd,
    refuse(stream, own) {
      const [value, local] = [stream(field), own(field)];
      if (value === undefined || local === undefined || value === local) return undefined;
      return { field, text: `must be ${local}, as at the destination`, ...(rule ? { rule } : {}) };
    },
  };
}

/** Fields with the sizes that the RAM blocks of ACPI tables are resized to, and the most that they can have. */
const ACPI_BLOCKS = [
  ['table_mr_size', '/rom@etc/acpi/tables'],
  ['linker_mr_size', '/rom@etc/table-loader'],
  ['rsdp_mr_size', '/rom@etc/acpi/rsdp'],
] as const;

/** hw/nvram/fw_cfg.c, fw_cfg_acpi_mr_restore_post_load: a size that the block cannot grow to makes QEMU abort. */
function acpiBlocks(stream: Fields, own: Fields): Refusal | undefined {
  for (const [field, block] of ACPI_BLOCKS) {
    const size = stream(field) ?? 0;
    const most = RESIZABLE.get(block)!;
    // A destination without ACPI tables has no such block.
    if (!own(field) || size <= most) continue;
    return { field, text: `can be ${most} at the most`, says: `Size too large: ${block}: ` };
  }
  return undefined;
}

/** hw/char/serial.c: the transmitter is empty as long as nothing is tried again. */
function transmitter(stream: Fields, own: Fields): Refusal | undefined {
  const status = stream('lsr');
  const retries = stream('serial/tsr', 'tsr_retry') ?? own('serial/tsr', 'tsr_retry') ?? 0;
  if (status === undefined) return undefined;
  const isEmpty = (status & LINE_STATUS_TRANSMITTER_EMPTY) !== 0;
  if (isEmpty === (retries === 0)) return undefined;
  const says = `inconsistent state in serial device (tsr ${isEmpty ? 'empty' : 'not empty'}, tsr_retry=`;
  return {
    field: 'lsr',
    text: `says that the transmitter is ${isEmpty ? '' : 'not '}empty, after ${retries} retries`,
    says,
  };
}

/** hw/ide/ahci.c, ahci_state_post_load */
function ahciPort(stream: Fields): Refusal | undefined {
  const command = stream('port_regs.cmd') ?? 0;
  for (const { name, start, running } of ENGINES) {
    if ((command & start) !== 0 || (command & running) === 0) continue;
    const says = `AHCI: ${name} engine should be off, but status bit indicates it is still running.`;
    return { field: 'port_regs.cmd', text: `says that an engine runs that is off`, says };
  }
  const slot = stream('busy_slot') ?? -1;
  if (slot >= -1 && slot < AHCI_SLOTS) return undefined;
  return { field: 'busy_slot', text: `must be from -1 to ${AHCI_SLOTS - 1}` };
}

/** hw/ide/ahci.c, ahci_state_post_load: the queued commands, of which one that is in use is halted. */
function queuedCommand(stream: Fields): Refusal | undefined {
  const isHalted = stream('halt');
  if (stream('used') !== isHalted) return { field: 'used', text: 'must be as halt' };
  if (!isHalted) return undefined;
  if (!QUEUED_COMMANDS.has(stream('cmd') ?? 0)) return { field: 'cmd', text: 'is no command that is queued' };
  return stream('slot') === stream('tag') ? undefined : { field: 'slot', text: 'must be as tag' };
}

/** From this QEMU on, the reset of an SD card over SPI powers it up (hw/sd/sd.c, sd_set_ocr). */
const RESET_POWERS_UP = [7, 2] as const;

/**
 * hw/sd/sd.c, sd_vmstate_pre_load: the card is powered up to begin with, which must not be done twice. A card that is
 * not powered up sends its state in a subsection.
 */
function poweredUpCard(_: Fields, own: Fields, { own: vm, qemuVersion }: Destination): Refusal | undefined {
  if (qemuVersion === undefined || isOlder(qemuVersion, RESET_POWERS_UP)) return undefined;
  if (own('state') === undefined || own('sd-card/ocr-state', 'ocr') !== undefined) return undefined;
  const count = (name: string) => vm?.stream.sections.filter(({ idstr }) => idstr === name).length ?? 0;
  // Others are powered up by the guest, and are not so when they load.
  if (count('ssi_sd') < count('sd-card')) return undefined;
  return {
    field: undefined,
    text: 'an SD card over SPI cannot be loaded: the one of the destination is powered up already, and QEMU aborts',
    says: "sd_ocr_powerup: Assertion `!FIELD_EX32(sd->ocr, OCR, CARD_POWER_UP)' failed.",
    fix: 'no such card at both sides',
  };
}

function fieldsOf(node: LayoutNode | undefined): Fields {
  return (...path) => {
    const at = path.reduce<LayoutNode | undefined>(childNamed, node);
    if (at?.kind !== 'leaf') return undefined;
    const { value } = at;
    if (typeof value === 'boolean') return value ? 1 : 0;
    // Beyond what a number holds exactly it is beyond every limit.
    if (typeof value === 'bigint')
      return value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : Number(value);
    return typeof value === 'number' ? value : undefined;
  };
}
