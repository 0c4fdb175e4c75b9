import { u64At } from '../../bytes/view.ts';
import { decodeText } from '../../bytes/window.ts';

/** MULTIFD_MAGIC and MULTIFD_VERSION (migration/multifd.h; multifd.c before 9.1). */
export const MULTIFD_MAGIC = 0x11223344;
export const MULTIFD_VERSION = 1;

/** Bytes of MultiFDInit_t, which begins each channel: u32 magic, u32 version, uuid, u8 id, 39 bytes reserved. */
export const INIT_SIZE = 64;
const INIT_UUID = 8;
const INIT_ID = 24;

/** Bytes of MultiFDPacketHdr_t: u32 magic, u32 version, u32 flags. */
export const PACKET_HEADER_SIZE = 12;
/** Bytes of MultiFDPacket_t in front of its page offsets. */
export const RAM_PACKET_SIZE = 320;
/** Bytes of MultiFDPacketDeviceState_t. */
export const DEVICE_STATE_PACKET_SIZE = 276;
/** MULTIFD_PACKET_SIZE: most bytes of guest memory that a packet is about. */
export const MULTIFD_PACKET_SIZE = 512 << 10;
/** Bytes of a compressed payload that QEMU makes room for when it receives one. */
export const MAX_COMPRESSED_PAYLOAD = 2 * MULTIFD_PACKET_SIZE;

const MULTIFD_FLAG_SYNC = 1;
const MULTIFD_FLAG_DEVICE_STATE = 1 << 6;
const COMPRESSION_SHIFT = 1;
const COMPRESSION_MASK = 0x1f;
const RAMBLOCK_SIZE = 256;

/** How the pages of a packet are sent: MULTIFD_FLAG_NOCOMP, _ZLIB, _ZSTD, _QPL, _UADK, _QATZIP. */
export type MultifdEncoding = 'none' | 'zlib' | 'zstd' | 'qpl' | 'uadk' | 'qatzip';

const encodings: ReadonlyMap<number, MultifdEncoding> = new Map([
  [0, 'none'],
  [1, 'zlib'],
  [2, 'zstd'],
  [4, 'qpl'],
  [8, 'uadk'],
  [16, 'qatzip'],
]);

/** For messages. */
export const encodingNames: Record<MultifdEncoding, string> = {
  none: 'no compression',
  zlib: 'zlib',
  zstd: 'zstd',
  qpl: 'QPL (Intel IAA)',
  uadk: 'UADK (Kunpeng)',
  qatzip: 'QATzip',
};

/** MultiFDInit_t. */
export interface MultifdInit {
  readonly version: number;
  /** Of the VM, 32 hexadecimal digits; all zero where it has none. */
  readonly uuid: string;
  /** Number of the channel, from 0. */
  readonly id: number;
}

/** MultiFDPacketHdr_t. */
interface PacketHeader {
  readonly magic: number;
  readonly version: number;
  readonly flags: number;
  readonly deviceState: boolean;
}

/** MultiFDPacket_t without its page offsets. */
export interface RamPacket {
  /** All channels wait for each other behind this packet. Before QEMU 9.0 it can carry pages, which belong before. */
  readonly sync: boolean;
  /** Undefined where the flags name none that is known. */
  readonly encoding: MultifdEncoding | undefined;
  /** Page offsets that there is room for: MULTIFD_PACKET_SIZE in pages; 0 in sync packets of QEMU 9.0 and later. */
  readonly pagesAlloc: number;
  readonly normalPages: number;
  /** QEMU 9.0 and later. */
  readonly zeroPages: number;
  /** Bytes behind the packet. Before QEMU 9.0 a packet without pages repeats the number of the one before. */
  readonly payloadSize: number;
  /** Counts the packets of all channels. */
  readonly packetNum: number;
  readonly ramblock: string;
}

/** MultiFDPacketDeviceState_t (QEMU 10.0 and later): state of a VFIO device. */
interface DeviceStatePacket {
  readonly idstr: string;
  readonly instanceId: number;
  /** Bytes behind the packet. */
  readonly payloadSize: number;
}

/** Reads a MultiFDInit_t of INIT_SIZE bytes. */
export function parseInit(view: DataView): MultifdInit {
  let uuid = '';
  for (let pos = INIT_UUID; pos < INIT_ID; pos++) uuid += view.getUint8(pos).toString(16).padStart(2, '0');
  return { version: view.getUint32(4), uuid, id: view.getUint8(INIT_ID) };
}

export function parsePacketHeader(view: DataView): PacketHeader {
  const flags = view.getUint32(8);
  return {
    magic: view.getUint32(0),
    version: view.getUint32(4),
    flags,
    deviceState: (flags & MULTIFD_FLAG_DEVICE_STATE) !== 0,
  };
}

/** Reads a MultiFDPacket_t of RAM_PACKET_SIZE bytes. */
export function parseRamPacket(view: DataView): RamPacket {
  const flags = view.getUint32(8);
  return {
    sync: (flags & MULTIFD_FLAG_SYNC) !== 0,
    encoding: encodings.get((flags >>> COMPRESSION_SHIFT) & COMPRESSION_MASK),
    pagesAlloc: view.getUint32(12),
    normalPages: view.getUint32(16),
    payloadSize: view.getUint32(20),
    packetNum: u64At(view, 24),
    zeroPages: view.getUint32(32),
    ramblock: terminatedText(view, 64),
  };
}

/** Reads a MultiFDPacketDeviceState_t of DEVICE_STATE_PACKET_SIZE bytes. */
export function parseDeviceStatePacket(view: DataView): DeviceStatePacket {
  return {
    idstr: terminatedText(view, PACKET_HEADER_SIZE),
    instanceId: view.getUint32(PACKET_HEADER_SIZE + RAMBLOCK_SIZE),
    payloadSize: view.getUint32(PACKET_HEADER_SIZE + RAMBLOCK_SIZE + 4),
  };
}

/** A `char[256]`, up to its first zero. */
function terminatedText(view: DataView, pos: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + pos, RAMBLOCK_SIZE);
  const end = bytes.indexOf(0);
  return decodeText(bytes.subarray(0, end < 0 ? RAMBLOCK_SIZE : end));
}
