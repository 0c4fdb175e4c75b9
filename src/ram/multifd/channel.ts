import {
  DecodeError,
  type Diagnostic,
  type DiagnosticCode,
  printable,
  problemIn,
} from '../../bytes/diagnostic.ts';
import { hexOffset } from '../../bytes/range.ts';
import type { FinishedSource } from '../../bytes/source.ts';
import { u64At, viewOf } from '../../bytes/view.ts';
import type { PageSink, PageSource } from '../page-sink.ts';
import type { RamBlock } from '../ram-block.ts';
import { isTargetPageSize, targetPageSizes } from '../target-page-size.ts';
import type { CompressedPacket, CompressedPackets } from './compressed-packets.ts';
import {
  DEVICE_STATE_PACKET_SIZE,
  encodingNames,
  INIT_SIZE,
  MAX_COMPRESSED_PAYLOAD,
  MULTIFD_MAGIC,
  MULTIFD_PACKET_SIZE,
  MULTIFD_VERSION,
  type MultifdEncoding,
  type MultifdInit,
  PACKET_HEADER_SIZE,
  parseDeviceStatePacket,
  parseInit,
  parsePacketHeader,
  parseRamPacket,
  RAM_PACKET_SIZE,
  type RamPacket,
} from './packet.ts';

/** Problems of one channel that are reported one by one. */
const MAX_REPORTED = 20;
/** Devices and RAMBlocks that are told apart in what is counted. */
const MAX_NAMES = 4096;

/** Packets with the state of one device. */
export interface DeviceStateCount {
  readonly idstr: string;
  readonly instanceId: number;
  packets: number;
  bytes: number;
}

/** What was met in one channel. */
export interface MultifdChannelSummary {
  readonly kind: 'multifd';
  readonly name: string;
  /** Bytes of the channel. */
  readonly size: number;
  readonly id: number;
  readonly uuid: string;
  /** Undefined before a packet with pages. */
  readonly encoding: MultifdEncoding | undefined;
  readonly packets: number;
  readonly syncs: number;
  readonly normalPages: number;
  readonly zeroPages: number;
  /** Bytes of page data, as they are in the channel. */
  readonly payloadBytes: number;
  readonly deviceStates: readonly DeviceStateCount[];
}

/** What a channel has to know of the main stream, and what it does with pages. */
export interface PageDelivery {
  readonly blocks: ReadonlyMap<string, RamBlock>;
  readonly sink: PageSink | undefined;
}

/** The header of a packet, and where it is. */
type Packet =
  | { readonly kind: 'ram'; readonly start: number; readonly end: number; readonly ram: RamPacket }
  | { readonly kind: 'device-state'; readonly start: number; readonly end: number };

/** One connection of a multifd migration (migration/multifd.c): MultiFDInit_t, then packets and their payloads. */
export class MultifdChannel {
  readonly source: FinishedSource;
  readonly init: MultifdInit;
  readonly #report: (diagnostic: Diagnostic) => void;
  #reported = 0;
  #offset = INIT_SIZE;
  #broken = false;
  #pageSize: number | undefined;
  #encoding: MultifdEncoding | undefined;
  #from: PageSource | undefined;
  readonly #header = new Uint8Array(RAM_PACKET_SIZE);
  #packets = 0;
  #syncs = 0;
  #normalPages = 0;
  #zeroPages = 0;
  #payloadBytes = 0;
  /** Of normal pages so far, as they are in memory. */
  #pageBytes = 0;
  #lastPacketNum = -1;
  readonly #deviceStates = new Map<string, DeviceStateCount>();

  /** `head` are the first INIT_SIZE bytes of the source. */
  constructor(source: FinishedSource, head: Uint8Array, options: { report(diagnostic: Diagnostic): void }) {
    this.source = source;
    this.init = parseInit(viewOf(head));
    this.#report = options.report;
    if (this.init.version !== MULTIFD_VERSION) {
      this.#broken = true;
      this.#problem(
        'unsupported',
        4,
        `multifd version ${this.init.version}; only ${MULTIFD_VERSION} is known`,
      );
    }
  }

  /** TARGET_PAGE_SIZE in bytes, once it is known. */
  get pageSize(): number | undefined {
    return this.#pageSize;
  }

  /** Packets that carry or announce pages, and the highest of their numbers, -1 before the first. */
  get numbering(): { readonly packets: number; readonly last: number } {
    const deviceStates = [...this.#deviceStates.values()].reduce((sum, { packets }) => sum + packets, 0);
    return { packets: this.#packets - deviceStates, last: this.#lastPacketNum };
  }

  /** Whether all was read that can be. */
  get ended(): boolean {
    return this.#broken || this.#offset >= this.source.size;
  }

  get damaged(): boolean {
    return this.#reported > 0;
  }

  get syncs(): number {
    return this.#syncs;
  }

  summary(): MultifdChannelSummary {
    return {
      kind: 'multifd',
      name: this.source.name,
      size: this.source.size,
      id: this.init.id,
      uuid: this.init.uuid,
      encoding: this.#encoding,
      packets: this.#packets,
      syncs: this.#syncs,
      normalPages: this.#normalPages,
      zeroPages: this.#zeroPages,
      payloadBytes: this.#payloadBytes,
      deviceStates: [...this.#deviceStates.values()],
    };
  }

  /**
   * Reads packets up to the next sync packet, or the end, and delivers their pages. Problems are reported; those that
   * leave open where the next packet is end the channel.
   */
  async readRound(pageSize: number | undefined, delivery: PageDelivery): Promise<void> {
    this.#pageSize ??= pageSize;
    while (!this.ended) {
      const start = this.#offset;
      try {
        const packet = await this.#readPacket(start);
        this.#packets++;
        if (packet.kind === 'ram') await this.#takePages(packet.ram, start, delivery);
        else await this.#countDeviceState(start, packet.end);
        this.#offset = packet.end;
        if (packet.kind === 'ram' && packet.ram.sync) {
          this.#syncs++;
          return;
        }
      } catch (error) {
        const { code, message } = problemIn(error).diagnostic;
        this.#broken = true;
        this.#problem(code, start, message);
      }
    }
  }

  /** Reads and checks the header of the packet at `start`. Throws DecodeError. */
  async #readPacket(start: number, header = this.#header): Promise<Packet> {
    const { size } = this.source;
    const view = viewOf(await this.#read(start, RAM_PACKET_SIZE, header));
    if (view.byteLength < PACKET_HEADER_SIZE) throw truncated(size - start, PACKET_HEADER_SIZE);
    const { magic, version, flags, deviceState } = parsePacketHeader(view);
    if (magic !== MULTIFD_MAGIC || version !== MULTIFD_VERSION) {
      const found = `0x${magic.toString(16).padStart(8, '0')}, version ${version}`;
      throw badPacket(`no multifd packet begins here: magic ${found}; expected 0x11223344, version 1`);
    }
    if (deviceState) {
      if (view.byteLength < DEVICE_STATE_PACKET_SIZE) throw truncated(size - start, DEVICE_STATE_PACKET_SIZE);
      const { payloadSize } = parseDeviceStatePacket(view);
      const end = start + DEVICE_STATE_PACKET_SIZE + payloadSize;
      if (end > size) throw truncated(size - start, end - start);
      return { kind: 'device-state', start, end };
    }
    if (view.byteLength < RAM_PACKET_SIZE) throw truncated(size - start, RAM_PACKET_SIZE);
    const ram = parseRamPacket(view);
    this.#pageSize ??= await this.#findPageSize(start, ram);
    const pagesPerPacket = MULTIFD_PACKET_SIZE / this.#pageSize;
    const { pagesAlloc, normalPages, zeroPages, encoding, payloadSize } = ram;
    if (pagesAlloc > pagesPerPacket) {
      throw badPacket(
        `a packet with room for ${pagesAlloc} pages; it can be ${pagesPerPacket} pages of ${this.#pageSize} bytes`,
      );
    }
    if (normalPages + zeroPages > pagesAlloc) {
      throw badPacket(
        `a packet of ${normalPages} pages and ${zeroPages} zero pages, with room for ${pagesAlloc}`,
      );
    }
    if (encoding === undefined)
      throw badPacket(`a packet with flags 0x${flags.toString(16)}, which no QEMU sets`);
    // Without pages there is no payload, whatever the packet says.
    const payload = normalPages === 0 ? 0 : payloadSize;
    if (encoding === 'none' ? payload !== normalPages * this.#pageSize : payload > MAX_COMPRESSED_PAYLOAD) {
      throw badPacket(
        `a packet of ${normalPages} pages with ${payloadSize} bytes of page data (${encodingNames[encoding]})`,
      );
    }
    const end = start + RAM_PACKET_SIZE + 8 * pagesPerPacket + payload;
    if (end > size) throw truncated(size - start, end - start);
    return { kind: 'ram', start, end, ram };
  }

  /** The page size decides how long a packet is. */
  async #findPageSize(start: number, { pagesAlloc, normalPages, payloadSize }: RamPacket): Promise<number> {
    if (pagesAlloc > 0) {
      const pageSize = MULTIFD_PACKET_SIZE / pagesAlloc;
      if (!isTargetPageSize(pageSize)) throw badPacket(`a packet with room for ${pagesAlloc} pages`);
      return pageSize;
    }
    for (const pageSize of targetPageSizes) {
      const next =
        start +
        RAM_PACKET_SIZE +
        (8 * MULTIFD_PACKET_SIZE) / pageSize +
        (normalPages === 0 ? 0 : payloadSize);
      if (next === this.source.size) return pageSize;
      const magic = await this.source.read(next, 4);
      if (magic.byteLength === 4 && viewOf(magic).getUint32(0) === MULTIFD_MAGIC) return pageSize;
    }
    throw badPacket('no multifd packet follows this one, whatever the page size');
  }

  async #countDeviceState(start: number, end: number): Promise<void> {
    const { idstr, instanceId } = parseDeviceStatePacket(
      viewOf(await this.#read(start, DEVICE_STATE_PACKET_SIZE, this.#header)),
    );
    const key = `${instanceId}/${idstr}`;
    let count = this.#deviceStates.get(key);
    if (!count) {
      if (this.#deviceStates.size === MAX_NAMES) throw badPacket(`states of more than ${MAX_NAMES} devices`);
      count = { idstr, instanceId, packets: 0, bytes: 0 };
      this.#deviceStates.set(key, count);
    }
    count.packets++;
    count.bytes += end - start - DEVICE_STATE_PACKET_SIZE;
  }

  async #takePages(ram: RamPacket, start: number, delivery: PageDelivery): Promise<void> {
    const { normalPages, zeroPages, packetNum, ramblock } = ram;
    const pageSize = this.#pageSize as number;
    this.#lastPacketNum = Math.max(this.#lastPacketNum, packetNum);
    this.#normalPages += normalPages;
    this.#zeroPages += zeroPages;
    if (normalPages + zeroPages === 0) return;
    if (normalPages > 0) this.#payloadBytes += ram.payloadSize;
    this.#encoding ??= ram.encoding;
    if (ram.encoding !== this.#encoding) {
      throw badPacket(
        `a packet with ${encodingNames[ram.encoding ?? 'none']} behind packets with ${encodingNames[this.#encoding ?? 'none']}`,
      );
    }
    const block = delivery.blocks.get(ramblock);
    if (!block) {
      this.#problem(
        'bad-ram',
        start,
        `pages of RAMBlock '${printable(ramblock)}', which is not in the block list`,
      );
    }
    const pageCount = normalPages + zeroPages;
    const offsets = viewOf(
      await this.#read(start + RAM_PACKET_SIZE, 8 * pageCount, new Uint8Array(8 * pageCount)),
    );
    // Where the normal pages are: in the channel, or in what it decompresses to.
    const content = this.#encoding === 'none' ? start + this.#packetSize() : this.#pageBytes;
    this.#pageBytes += normalPages * pageSize;
    this.#from ??= this.#pageSource(ram.encoding ?? 'none');
    const { sink } = delivery;
    for (let page = 0; page < pageCount; ) {
      const offset = block ? this.#pageOffset(offsets, page, block, start) : undefined;
      const isZero = page >= normalPages;
      const first = page++;
      if (!block || offset === undefined) continue;
      // Pages that follow each other in the packet mostly do so in the block.
      const end = isZero ? pageCount : normalPages;
      while (page < end && follows(offsets, page, offset + (page - first) * pageSize, block, pageSize))
        page++;
      const kind = isZero ? 'zero' : 'plain';
      sink?.pages(
        block,
        offset,
        page - first,
        kind,
        pageSize,
        isZero ? 0 : content + first * pageSize,
        this.#from,
      );
    }
  }

  #pageSource(encoding: MultifdEncoding): PageSource {
    const { source } = this;
    if (encoding === 'none') return { source, hasRecords: false };
    const packets: CompressedPackets = { encoding, packets: () => this.#compressedPackets() };
    return { source, hasRecords: false, packets };
  }

  /** The packets with pages up to where the channel was read. */
  async *#compressedPackets(): AsyncGenerator<CompressedPacket> {
    const header = new Uint8Array(RAM_PACKET_SIZE);
    for (let offset = INIT_SIZE; offset < this.#offset; ) {
      const packet = await this.#readPacket(offset, header);
      if (packet.kind === 'ram' && packet.ram.normalPages > 0) {
        const { normalPages, payloadSize } = packet.ram;
        const payload = offset + this.#packetSize();
        yield { start: offset, payload, payloadSize, length: normalPages * (this.#pageSize as number) };
      }
      offset = packet.end;
    }
  }

  /** The offset of a page in its block; undefined, and reported, where it cannot be. */
  #pageOffset(offsets: DataView, page: number, block: RamBlock, start: number): number | undefined {
    const offset = u64At(offsets, 8 * page);
    const pageSize = this.#pageSize as number;
    if (offset <= block.length - pageSize && offset % pageSize === 0) return offset;
    this.#problem(
      'bad-ram',
      start + RAM_PACKET_SIZE + 8 * page,
      `a page at 0x${offsets.getBigUint64(8 * page).toString(16)} of RAMBlock '${printable(block.idstr)}', which has ${hexOffset(block.length)} bytes`,
    );
    return undefined;
  }

  /** Bytes of a packet with its page offsets, which takes as many whether they are used or not. */
  #packetSize(): number {
    return RAM_PACKET_SIZE + (8 * MULTIFD_PACKET_SIZE) / (this.#pageSize as number);
  }

  async #read(offset: number, length: number, into: Uint8Array): Promise<Uint8Array> {
    const wanted = Math.min(length, this.source.size - offset);
    return this.source.read(offset, wanted, into.subarray(0, wanted));
  }

  #problem(code: DiagnosticCode, offset: number, message: string): void {
    this.#reported++;
    if (this.#reported > MAX_REPORTED) return;
    const place = `channel ${this.source.name}, offset ${hexOffset(offset)}`;
    this.#report({ severity: 'error', code, message: `${place}: ${message}` });
    if (this.#reported === MAX_REPORTED) {
      const rest = `channel ${this.source.name}: more problems are not reported`;
      this.#report({ severity: 'error', code: 'bad-ram', message: rest });
    }
  }
}

function follows(
  offsets: DataView,
  page: number,
  expected: number,
  block: RamBlock,
  pageSize: number,
): boolean {
  const offset = u64At(offsets, 8 * page);
  return offset === expected && offset <= block.length - pageSize;
}

function badPacket(message: string): DecodeError {
  return new DecodeError({ severity: 'error', code: 'bad-ram', message });
}

function truncated(have: number, need: number): DecodeError {
  const message = `the channel ends inside a packet: ${need} bytes are needed here, there are ${have}`;
  return new DecodeError({ severity: 'error', code: 'truncated', message });
}
