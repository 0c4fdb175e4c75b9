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
  if (blob.configuration && bytes[8] === 7) {
    const reader = new SectionReader(bytes, 'configuration', 0, 9, false);
    sections.push({ ...reader.read(blob.configuration), misdescribed: false });
  }
  for (const device of blob.devices)
    sections.push(findDevice(bytes, device, sections.at(-1)?.end ?? 8, start));
  return sections;
}

/** The next section with a device's header whose described bytes end before a footer, or where the next record begins. */
function findDevice(bytes: Buffer, device: BlobDevice, from: number, blobStart: number): ExpectedSection {
  const { name: idstr, instance_id, version } = device;
  const instanceId = instance_id >>> 0;
  const name = Buffer.from(idstr);
  const header = Buffer.alloc(1 + name.length + 4);
  header[0] = name.length;
  name.copy(header, 1);
  header.writeUInt32BE(instanceId, 1 + name.length);
  for (let at = bytes.indexOf(header, from); at >= 0; at = bytes.indexOf(header, at + 1)) {
    const start = at + header.length + 4;
    const type = bytes[at - 5];
    if ((type !== 1 && type !== 4) || start > blobStart) continue;
    if (version !== undefined && bytes.readUInt32BE(start - 4) !== version) continue;
    const footer = Buffer.concat([Buffer.from([0x7e]), bytes.subarray(at - 4, at)]);
    if (misdescribes(device)) {
      return { idstr, instanceId, start, end: bytes.indexOf(footer, start), lines: [], misdescribed: true };
    }
    for (const firstIsWhole of [false, true]) {
      try {
        const section = new SectionReader(bytes, idstr, instanceId, start, firstIsWhole).read(device);
        const { end } = section;
        const isRecord = bytes[end] === 4 || (bytes[end] === 0 && end + 1 === blobStart);
        if (isRecord || bytes.subarray(end, end + 5).equals(footer))
          return { ...section, misdescribed: false };
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
  }
  throw new Error(`no section ${idstr} instance ${instanceId} with the bytes that QEMU describes`);
}

/** QEMU before 10.0 describes a pointer array by its first element, even where that is NULL and others are not. */
function misdescribes({ fields = [] }: BlobStruct): boolean {
  return fields.some(
    ({ type, size, array_len, struct }) =>
      struct !== undefined &&
      ((type === 'struct' && array_len !== undefined && size === 1 && (struct.fields ?? []).length === 0) ||
        misdescribes(struct)),
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
  readonly #lines: Line[] = [];
  readonly #bytes: Buffer;
  readonly #section: string;
  readonly #instance: number;
  readonly #start: number;
  readonly #firstIsWhole: boolean;
  #at: number;

  /**
   * `firstIsWhole`: of a pointer array of which some elements, but not the first, are NULL, QEMU 10 and 11 give the
   * length of the whole in the place of that of the first part.
   */
  constructor(bytes: Buffer, section: string, instance: number, start: number, firstIsWhole: boolean) {
    this.#bytes = bytes;
    this.#section = section;
    this.#instance = instance;
    this.#start = start;
    this.#firstIsWhole = firstIsWhole;
    this.#at = start;
  }

  /** Reads a section. Throws RangeError where the bytes are not what is described. */
  read(struct: BlobStruct): Omit<ExpectedSection, 'misdescribed'> {
    this.#struct(struct, [], 'section', () => this.#body(struct, []));
    return {
      idstr: this.#section,
      instanceId: this.#instance,
      start: this.#start,
      end: this.#at,
      lines: this.#lines,
    };
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
    const counts = entries.map((entry) => entry.array_len ?? 1);
    const behind = counts.slice(1).reduce((sum, count) => sum + count, 0);
    if (this.#firstIsWhole && behind > 0 && counts[0]! > behind) counts[0]! -= behind;
    const elements = entries.flatMap((entry, i) => Array<BlobField>(counts[i]!).fill(entry));
    const line = this.#open('array', '', path, { length: elements.length });
    for (const [i, element] of elements.entries()) {
      // Elements without bytes are counted only.
      if (element.size > 0) this.#value(element, [...path, i]);
    }
    this.#close(line, { type: this.#lines[line + 1]?.type ?? first!.type });
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
    this.#lines.push({ section, instance, path, kind, type, offset: this.#at, size: 0, ...more });
    return this.#lines.length - 1;
  }

  #close(line: number, more: Partial<Line>): void {
    const opened = this.#lines[line]!;
    this.#lines[line] = { ...opened, size: this.#at - opened.offset, ...more };
  }
}
