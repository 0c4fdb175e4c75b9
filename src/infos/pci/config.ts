import { viewOf } from '../../bytes/view.ts';
import type { LayoutNode, LeafNode } from '../../layout/node.ts';
import {
  CONVENTIONAL_SIZE,
  findCapability,
  PCI_EXPRESS,
  type PciListEntry,
  pciCapabilities,
  pciExtendedCapabilities,
} from '../../pci/config-space.ts';
import { bits } from '../bits.ts';
import { leafNode, type Meaning, meaningOf, structNode } from '../field-reader.ts';
import type { Info } from '../info.ts';
import { pciCapability } from './capabilities.ts';
import { pciExtendedCapability } from './extended-capabilities.ts';
import { type Header, headerType, pciHeader } from './header-registers.ts';
import { type Capability, le32, type PciDevice, peek16, type Register, u8 } from './register.ts';

/** Bytes of the configuration space of a PCI Express device (include/hw/pci/pci.h). */
const EXPRESS_SIZE = 0x1000;

/** Bits that it costs to say that a configuration space is of another length than its capabilities tell. */
const SHORT_EXPRESS_CONFIG = 16;
const LONG_CONVENTIONAL_CONFIG = 3;

/** Something with registers at a place in configuration space. */
interface Structure {
  readonly start: number;
  /** Undefined for registers that stand by themselves: those of the header. */
  readonly name: string | undefined;
  readonly type: string;
  readonly registers: readonly Register[];
}

/**
 * hw/pci/pci.c, put_pci_config_device: the configuration space as the guest reads it. All registers are little endian.
 * Header, capabilities and extended capabilities are named as the specifications of PCI do; what lies between them is
 * the device's own. The guest, or whoever made the stream, has written some of it: pointers may lead anywhere.
 */
export const pciConfig: Info = {
  names: ['pci config'],
  length: (size) => size,
  // PCIDevice has two fields for its configuration space, of 256 and of 4096 bytes; one of them is there.
  fault: (content, memory) =>
    memory.pciConfig()?.some((byte, i) => byte !== content[i])
      ? 'a second PCI configuration space'
      : undefined,
  loaded: (content, memory) => memory.storePciConfig(content),
  // Devices with the PCI Express capability have the long one; some have it without, on a conventional bus.
  cost(content) {
    const isLong = content.length > CONVENTIONAL_SIZE;
    if (findCapability(content, PCI_EXPRESS) !== undefined) return isLong ? 0 : SHORT_EXPRESS_CONFIG;
    return isLong ? LONG_CONVENTIONAL_CONFIG : 0;
  },
  open({ section }, { name, type, start, end }) {
    const size = end - start;
    if (size !== CONVENTIONAL_SIZE && size !== EXPRESS_SIZE) return undefined;
    const value = section.bytes.subarray(start - section.base, end - section.base);
    const config = viewOf(value);
    const header = pciHeader(config);
    const children = new ConfigTiler(config, start).tile([
      { start: 0, name: undefined, type: 'pci header', registers: header.registers },
      ...capabilityStructures(config, header),
    ]);
    return { ...structNode({ name, start, end }, type, children), value };
  },
};

/** Both lists' capabilities in order of place. No two begin within four bytes. */
function capabilityStructures(config: DataView, header: Header): Structure[] {
  const bytes = new Uint8Array(config.buffer, config.byteOffset, config.byteLength);
  const { capabilities: pointer, length: headerSize } = header;
  const standard = pointer === undefined ? [] : pciCapabilities(bytes, { pointer, headerSize }).sort(byStart);
  const extended = pciExtendedCapabilities(bytes).sort(byStart);
  const express = standard.find(({ id }) => id === PCI_EXPRESS)?.start;
  const device: PciDevice = {
    vendorId: peek16(config, 0),
    headerType: headerType(config),
    express:
      express === undefined
        ? undefined
        : {
            portType: bits(peek16(config, express + 2), 4, 4),
            maxLinkWidth: bits(peek16(config, express + 0x0c), 4, 6),
          },
  };
  const taken = new Set<string>();
  const structure = (type: string, start: number, { name }: Capability, registers: readonly Register[]) => {
    // Of several of a kind, all but the first have their place in their name.
    const unique = taken.has(name) ? `${name}@0x${start.toString(16)}` : name;
    taken.add(name);
    return { start, name: unique, type, registers };
  };
  return [
    ...standard.map(({ start, id }, i) => {
      const at = partOf(config, start, standard[i + 1]?.start ?? CONVENTIONAL_SIZE);
      const capability = pciCapability(id, at, device);
      const head = [u8(0, 'id', () => capability.title), u8(1, 'next')];
      const registers = [...head, ...capability.registers(at, device)];
      return structure('pci capability', start, capability, registers);
    }),
    ...extended.map(({ start, id }, i) => {
      const at = partOf(config, start, extended[i + 1]?.start ?? EXPRESS_SIZE);
      const capability = pciExtendedCapability(id);
      const head = le32(0, 'header', (header) => extendedHeaderMeaning(capability, header));
      const registers = [head, ...capability.registers(at, device)];
      return structure('pci extended capability', start, capability, registers);
    }),
  ];
}

function byStart(a: PciListEntry, b: PciListEntry): number {
  return a.start - b.start;
}

function partOf(config: DataView, start: number, end: number): DataView {
  return new DataView(config.buffer, config.byteOffset + start, end - start);
}

function extendedHeaderMeaning({ title }: Capability, header: number): string {
  const next = bits(header, 20, 12);
  const follows = next === 0 ? 'the last' : `next at 0x${next.toString(16)}`;
  return `${title}, version ${bits(header, 16, 4)}, ${follows}`;
}

/** Makes the leaves of a configuration space, so that they tile it. */
class ConfigTiler {
  readonly #config: DataView;
  /** Absolute offset of the configuration space in the stream. */
  readonly #base: number;

  constructor(config: DataView, base: number) {
    this.#config = config;
    this.#base = base;
  }

  /** `structures` are in order of place. One ends where the next begins, whatever it has. */
  tile(structures: readonly Structure[]): LayoutNode[] {
    const nodes: LayoutNode[] = [];
    let end = 0;
    for (const [i, structure] of structures.entries()) {
      const { start, name, type, registers } = structure;
      this.#fill(nodes, 'device_specific', end, start);
      const next = structures[i + 1]?.start ?? this.#config.byteLength;
      const limit = start < CONVENTIONAL_SIZE ? Math.min(next, CONVENTIONAL_SIZE) : next;
      const children = this.#registers(start, limit, registers);
      end = (children.at(-1)?.end ?? this.#base + start) - this.#base;
      if (name === undefined) nodes.push(...children);
      else nodes.push(structNode(this.#place(name, start, end), type, children));
    }
    this.#fill(nodes, 'device_specific', end, this.#config.byteLength);
    return nodes;
  }

  /** The registers of a structure, and what is reserved between them; not what is cut by the limit. */
  #registers(start: number, limit: number, registers: readonly Register[]): LeafNode[] {
    const nodes: LeafNode[] = [];
    let end = start;
    for (const register of registers) {
      const at = start + register.offset;
      if (at < end || at + register.size > limit) break;
      this.#fill(nodes, 'reserved', end, at);
      end = at + register.size;
      nodes.push(this.#register(register, at));
    }
    return nodes;
  }

  #register(register: Register, at: number): LeafNode {
    const { name, type, size } = register;
    const place = this.#place(name, at, at + size);
    const config = this.#config;
    const leaf = <T extends number | bigint | Uint8Array>(value: T, meaning: Meaning<T> | undefined) =>
      leafNode(place, type, value, meaningOf(value, meaning));
    switch (register.type) {
      case 'uint8':
        return leaf(config.getUint8(at), register.meaning);
      case 'le16':
        return leaf(config.getUint16(at, true), register.meaning);
      case 'le32':
        return leaf(config.getUint32(at, true), register.meaning);
      case 'le64':
        return leaf(config.getBigUint64(at, true), register.meaning);
      case 'buffer':
        return leaf(this.#bytes(at, at + size), register.meaning);
    }
  }

  /** Bytes between what is known; nothing is added for none. A range that crosses into extended space is two. */
  #fill(nodes: LayoutNode[], kind: string, start: number, end: number): void {
    if (start < CONVENTIONAL_SIZE && end > CONVENTIONAL_SIZE) {
      this.#fill(nodes, kind, start, CONVENTIONAL_SIZE);
      this.#fill(nodes, kind, CONVENTIONAL_SIZE, end);
    } else if (start < end) {
      const name = `${kind}@0x${start.toString(16)}`;
      nodes.push(leafNode(this.#place(name, start, end), 'buffer', this.#bytes(start, end), undefined));
    }
  }

  #bytes(start: number, end: number): Uint8Array {
    const { buffer, byteOffset } = this.#config;
    return new Uint8Array(buffer, byteOffset + start, end - start);
  }

  #place(name: string, start: number, end: number): { name: string; start: number; end: number } {
    return { name, start: this.#base + start, end: this.#base + end };
  }
}
