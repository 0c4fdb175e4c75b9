/**
 * Boot ROMs of our own for x86 guests, in real mode, so that captures can run without anyone's firmware in them.
 */

/** @typedef {"dirty-pages" | "devices" | "virtio-blk-write" | "virtio-scsi-write" | "ide-write"} RomName */

const ROM_SIZE = 64 * 1024;
/** The CPU starts 16 bytes below the end; jmp f000:0000. */
const RESET_VECTOR = bytes('ea 00 00 00 f0');

/** @type {Record<RomName, () => number[]>} */
const programs = {
  'dirty-pages': dirtyPages,
  devices: () => [...programDevices(), ...dirtyPages()],
  'virtio-blk-write': () => [...writeVirtioBlk(), ...halt()],
  'virtio-scsi-write': () => [...writeVirtioScsi(), ...halt()],
  'ide-write': () => [...writeIde(), ...halt()],
};

/** Where the virtio device of slot 2 gets its registers, and its rings and buffers in memory. */
const VIRTIO_IO = 0xc000;
const RING = 0x20000;
const BUFFERS = 0x30000;

/**
 * @param {string} name
 * @returns {Buffer}
 */
export function bootRom(name) {
  const program = programs[/** @type {RomName} */ (name)];
  if (program === undefined) throw new Error(`there is no ROM "${name}"`);
  const rom = Buffer.alloc(ROM_SIZE);
  rom.set(program());
  rom.set(RESET_VECTOR, ROM_SIZE - 16);
  return rom;
}

/**
 * Counts, for ever, in the first word of each page from 0x10000 to 0x8ffff, and 0x100 bytes after it. Toggling A20
 * flushes the TLB: without that, older QEMUs (7.2, for one) miss what a guest under TCG writes to a page again.
 */
function dirtyPages() {
  return bytes(`
    b0 00           start:   mov al, 0
    e6 92                    out 92h, al
    b0 02                    mov al, 2
    e6 92                    out 92h, al
    b8 00 10                 mov ax, 1000h
    8e d8           segment: mov ds, ax
    31 db                    xor bx, bx
    ff 07           page:    inc word [bx]
    ff 87 00 01              inc word [bx + 100h]
    81 c3 00 10              add bx, 1000h
    73 f4                    jnc page
    05 00 10                 add ax, 1000h
    3d 00 90                 cmp ax, 9000h
    72 e8                    jb segment
    eb db                    jmp start
  `);
}

/** Leaves something other than the reset values in the devices that a PC has at fixed ports, and on its PCI bus. */
function programDevices() {
  return [
    // interrupt controllers: initialize, mask
    ...writes(0x20, 0x11).concat(writes(0x21, 0x08, 0x04, 0x01, 0xfe)),
    ...writes(0xa0, 0x11).concat(writes(0xa1, 0x70, 0x02, 0x01, 0xbf)),
    // timer: rate generator on channel 0, square wave on channel 2, the speaker on
    ...writes(0x43, 0x34).concat(writes(0x40, 0x9c, 0x2e), writes(0x43, 0xb6), writes(0x42, 0x33, 0x05)),
    ...writes(0x61, 0x03),
    // clock: periodic rate, alarm, some CMOS
    ...indexed(
      0x70,
      0x71,
      [0x0a, 0x26],
      [0x0b, 0x42],
      [0x01, 0x15],
      [0x03, 0x30],
      [0x05, 0x12],
      [0x3f, 0xa5],
    ),
    // DMA: channel 2 address, count, mode, page
    ...writes(0x0c, 0x00).concat(writes(0x04, 0x34, 0x12), writes(0x05, 0xff, 0x01), writes(0x0b, 0x46)),
    ...writes(0x81, 0x05).concat(writes(0x0a, 0x02)),
    // keyboard controller: command byte
    ...writes(0x64, 0x60).concat(writes(0x60, 0x47)),
    // first serial port: divisor, 8N1, FIFO, modem control, interrupts, a character, the scratch register
    ...writes(0x3fb, 0x83).concat(
      writes(0x3f8, 0x01),
      writes(0x3f9, 0x00),
      writes(0x3fb, 0x03),
      writes(0x3fa, 0xc7),
    ),
    ...writes(0x3fc, 0x0b).concat(writes(0x3f9, 0x0f), writes(0x3f8, 0x41), writes(0x3ff, 0x5a)),
    // floppy and disk controllers
    ...writes(0x3f2, 0x1c).concat(
      writes(0x1f6, 0xe0),
      writes(0x1f2, 0x08),
      writes(0x1f3, 0x11),
      writes(0x1f4, 0x22),
    ),
    // VGA: sequencer, graphics, CRT controller, palette
    ...writes(0x3c2, 0x67),
    ...indexed(0x3c4, 0x3c5, [0x00, 0x03], [0x01, 0x00], [0x02, 0x03], [0x04, 0x02]),
    ...indexed(0x3ce, 0x3cf, [0x05, 0x10], [0x06, 0x0e], [0x08, 0xff]),
    ...indexed(
      0x3d4,
      0x3d5,
      [0x11, 0x0e],
      [0x00, 0x5f],
      [0x01, 0x4f],
      [0x0c, 0x12],
      [0x0d, 0x34],
      [0x0f, 0x56],
    ),
    ...writes(0x3c8, 0x10).concat(writes(0x3c9, 0x3f, 0x2a, 0x15, 0x01, 0x02, 0x03)),
    // PCI: for each slot, the command register and the first two base addresses
    ...Array.from({ length: 8 }, (_, slot) => slot + 1).flatMap((slot) => [
      ...writeConfig(slot, 0x10, 0xe000_0000 + slot * 0x0100_0000),
      ...writeConfig(slot, 0x14, 0xf000_0000 + slot * 0x0010_0000),
      ...writeConfig(slot, 0x3c, 0x0000_0005 + slot),
      ...writeConfig(slot, 0x04, 0x0000_0106),
    ]),
  ];
}

/** One sector to the legacy virtio-blk in slot 2. */
function writeVirtioBlk() {
  return [
    ...startVirtio(),
    ...useVirtioQueue(0),
    ...store(BUFFERS, littleEndian(1, 4), littleEndian(0, 4), littleEndian(7, 8)), // write, priority, sector
    ...submit(0, {
      readable: [
        [BUFFERS, 16],
        [BUFFERS + 0x1000, 512],
      ],
      writable: [[BUFFERS + 0x2000, 1]],
      queue: 0,
    }),
  ];
}

/** TEST UNIT READY, to get past the unit attention after power on, then WRITE(10), to the legacy virtio-scsi in slot 2. */
function writeVirtioScsi() {
  const request = (/** @type {number[]} */ cdb) => [
    ...[1, 0, 0x40, 0, 0, 0, 0, 0], // target 0, LUN 0
    ...littleEndian(cdb[0], 8), // tag
    ...[0, 0, 0], // attribute, priority, CRN
    ...cdb.concat(Array(32 - cdb.length).fill(0)),
  ];
  /** @type {[number, number]} */
  const response = [BUFFERS + 0x2000, 108];
  return [
    ...startVirtio(),
    ...useVirtioQueue(2),
    ...store(BUFFERS, request([0, 0, 0, 0, 0, 0])),
    ...submit(0, { readable: [[BUFFERS, 51]], writable: [response], queue: 2 }),
    ...pause(),
    ...store(BUFFERS + 0x800, request([0x2a, 0, 0, 0, 0, 7, 0, 0, 1, 0])),
    ...submit(1, {
      readable: [
        [BUFFERS + 0x800, 51],
        [BUFFERS + 0x1000, 512],
      ],
      writable: [response],
      queue: 2,
    }),
  ];
}

/** One sector to the first IDE disk, by programmed I/O. */
function writeIde() {
  return [
    ...writes(0x1f6, 0xe0).concat(
      writes(0x1f2, 0x01),
      writes(0x1f3, 0x07),
      writes(0x1f4, 0x00),
      writes(0x1f5, 0x00),
    ),
    ...writes(0x1f7, 0x30),
    ...pause(),
    ...bytes(`
      ba f0 01             mov dx, 1f0h
      b9 00 01             mov cx, 256
      b8 aa 55             mov ax, 55aah
      ef           word:   out dx, ax
      e2 fd                loop word
    `),
  ];
}

/** Reset, then acknowledge and drive; no features. */
function startVirtio() {
  return [
    ...writeConfig(2, 0x10, VIRTIO_IO | 1),
    ...writeConfig(2, 0x04, 0x0007),
    ...writes(VIRTIO_IO + 0x12, 0, 1, 3),
    ...write32(VIRTIO_IO + 0x04, 0),
  ];
}

/** @param {number} queue */
function useVirtioQueue(queue) {
  return [
    ...write16(VIRTIO_IO + 0x0e, queue),
    ...write32(VIRTIO_IO + 0x08, RING / 4096),
    ...writes(VIRTIO_IO + 0x12, 7),
  ];
}

/**
 * Makes buffers available, as the nth request, on a queue of 256 entries, and notifies the device.
 *
 * @param {number} nth
 * @param {{ readable: [number, number][], writable: [number, number][], queue: number }} request
 */
function submit(nth, { readable, writable, queue }) {
  const head = nth * 8;
  const buffers = [...readable, ...writable];
  const descriptors = buffers.map(([address, length], index) => {
    const more = index + 1 < buffers.length;
    const flags = (more ? 1 : 0) | (index < readable.length ? 0 : 2);
    const next = more ? head + index + 1 : 0;
    return [
      ...littleEndian(address, 8),
      ...littleEndian(length, 4),
      ...littleEndian(flags, 2),
      ...littleEndian(next, 2),
    ];
  });
  const available = RING + 256 * 16;
  return [
    ...store(RING + head * 16, ...descriptors),
    ...store(available + 4 + nth * 2, littleEndian(head, 2)),
    ...store(available + 2, littleEndian(nth + 1, 2)),
    ...write16(VIRTIO_IO + 0x10, queue),
  ];
}

/**
 * Code that writes these bytes at an address.
 *
 * @param {number} address
 * @param {number[][]} values
 */
function store(address, ...values) {
  const segment = [0xb8, ...littleEndian(Math.floor(address / 16), 2), 0x8e, 0xd8]; // mov ax; mov ds, ax
  return values.flat().reduce((code, value, index) => {
    code.push(0xc6, 0x06, ...littleEndian((address % 16) + index, 2), value); // mov byte [index], value
    return code;
  }, segment);
}

/** Long enough for QEMU to complete a request. */
function pause() {
  return bytes(`
    bb 00 04              mov bx, 400h
    31 c9        again:   xor cx, cx
    e2 fe        count:   loop count
    4b                    dec bx
    75 f9                 jnz again
  `);
}

function halt() {
  return bytes(`
    f4           again:   hlt
    eb fd                 jmp again
  `);
}

/**
 * @param {number} port
 * @param {number[]} values
 */
function writes(port, ...values) {
  return values.flatMap((value) => [0xba, ...littleEndian(port, 2), 0xb0, value, 0xee]); // mov dx; mov al; out dx, al
}

/**
 * @param {number} indexPort
 * @param {number} dataPort
 * @param {[number, number][]} pairs
 */
function indexed(indexPort, dataPort, ...pairs) {
  return pairs.flatMap(([index, value]) => [...writes(indexPort, index), ...writes(dataPort, value)]);
}

/**
 * @param {number} slot
 * @param {number} register
 * @param {number} value
 */
function writeConfig(slot, register, value) {
  const address = 0x8000_0000 + slot * 0x800 + register;
  return [...write32(0xcf8, address), ...write32(0xcfc, value)];
}

/**
 * @param {number} port
 * @param {number} value
 */
function write32(port, value) {
  return [0xba, ...littleEndian(port, 2), 0x66, 0xb8, ...littleEndian(value, 4), 0x66, 0xef]; // out dx, eax
}

/**
 * @param {number} port
 * @param {number} value
 */
function write16(port, value) {
  return [0xba, ...littleEndian(port, 2), 0xb8, ...littleEndian(value, 2), 0xef]; // out dx, ax
}

/**
 * @param {number} value
 * @param {number} width
 */
function littleEndian(value, width) {
  return Array.from({ length: width }, (_, index) => Math.floor(value / 2 ** (8 * index)) & 0xff);
}

/**
 * The code of a listing: two-digit hexadecimal numbers at the start of each line, what follows is comment.
 *
 * @param {string} listing
 */
function bytes(listing) {
  return listing.split('\n').flatMap((line) => {
    const code = /^\s*((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:\s{2}|\s*$)/.exec(line)?.[1];
    return code === undefined ? [] : code.split(' ').map((byte) => Number.parseInt(byte, 16));
  });
}
