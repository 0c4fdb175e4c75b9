/**
 * The shortest possible reading of a stream by QEMU's own description of it: the JSON that QEMU appends, and the bytes
 * where it says they are. It shares no code with src/, knows intact streams only, and throws at the first surprise.
 */

/** A line of `dump --ndjson` as docs/ndjson.md has it. */
export interface Line {
  readonly section: string;
  readonly instance: number;
  readonly path: readonly (string | number)[];
  readonly kind: string;
  readonly type: string;
  readonly offset: number;
  readonly size: number;
  readonly value?: unknown;
  readonly vmsd?: string;
  readonly version?: number;
  readonly length?: number;
}

export interface ExpectedSection {
  readonly idstr: string;
  readonly instanceId: number;
  /** Of the first byte that the device wrote. */
  readonly start: number;
  readonly end: number;
  readonly lines: readonly Line[];
  /** QEMU before 10.0 wrote a wrong description: of an array that begins with NULL it describes NULL alone. */
  readonly misdescribed: boolean;
}

interface BlobField {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly array_len?: number;
  readonly index?: number;
  readonly struct?: BlobStruct;
  readonly fields?: readonly BlobField[];
  readonly vmsd_name?: string;
  readonly version?: number;
}

interface BlobStruct {
  readonly vmsd_name?: string;
  readonly version?: number;
  readonly fields?: readonly BlobField[];
  readonly subsections?: readonly BlobStruct[];
}

interface BlobDevice extends BlobStruct {
  readonly name: string;
  readonly instance_id: number;
}

interface Blob {
  readonly page_size: number;
  readonly configuration?: BlobStruct;
  readonly devices: readonly BlobDevice[];
}

/** The blob at the end of a stream and the offset of its record, or undefined where there is none. */
export function readBlob(bytes: Buffer): { blob: Blob; start: number } | undefined {
  // `{"` or `{ "` begins it; its length is written in front of it.
  for (let at = bytes.lastIndexOf('"page_size"'); at > 5; at--) {
    if (bytes[at] !== 0x7b || bytes.readUInt32BE(at - 4) !== bytes.length - at || bytes[at - 5] !== 6)
      continue;
    return { blob: JSON.parse(bytes.toString('utf8', at)), start: at - 5 };
  }
  return undefined;
}

/** What must be printed for the configuration and each described section, in stream order. */
export function readByBlob(bytes: Buffer, { blob, start }: { blob: Blob; start: number }): ExpectedSection[] {
  const sections: ExpectedSection[] = [];
  let from = 8;
  if (blob.configuration && bytes[8] === 7) {
    const reader = new SectionReader(bytes, 'configuration', 0, 9);
    const end = reader.root(blob.configuration);
    sections.push({ idstr: 'configuration', instanceId: 0, start: 9, end, ...reader });
    from = end;
  }
  for (const device of blob.devices) {
    const { reader, begin, end } = findDevice(bytes, device, from, start);
    sections.push({ idstr: device.name, instanceId: device.instance_id >>> 0, start: begin, end, ...reader });
    from = end;
  }
  return sections;
}

/** The next section with a device's header whose described bytes end before a footer, or where the next record begins. */
function findDevice(bytes: Buffer, device: BlobDevice, from: number, blobStart: number) {
  const name = Buffer.from(device.name);
  const header = Buffer.alloc(1 + name.length + 4);
  header[0] = name.length;
  name.copy(header, 1);
  header.writeUInt32BE(device.instance_id >>> 0, 1 + name.length);
  for (let at = bytes.indexOf(header, from); at >= 0; at = bytes.indexOf(header, at + 1)) {
    const begin = at + header.length + 4;
    const type = bytes[at - 5];
    if ((type !== 1 && type !== 4) || begin > blobStart) continue;
    if (device.version !== undefined && bytes.readUInt32BE(begin - 4) !== device.version) continue;
    const footer = Buffer.concat([Buffer.from([0x7e]), bytes.subarray(at - 4, at)]);
    const reader = new SectionReader(bytes, device.name, device.instance_id >>> 0, begin);
    if (reader.misdescribes(device)) {
      const end = bytes.indexOf(footer, begin);
      return { reader: { lines: [], misdescribed: true }, begin, end };
    }
    let end: number;
    try {
      end = reader.root(device);
    } catch (error) {
      if (error instanceof RangeError) continue;
      throw error;
    }
    const next = bytes[end];
    if (bytes.subarray(end, end + 5).equals(footer) || next === 4 || (next === 0 && end + 1 === blobStart))
      return { reader: { lines: reader.lines, misdescribed: false }, begin, end };
  }
  throw new Error(
    `no section ${device.name} instance ${device.instance_id} with the bytes that QEMU describes`,
  );
}

const SIZES: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  'uint8 equal': 1,
  int16: 2,
  uint16: 2,
  'uint16 equal': 2,
  int32: 4,
  'int32 equal': 4,
  'int32 le': 4,
  uint32: 4,
  'uint32 equal': 4,
  int64: 8,
  // QEMU calls its check of a uint64 so.
  'int64 equal': 8,
  uint64: 8,
  timer: 8,
};
const SIGNED = new Set(['int8', 'int16', 'int32', 'int32 equal', 'int32 le', 'int64', 'timer']);

type Path = readonly (string | number)[];

class SectionReader {
  readonly lines: Line[] = [];
  readonly misdescribed = false;
  readonly #bytes: Buffer;
  readonly #section: string;
  readonly #instance: number;
  #at: number;

  constructor(bytes: Buffer, section: string, instance: number, start: number) {
    this.#bytes = bytes;
    this.#section = section;
    this.#instance = instance;
    this.#at = start;
  }

  /** Reads a section. The offset behind it. */
  root(struct: BlobStruct): number {
    this.#struct(struct, [], 'section', () => this.#body(struct, []));
    return this.#at;
  }

  misdescribes(struct: BlobStruct): boolean {
    return (struct.fields ?? []).some(
      (field) =>
        (field.type === 'struct' &&
          field.array_len !== undefined &&
          field.size === 1 &&
          (field.struct?.fields ?? []).length === 0) ||
        (field.struct !== undefined && this.misdescribes(field.struct)),
    );
  }

  #body(struct: BlobStruct, path: Path): void {
    const fields = struct.fields ?? [];
    for (let i = 0; i < fields.length; ) {
      const { name } = fields[i]!;
      let next = i + 1;
      while (fields[next]?.name === name) next++;
      this.#field(fields.slice(i, next), [...path, name]);
      i = next;
    }
    for (const subsection of struct.subsections ?? []) this.#subsection(subsection, path);
  }

  /** A field: one entry, or those of one name, which describe an array part by part. */
  #field(entries: readonly BlobField[], path: Path): void {
    const [first] = entries;
    if (entries.length === 1 && first!.array_len === undefined && first!.index === undefined) {
      this.#value(first!, path);
      return;
    }
    const elements = entries.flatMap((entry) => Array<BlobField>(entry.array_len ?? 1).fill(entry));
    const line = this.#open('array', '', path, { length: elements.length });
    for (const [i, element] of elements.entries()) {
      // Elements without bytes are counted only.
      if (element.size > 0) this.#value(element, [...path, i]);
    }
    this.#close(line, { type: this.lines[line + 1]?.type ?? first!.type });
  }

  #value(field: BlobField, path: Path): void {
    const { type, size, struct } = field;
    const nested = struct ?? (field.fields ? field : undefined);
    if (
      type === 'struct' &&
      size === 1 &&
      nested?.vmsd_name === undefined &&
      this.#bytes[this.#at] === 0x30
    ) {
      this.#leaf('nullptr', 1, path, '30');
    } else if (nested && type !== 'qtailq' && type !== 'qlist') {
      const start = this.#at;
      this.#struct(nested, path, type, () => this.#body(nested, path));
      if (this.#at - start !== size) throw new RangeError(`${path}: ${this.#at - start} bytes, not ${size}`);
    } else if (type === 'capability') {
      const length = this.#bytes[this.#at]!;
      this.#leaf(type, 1 + length, path, this.#bytes.toString('utf8', this.#at + 1, this.#at + 1 + length));
    } else if (SIZES[type] === undefined) {
      this.#leaf(type, size, path, this.#bytes.toString('hex', this.#at, this.#at + size));
    } else {
      if (SIZES[type] !== size) throw new RangeError(`${type} of ${size} bytes`);
      this.#leaf(type, size, path, this.#integer(type, size));
    }
  }

  #integer(type: string, size: number): unknown {
    const unsigned = BigInt(`0x${this.#bytes.toString('hex', this.#at, this.#at + size)}`);
    if (type === 'bool') return unsigned !== 0n;
    const value = SIGNED.has(type) ? BigInt.asIntN(8 * size, unsigned) : unsigned;
    return size === 8 ? `${value}` : Number(value);
  }

  #struct(struct: BlobStruct, path: Path, type: string, body: () => void): void {
    const { vmsd_name: vmsd, version } = struct;
    const line = this.#open('struct', type, path, {
      ...(vmsd === undefined ? {} : { vmsd }),
      ...(version === undefined ? {} : { version }),
    });
    const start = this.#at;
    body();
    // What QEMU itself passes to a function of its own has the bytes as its value.
    const isCustom = !['section', 'struct', 'vstruct', 'subsection'].includes(type);
    this.#close(line, isCustom ? { value: this.#bytes.toString('hex', start, this.#at) } : {});
  }

  #subsection(subsection: BlobStruct, path: Path): void {
    const name = Buffer.from(subsection.vmsd_name ?? '');
    const at = this.#at;
    const header = this.#bytes.subarray(at, at + 6 + name.length);
    const found = header.toString('latin1', 2, 2 + name.length);
    if (header[0] !== 5 || header[1] !== name.length || found !== name.toString('latin1'))
      throw new RangeError(`no subsection ${name} at ${at}`);
    const version = header.readUInt32BE(2 + name.length);
    const here = [...path, name.toString()];
    this.#struct({ ...subsection, version }, here, 'subsection', () => {
      this.#leaf('subsection header', header.length, [...here, '(header)'], header.toString('hex'));
      this.#body(subsection, here);
    });
  }

  #leaf(type: string, size: number, path: Path, value: unknown): void {
    const line = this.#open('leaf', type, path, { value });
    this.#at += size;
    if (this.#at > this.#bytes.length) throw new RangeError(`${path} is behind the end`);
    this.#close(line, {});
  }

  #open(kind: string, type: string, path: Path, more: Partial<Line>): number {
    const [section, instance] = [this.#section, this.#instance];
    this.lines.push({ section, instance, path, kind, type, offset: this.#at, size: 0, ...more });
    return this.lines.length - 1;
  }

  #close(line: number, more: Partial<Line>): void {
    const opened = this.lines[line]!;
    this.lines[line] = { ...opened, size: this.#at - opened.offset, ...more };
  }
}
