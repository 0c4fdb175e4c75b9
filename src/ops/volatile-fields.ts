import type { Range } from '../bytes/range.ts';

/** Fields that differ although nothing happened that a person would ask for, and why. */
export interface VolatileField {
  /** As `compileSelectors` takes it. */
  readonly selector: string;
  /** Of a buffer, only these bytes. */
  readonly bytes?: readonly Range[];
  readonly why: VolatileReason;
}

/** `leftover`: memory that QEMU allocates, does not set, and sends. */
export type VolatileReason = 'clock' | 'timer' | 'counter' | 'leftover';

/** Types of such fields, whatever their names. */
export const volatileTypes: ReadonlySet<string> = new Set(['timer']);

const because =
  (why: VolatileReason) =>
  (selector: string): VolatileField => ({ selector, why });

/**
 * Found by comparing some 150 pairs of streams that the same command line gave, and some 40 of the same VM before and
 * after it ran for a second, of QEMU 5.2, 7.2, 10.0 and 11.1; what belongs to those fields was taken from the VMSDs.
 */
export const volatileFields: readonly VolatileField[] = [
  ...[
    'timer/cpu_ticks_offset',
    'timer/cpu_clock_offset',
    'kvmclock/clock',
    'cpu/env.tsc',
    'mc146818rtc/base_rtc',
    'mc146818rtc/last_update',
    'mc146818rtc/next_alarm_time',
    'mc146818rtc/next_periodic_time',
    'rtc/ns_offset',
    // pl031, goldfish_rtc, cuda, xlnx-zynqmp-rtc …
    '**/tick_offset',
    '**/tick_offset_vmstate',
    '**/guest_timebase',
    '**/time_of_the_day_ns',
    'allwinner-rtc/regs[*]',
    'pxa2xx_rtc/last_*',
    'todclock/tod.*',
    'todclock/(content)',
    'intel-hda/wall_base_ns',
  ].map(because('clock')),
  // Seconds, minutes, hours, weekday, day, month, year; register C, in which an update of these is flagged, which comes of
  // the host's clock, also while the machine is stopped; century.
  {
    selector: 'mc146818rtc/cmos_data',
    bytes: [
      { start: 0x00, end: 0x01 },
      { start: 0x02, end: 0x03 },
      { start: 0x04, end: 0x05 },
      { start: 0x06, end: 0x0a },
      { start: 0x0c, end: 0x0d },
      { start: 0x32, end: 0x33 },
    ],
    why: 'clock',
  },
  ...[
    'cpu/**/env.tsc_deadline',
    'apic/initial_count_load_time',
    'apic/next_time',
    'i8254/channels[*]/count_load_time',
    'i8254/channels[*]/next_transition_time',
    // A field of this name.
    'i8254/channels[0].next_transition_time',
    '**/*tmr.overflow_time',
    '**/last_event',
    '**/next_event',
    '**/timers[*]/load_time',
    '**/timers[*]/next_irq_time',
    '**/goldfish_rtc/alarm_next',
    '**/expire_time',
    '**/sof_time',
    '**/last_run_ns',
    '**/mfindex_start',
    'rtl8139/TCTR_base',
  ].map(because('timer')),
  ...[
    'timer/timer/icount/qemu_icount',
    'timer/timer/icount/qemu_icount_bias',
    'timer/timer/icount/timer/icount/shift/icount_time_shift',
    'timer/timer/icount/timer/icount/shift/last_delta',
    'timer/timer/icount/timer/icount/warp_timer/vm_clock_warp_start',
    'hpet/hpet_counter',
    'hpet/**/hpet_offset',
    'slavio_timer/cputimer[*]/count',
    'cpu/env.CP0_Count',
    '**/frnum',
    '**/frindex',
    '**/usbsts_frindex',
    '**/frame_number',
    'rtl8139/TCTR',
    'slirp/ipId',
    'slirp/(content)',
  ].map(because('counter')),
  // Of up to 8.2, where 9.0 and later have flags of their own, which come back with what they saved.
  { selector: 'globalstate/runstate', bytes: [{ start: 0x20, end: 100 }], why: 'leftover' },
  ...[
    '**/tx_fifo/data',
    '**/rx_fifo/data',
    '**/tx_fifo.fifo/data',
    '**/rx_fifo.fifo/data',
    '**/esp/fifo/data',
    '**/esp/cmdfifo/data',
    'vmware_vga/chip/scratch[*]',
  ].map(because('leftover')),
];
