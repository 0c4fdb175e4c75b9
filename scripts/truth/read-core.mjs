import { openSync, readSync } from 'node:fs';

/** Reads the headers and notes of an ELF core, in a way of its own. @param {string} path */
export function readCore(path) {
  const fd = openSync(path, 'r');
  const read = (/** @type {number} */ offset, /** @type {number} */ length) => {
    const bytes = Buffer.alloc(length);
    readSync(fd, bytes, 0, length, offset);
    return bytes;
  };
  const head = read(0, 64);
  const is64 = head[4] === 2;
  const le = head[5] === 1;
  const u16 = (/** @type {Buffer} */ b, /** @type {number} */ at) =>
    le ? b.readUInt16LE(at) : b.readUInt16BE(at);
  const u32 = (/** @type {Buffer} */ b, /** @type {number} */ at) =>
    le ? b.readUInt32LE(at) : b.readUInt32BE(at);
  const u64 = (/** @type {Buffer} */ b, /** @type {number} */ at) =>
    Number(le ? b.readBigUInt64LE(at) : b.readBigUInt64BE(at));
  const [tableOffset, entry, count] = is64
    ? [u64(head, 32), u16(head, 54), u16(head, 56)]
    : [u32(head, 28), u16(head, 42), u16(head, 44)];
  const loads = [];
  const notes = [];
  for (let index = 0; index < count; index++) {
    const h = read(tableOffset + index * entry, entry);
    const type = u32(h, 0);
    const [offset, virtual, address, fileSize, size] = is64
      ? [8, 16, 24, 32, 40].map((at) => u64(h, at))
      : [4, 8, 12, 16, 20].map((at) => u32(h, at));
    if (type === 1) loads.push({ offset, virtual, address, fileSize, size });
    if (type !== 4) continue;
    const bytes = read(offset, fileSize);
    for (let pos = 0; pos + 12 <= bytes.length; ) {
      const [nameLength, length, kind] = [u32(bytes, pos), u32(bytes, pos + 4), u32(bytes, pos + 8)];
      const start = pos + 12 + Math.ceil(nameLength / 4) * 4;
      const name = bytes.toString('latin1', pos + 12, pos + 12 + nameLength).replace(/\0.*$/s, '');
      notes.push({ name, kind, content: bytes.subarray(start, start + length) });
      pos = start + Math.ceil(length / 4) * 4;
    }
  }
  return {
    fd,
    format: `${is64 ? 64 : 32} bits, ${le ? 'little' : 'big'} endian, machine ${u16(head, 18)}`,
    loads,
    notes,
    read,
  };
}
