import type { Diagnostic, DiagnosticCode } from '../bytes/diagnostic.ts';
import type { FinishedSource } from '../bytes/source.ts';
import { magicOf } from '../bytes/view.ts';

export type { MultifdChannelSummary } from './multifd/channel.ts';

import { MultifdChannel, type MultifdChannelSummary, type PageDelivery } from './multifd/channel.ts';
import { INIT_SIZE, MULTIFD_MAGIC } from './multifd/packet.ts';
import { looksLikePreempt, type PreemptChannelSummary, readPreemptChannel } from './preempt-channel.ts';

/** "QEVM", of a main stream. */
const QEMU_VM_FILE_MAGIC = 0x5145564d;
const NO_UUID = '0'.repeat(32);

export type ChannelSummary = MultifdChannelSummary | PreemptChannelSummary;

interface ChannelOptions {
  report(diagnostic: Diagnostic): void;
}

/** Whether a connection that begins so, with more than a few bytes, is a channel. */
export function isChannel(beginning: Uint8Array): boolean {
  return magicOf(beginning) === MULTIFD_MAGIC || looksLikePreempt(beginning, beginning.byteLength);
}

/**
 * The further connections of a migration, read in step with its main stream.
 *
 * What is right when a page comes several times follows from the points at which QEMU waits (multifd_send_sync_main,
 * multifd_recv_sync_main): a sync packet in each channel, and in the main stream RAM_SAVE_FLAG_MULTIFD_FLUSH (8.0 and
 * later) or, without that flag, each EOS. Between two such points the migration thread meets each page at most once,
 * so that the order in there does not matter; what is behind one is newer than all before. The packets between two
 * sync packets are delivered at the point where the main stream waits for them.
 */
export class RamChannels {
  readonly #multifd: MultifdChannel[];
  readonly #preempt: readonly FinishedSource[];
  readonly #report: (diagnostic: Diagnostic) => void;
  readonly #preemptSummaries: PreemptChannelSummary[] = [];
  #rounds = 0;
  #finished = false;

  private constructor(
    multifd: MultifdChannel[],
    preempt: readonly FinishedSource[],
    report: (diagnostic: Diagnostic) => void,
  ) {
    this.#multifd = multifd;
    this.#preempt = preempt;
    this.#report = report;
  }

  /** Tells by their first bytes what the sources are, in any order; what is no channel is reported and left out. */
  static async open(sources: readonly FinishedSource[], options: ChannelOptions): Promise<RamChannels> {
    const { report } = options;
    const problem = (source: FinishedSource, message: string, code: DiagnosticCode = 'bad-channel') =>
      report({ severity: 'error', code, message: `channel ${source.name}: ${message}` });
    const multifd = new Map<number, MultifdChannel>();
    const preempt: FinishedSource[] = [];
    for (const source of sources) {
      const head = await source.read(0, Math.min(INIT_SIZE, source.size));
      const magic = magicOf(head);
      if (magic === QEMU_VM_FILE_MAGIC) {
        problem(source, 'this is a main stream (it begins with QEVM), not a channel of one');
      } else if (magic === MULTIFD_MAGIC) {
        if (head.byteLength < INIT_SIZE) {
          problem(source, 'the channel ends inside its first packet', 'truncated');
          continue;
        }
        // The initial packet is kept: a source may hand out the same buffer again.
        const channel = new MultifdChannel(source, head.slice(), options);
        const { id, uuid } = channel.init;
        const other = multifd.get(id);
        const [first] = multifd.values();
        if (other) {
          problem(source, `multifd channel ${id} a second time, after ${other.source.name}; it is left out`);
        } else if (first && first.init.uuid !== uuid) {
          problem(
            source,
            `it belongs to another migration: its VM is ${uuid}, that of ${first.source.name} is ${first.init.uuid}; it is left out`,
          );
        } else multifd.set(id, channel);
      } else if (looksLikePreempt(head, source.size)) preempt.push(source);
      else problem(source, 'neither a multifd channel (magic 0x11223344) nor a postcopy preempt channel');
    }
    const channels = [...multifd.values()].sort((a, b) => a.init.id - b.init.id);
    for (let id = 0; id < (channels.at(-1)?.init.id ?? 0); id++) {
      if (multifd.has(id)) continue;
      const message = `multifd channel ${id} is missing: there are ${channels.map(({ init }) => init.id).join(', ')}`;
      report({ severity: 'error', code: 'bad-channel', message });
    }
    return new RamChannels(channels, preempt, report);
  }

  /** TARGET_PAGE_SIZE in bytes, where a channel shows it. */
  get pageSize(): number | undefined {
    return this.#multifd.find(({ pageSize }) => pageSize !== undefined)?.pageSize;
  }

  summaries(): readonly ChannelSummary[] {
    return [...this.#multifd.map((channel) => channel.summary()), ...this.#preemptSummaries];
  }

  /** Reports channels of a VM other than `uuid`, 32 hexadecimal digits. */
  checkUuid(uuid: string): void {
    for (const { source, init } of this.#multifd) {
      if (init.uuid === uuid || init.uuid === NO_UUID) continue;
      const message = `channel ${source.name}: it belongs to another migration: its VM is ${init.uuid}, that of the stream is ${uuid}`;
      this.#report({ severity: 'error', code: 'bad-channel', message });
    }
  }

  /** Reads what the channels hold up to the next point at which all wait for each other. */
  async sync(pageSize: number | undefined, delivery: PageDelivery): Promise<void> {
    this.#rounds++;
    await Promise.all(this.#multifd.map((channel) => channel.readRound(pageSize, delivery)));
    if (this.#multifd.length > 0) delivery.sink?.synchronised?.();
    await delivery.sink?.drain?.();
  }

  /** Reads what is left when the main stream has ended, and reports what does not fit. */
  async finish(pageSize: number | undefined, delivery: PageDelivery): Promise<void> {
    if (this.#finished) return;
    this.#finished = true;
    const rounds = this.#rounds;
    while (this.#multifd.some(({ ended }) => !ended)) await this.sync(pageSize, delivery);
    this.#checkRounds(rounds);
    this.#checkNumbers();
    for (const source of this.#preempt) {
      const found = pageSize ?? this.pageSize ?? 4096;
      this.#preemptSummaries.push(await readPreemptChannel(source, found, delivery, this.#report));
    }
  }

  /** Each channel has a sync packet for each point at which the main stream waits. */
  #checkRounds(rounds: number): void {
    for (const channel of this.#multifd) {
      if (channel.syncs === rounds || channel.damaged) continue;
      const message = `channel ${channel.source.name}: it has ${channel.syncs} sync packets, the stream waits ${rounds} times: one of them is cut, or they are of different migrations`;
      this.#report({ severity: 'error', code: 'bad-channel', message });
    }
  }

  /** Packets are numbered without gaps, over all channels. */
  #checkNumbers(): void {
    if (this.#multifd.length === 0 || this.#multifd.some(({ damaged }) => damaged)) return;
    let packets = 0;
    let last = -1;
    for (const { numbering } of this.#multifd) {
      packets += numbering.packets;
      last = Math.max(last, numbering.last);
    }
    if (packets === last + 1) return;
    const message = `${packets} multifd packets in ${this.#multifd.length} channels, but the last has number ${last}: a channel is missing, or is of another migration`;
    this.#report({ severity: 'error', code: 'bad-channel', message });
  }
}
