import { knownTableLayouts, type TableLayout } from '../../src/extract/table-layout.ts';
import { ElfBuilder, type ElfOptions } from './elf/elf-builder.ts';

/** A field to write. */
export interface FakeField {
  readonly name: string;
  readonly offset?: number;
  readonly size?: number;
  readonly flags?: number;
  readonly num?: number;
  readonly info?: string;
  readonly vmsd?: string;
  readonly numOffset?: number;
  readonly numSize?: number;
  readonly sizeOffset?: number;
  readonly sizeSize?: number;
  readonly versionId?: number;
  readonly fieldExists?: boolean;
}

/** A VMSD to write. */
export interface FakeVmsd {
  readonly name: string | undefined;
  readonly versionId?: number;
  readonly minimumVersionId?: number;
  readonly unmigratable?: boolean;
  readonly fields?: readonly FakeField[];
  readonly subsections?: readonly string[];
  readonly needed?: boolean;
}

export interface FakeOptions extends ElfOptions {
  /** Name of a known layout, or one of one's own. */
  readonly layout?: string | TableLayout;
  readonly version?: string;
}

const u32 = (name: string, offset: number): FakeField => ({
  name,
  offset,
  size: 4,
  flags: 1,
  info: 'uint32',
});

/** Enough to be taken for a QEMU: plain fields, an array, an inner struct, a subsection, a condition. */
export const plainVmsds: readonly FakeVmsd[] = [
  { name: 'inner', fields: [u32('a', 0), { name: 'b', offset: 4, size: 1, flags: 1, info: 'uint8' }] },
  {
    name: 'outer',
    versionId: 3,
    minimumVersionId: 2,
    fields: [
      u32('count', 8),
      { name: 'inner', offset: 16, size: 8, flags: 8, vmsd: 'inner' },
      { name: 'buffer', offset: 24, size: 64, flags: 0x20, info: 'buffer', versionId: 3 },
      { name: 'list', offset: 88, size: 4, flags: 0x802, info: 'uint32', numOffset: 8, numSize: 4 },
      { name: 'regs', offset: 96, size: 8, flags: 4, num: 16, info: 'uint64', fieldExists: true },
    ],
    subsections: ['outer/more'],
  },
  { name: 'outer/more', needed: true, fields: [u32('extra', 300)] },
  { name: 'plain', fields: [u32('x', 0), u32('y', 4), u32('z', 8)] },
  { name: 'date', versionId: 20061112, minimumVersionId: 20061112, fields: [u32('tick', 0)] },
  { name: undefined, fields: [u32('nameless', 0)] },
  { name: 'empty', fields: [] },
  { name: 'stuck', unmigratable: true },
];

export function fakeLayout(name: string): TableLayout {
  const layout = knownTableLayouts.find((known) => known.name === name);
  if (!layout) throw new Error(`no layout ${name}`);
  return layout;
}

/** Writes VMSDs with one layout into an ELF file that a schema can be extracted from. */
export class FakeQemu {
  readonly elf: ElfBuilder;
  readonly layout: TableLayout;
  readonly infos = new Map<string, number>();
  readonly vmsds = new Map<string | undefined, number>();

  constructor(options: FakeOptions = {}) {
    const { layout = '8.0', version = '8.2.0 (fake)' } = options;
    this.elf = new ElfBuilder(options);
    this.layout = typeof layout === 'string' ? fakeLayout(layout) : layout;
    this.elf.string(`QEMU emulator version ${version}\nCopyright`);
  }

  info(name: string): number {
    const known = this.infos.get(name);
    if (known !== undefined) return known;
    const { elf, layout } = this;
    const address = elf.data(40);
    elf.pointer(address, elf.string(name));
    const first = layout.infoHasLoadAndSave ? 24 : 8;
    elf.pointer(address + first, elf.code());
    elf.pointer(address + first + 8, elf.code());
    this.infos.set(name, address);
    return address;
  }

  /** Writes VMSDs, which may point to each other. */
  add(vmsds: readonly FakeVmsd[]): void {
    for (const { name } of vmsds) this.vmsds.set(name, this.elf.data(this.layout.vmsd.size));
    for (const vmsd of vmsds) this.#write(this.vmsds.get(vmsd.name)!, vmsd);
  }

  fields(fields: readonly FakeField[]): number {
    const { elf, layout } = this;
    const list = elf.data((fields.length + 1) * layout.field.stride);
    for (const [i, field] of fields.entries()) this.#writeField(list + i * layout.field.stride, field);
    if (layout.since[0] >= 10)
      elf.u32(list + fields.length * layout.field.stride + layout.field.flags, 0x20000);
    return list;
  }

  #write(address: number, vmsd: FakeVmsd): void {
    const { elf, layout } = this;
    const at = layout.vmsd;
    if (vmsd.name !== undefined) elf.pointer(address, elf.string(vmsd.name));
    elf.u32(address + at.versionId, vmsd.versionId ?? 1);
    elf.u32(address + at.minimumVersionId, vmsd.minimumVersionId ?? 1);
    if (vmsd.unmigratable) {
      if (at.earlySetup === undefined) elf.u32(address + at.unmigratable, 1);
      else elf.u8(address + at.unmigratable, 1);
    }
    if (vmsd.needed) elf.pointer(address + at.callbacks.get('needed')!, elf.code());
    if (vmsd.fields) elf.pointer(address + at.fields, this.fields(vmsd.fields));
    if (vmsd.subsections) {
      const list = elf.data((vmsd.subsections.length + 1) * 8);
      for (const [i, name] of vmsd.subsections.entries()) elf.pointer(list + i * 8, this.vmsds.get(name)!);
      elf.pointer(address + at.subsections, list);
    }
  }

  #writeField(address: number, field: FakeField): void {
    const { elf } = this;
    const at = this.layout.field;
    elf.pointer(address + at.name, elf.string(field.name));
    elf.u64(address + at.offset, field.offset ?? 0);
    elf.u64(address + at.size, field.size ?? 0);
    elf.u32(address + at.num, field.num ?? 0);
    this.#writeCounter(address, at.numOffset, at.numSize, field.numOffset, field.numSize);
    this.#writeCounter(address, at.sizeOffset, at.sizeSize, field.sizeOffset, field.sizeSize);
    elf.u32(address + at.flags, field.flags ?? 0);
    elf.u32(address + at.versionId, field.versionId ?? 0);
    if (field.info !== undefined) elf.pointer(address + at.info, this.info(field.info));
    if (field.vmsd !== undefined) elf.pointer(address + at.vmsd, this.vmsds.get(field.vmsd)!);
    if (field.fieldExists) elf.pointer(address + at.fieldExists, elf.code());
  }

  /** Where a counter is, and how wide, where the layout has a place for that. */
  #writeCounter(address: number, at: number, widthAt: number | undefined, offset = 0, width = 0): void {
    const { elf } = this;
    if (widthAt === undefined) elf.u64(address + at, offset);
    else {
      elf.u32(address + at, offset);
      elf.u8(address + widthAt, width);
    }
  }
}

/** A fake QEMU with `plainVmsds`. */
export function plainQemu(options: FakeOptions = {}): Uint8Array<ArrayBuffer> {
  const qemu = new FakeQemu(options);
  qemu.add(plainVmsds);
  return qemu.elf.build();
}
