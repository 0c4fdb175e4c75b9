/**
 * Takes the contents of RAM out of a stream: what a guest has in memory is not ours to ship, and nearly all of its bytes.
 * A paused QEMU loads what is left as it loads the whole: what it reads of memory while it does stays.
 */

import { walk } from '../../dist/index.js';
import { layouts } from '../../dist/layout/open.js';
import { openBytes } from './open-bytes.mjs';

const ZERO = 0x02;
const MEM_SIZE = 0x04;
const PAGE = 0x08;
const EOS = 0x10;
const CONTINUE = 0x20;
const MULTIFD_FLUSH = 0x200;
const FLAGS = 0x3ff;

/** Where RAM begins in the address space, for targets where that is not at 0 (hw/arm/virt.c, hw/riscv/virt.c). */
const RAM_BASES = /** @type {Record<string, number>} */ ({ aarch64: 0x4000_0000, riscv64: 0x8000_0000 });

/** `default_ram_id` of machine types, and what the cases call a memory backend in its place. */
const DEFAULT_RAM = /^ram$|[._-]ram$/;
/** Sizes of option ROMs are multiples of this (hw/i386/kvmvapic.c). */
const ROM_BLOCK_SIZE = 512;

/**
 * The stream without its pages, except for bytes that QEMU reads while it loads a device: a page that has some is sent
 * with zeros for all others.
 *
 * @param {Uint8Array} stream
 * @param {string} target
 * @returns {Promise<Uint8Array>}
 */
export async function thinStream(stream, target) {
  const opened = await openBytes(stream);
  const ram = opened.stream.sections.find(({ idstr }) => idstr === 'ram');
  const summary = ram?.scanner?.summary();
  if (ram === undefined || summary?.kind !== 'ram') throw new Error('the stream has no RAM');
  const { blocks, pageSize = 4096 } = summary;
  const largest = blocks.reduce((one, other) => (other.length > one.length ? other : one));
  const main = blocks.find(({ idstr }) => DEFAULT_RAM.test(idstr)) ?? largest;
  const needed = (await findNeeded(opened)).map(([start, end]) => {
    const base = RAM_BASES[target] ?? 0;
    return /** @type {[number, number]} */ ([start - base, end - base]);
  });
  const thinning = { main: main.idstr, pageSize, needed, block: '' };
  /** @type {Uint8Array[]} */
  const parts = [];
  let copied = 0;
  for (const { type, body } of ram.records) {
    if (type === 'SECTION_START') continue; // the block list
    parts.push(stream.subarray(copied, body.start));
    parts.push(...thinRecord(stream.subarray(body.start, body.end), thinning));
    copied = body.end;
  }
  parts.push(stream.subarray(copied));
  return Buffer.concat(parts);
}

/**
 * What is left of the body of a PART or END record (migration/ram.c, ram_load_precopy).
 *
 * @param {Uint8Array} body
 * @param {{ main: string, pageSize: number, needed: [number, number][], block: string }} thinning  `block` is that of
 *   the page before, in whichever record.
 */
function thinRecord(body, thinning) {
  const { main, pageSize, needed } = thinning;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  /** @type {Uint8Array[]} */
  const kept = [];
  let named = false;
  for (let pos = 0; pos < body.length; ) {
    const start = pos;
    const low = view.getUint32(pos + 4);
    const flags = low & FLAGS;
    const offset = view.getUint32(pos) * 2 ** 32 + (low - flags);
    pos += 8;
    if (flags === EOS || flags === MULTIFD_FLUSH) {
      kept.push(body.subarray(start, pos));
      continue;
    }
    if ((flags & ~(PAGE | ZERO | CONTINUE)) !== 0 || (flags & MEM_SIZE) !== 0) {
      throw new Error(`a RAM record with the flags 0x${flags.toString(16)}`);
    }
    if ((flags & CONTINUE) === 0) {
      const length = view.getUint8(pos);
      thinning.block = Buffer.from(body.subarray(pos + 1, pos + 1 + length)).toString('latin1');
      pos += 1 + length;
    }
    if ((flags & ZERO) !== 0) pos += 1;
    else {
      const page = thinning.block === main && neededBytes(body.subarray(pos, pos + pageSize), offset, needed);
      if (page) {
        kept.push(pageRecord(offset, named ? undefined : main), page);
        named = true;
      }
      pos += pageSize;
    }
  }
  return kept;
}

/**
 * The page with zeros for what is not needed; undefined when nothing of it is.
 *
 * @param {Uint8Array} page
 * @param {number} offset
 * @param {[number, number][]} needed
 */
function neededBytes(page, offset, needed) {
  /** @type {Uint8Array | undefined} */
  let kept;
  for (const [from, to] of needed) {
    const start = Math.max(from - offset, 0);
    const end = Math.min(to - offset, page.length);
    if (start >= end) continue;
    kept ??= new Uint8Array(page.length);
    kept.set(page.subarray(start, end), start);
  }
  return kept;
}

/**
 * @param {number} offset
 * @param {string | undefined} block  Undefined for that of the record before.
 */
function pageRecord(offset, block) {
  const head = Buffer.alloc(8);
  head.writeBigUInt64BE(BigInt(offset + (PAGE | (block === undefined ? CONTINUE : 0))));
  if (block === undefined) return head;
  return Buffer.concat([head, Buffer.from([block.length]), Buffer.from(block, 'latin1')]);
}

/**
 * Guest addresses of what is read: descriptors and rings of all virtqueues (hw/virtio/virtio.c, virtio_load), and the
 * size of the option ROM kvmvapic (hw/i386/kvmvapic.c, vapic_map_rom_writable).
 *
 * @param {import("../../dist/index.js").OpenedStream} opened
 */
async function findNeeded(opened) {
  /** @type {[number, number][]} */
  const needed = [];
  for await (const { root } of layouts(opened)) {
    /** Entries of each queue, which are sent before the rings' addresses are. @type {number[]} */
    const sizes = [];
    let size = 0;
    for (const { node, path } of walk(root)) {
      if (node.kind !== 'leaf') continue;
      if (typeof node.value === 'number' && node.name === 'num') {
        size = node.value;
        const index = path.at(-2);
        if (typeof index === 'number') sizes[index] ??= size;
      }
      if (typeof node.value === 'number' && node.name === 'rom_state_paddr') {
        const rom = node.value - (node.value % ROM_BLOCK_SIZE);
        if (rom > 0) needed.push([rom, rom + 3]);
      }
      const address = typeof node.value === 'bigint' ? Number(node.value) : 0;
      if (address === 0) continue;
      const entries = sizes[Number(path.at(-2))] ?? size;
      if (node.name === 'desc') {
        // A legacy queue's rings follow; its used ring is aligned.
        const used = Math.ceil((address + 18 * entries + 6) / 4096) * 4096;
        needed.push([address, address + 18 * entries + 6], [used, used + 8 * entries + 6]);
      } else if (node.name === 'vring.avail') needed.push([address, address + 2 * entries + 6]);
      else if (node.name === 'vring.used') needed.push([address, address + 8 * entries + 6]);
    }
  }
  return needed;
}
