const SECTION_PART = 2;
const SECTION_END = 3;
const COMMAND = 8;

const ZERO = 0x02;
const MEM_SIZE = 0x04;
const PAGE = 0x08;
const EOS = 0x10;
const CONTINUE = 0x20;

export interface PlainRam {
  /** Content by idstr. */
  readonly blocks: ReadonlyMap<string, Buffer>;
  /** Offsets of the bytes that stand for whole pages. */
  readonly fills: readonly number[];
}

/**
 * The RAM of a guest whose stream holds plain and zero pages only. Undefined for a stream that holds
 * anything else. Shares no code with src/.
 */
export function readPlainRam(bytes: Buffer, pageSize: number): PlainRam | undefined {
  // START of section `ram`: id, len8 and idstr, instance 0, version 4.
  const name = bytes.indexOf(Buffer.from('\u0003ram\0\0\0\0\0\0\0\u0004', 'latin1'));
  if (name < 5 || bytes[name - 5] !== 1) return undefined;
  const id = bytes.readUInt32BE(name - 4);
  const reader = new PlainRamReader(bytes, pageSize);
  for (let at: number | undefined = name + 12; at !== undefined; ) {
    const end = reader.readRecords(at);
    // A footer, then records of others, then the next of this section.
    if (end === undefined || bytes[end] !== 0x7e || bytes.readUInt32BE(end + 1) !== id) return undefined;
    at = nextRecord(bytes, end + 5, id);
    if (at !== undefined && bytes[at - 5] === SECTION_END)
      return reader.readRecords(at) === undefined ? undefined : reader;
  }
  return undefined;
}

/** Where the body of the next PART or END record of a section begins. */
function nextRecord(bytes: Buffer, start: number, id: number): number | undefined {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(id);
  for (let at = bytes.indexOf(header, start); at >= 0; at = bytes.indexOf(header, at + 1)) {
    const type = bytes[at - 1];
    const isBehind = at - 1 === start || bytes[at - 6] === 0x7e || bytes[at - 6] === COMMAND;
    if (isBehind && (type === SECTION_PART || type === SECTION_END)) return at + 4;
  }
  return undefined;
}

class PlainRamReader implements PlainRam {
  readonly blocks = new Map<string, Buffer>();
  readonly fills: number[] = [];
  readonly #bytes: Buffer;
  readonly #pageSize: number;
  #block: Buffer | undefined;
  #at = 0;

  constructor(bytes: Buffer, pageSize: number) {
    this.#bytes = bytes;
    this.#pageSize = pageSize;
  }

  /** Reads RAM records up to EOS. The offset behind it, or undefined where there is something else. */
  readRecords(start: number): number | undefined {
    this.#at = start;
    while (this.#at + 8 <= this.#bytes.length) {
      const word = this.#u64();
      const flags = word % Math.min(this.#pageSize, 0x1000);
      if (flags === EOS) return this.#at;
      const known = flags === MEM_SIZE ? this.#blockList(word - flags) : this.#page(word - flags, flags);
      if (!known) return undefined;
    }
    return undefined;
  }

  #blockList(total: number): boolean {
    for (let left = total; left > 0; ) {
      const idstr = this.#text();
      const length = this.#u64();
      if (idstr === '' || length > left) return false;
      this.blocks.set(idstr, Buffer.alloc(length));
      left -= length;
    }
    return true;
  }

  #page(offset: number, flags: number): boolean {
    const kind = flags & ~CONTINUE;
    if (kind !== PAGE && kind !== ZERO) return false;
    if ((flags & CONTINUE) === 0) this.#block = this.blocks.get(this.#text());
    if (!this.#block || offset + this.#pageSize > this.#block.length) return false;
    const length = kind === ZERO ? 1 : this.#pageSize;
    const content = this.#bytes.subarray(this.#at, this.#at + length);
    if (kind === ZERO) this.fills.push(this.#at);
    this.#block.fill(content, offset, offset + this.#pageSize);
    this.#at += length;
    return true;
  }

  #text(): string {
    const length = this.#bytes[this.#at]!;
    this.#at += 1 + length;
    return this.#bytes.toString('utf8', this.#at - length, this.#at);
  }

  #u64(): number {
    this.#at += 8;
    return Number(this.#bytes.readBigUInt64BE(this.#at - 8));
  }
}
