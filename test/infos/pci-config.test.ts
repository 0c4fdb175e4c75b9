import { describe, expect, test } from 'vitest';
import { childrenOf } from '../../src/layout/children.ts';
import type { LayoutNode } from '../../src/layout/node.ts';
import { at, checkTree, decodeInfo, FIELD_START, leaf, meaning } from './decode-info.ts';
import { ahci, e1000e, pciBridge, rootPort, virtioNet } from './pci-configs.ts';

function decode(config: Uint8Array): LayoutNode {
  const node = decodeInfo('pci config', config);
  if (!node) throw new Error('the field stays bytes');
  checkTree(node, config.length);
  return node;
}

/** Names and places of the capabilities, in order of place. */
function capabilities(node: LayoutNode): string[] {
  return [...childrenOf(node)]
    .filter(({ kind }) => kind === 'struct')
    .map(({ name, start }) => `${(start - FIELD_START).toString(16)} ${name}`);
}

describe('what QEMU wrote', () => {
  test('the field keeps its bytes', () => {
    expect(decode(ahci)).toMatchObject({
      kind: 'struct',
      type: 'pci config',
      value: ahci,
      vmsdName: undefined,
    });
  });

  test('an endpoint: e1000e', () => {
    const node = decode(e1000e);
    // id vendor 32902 device 4307, subsystem-vendor 32902, class 512 "Ethernet controller", irq 10, irq_pin 1
    expect(leaf(node, 'vendor_id')).toEqual({ value: 32902, meaning: 'Intel' });
    expect(leaf(node, 'device_id')).toEqual({ value: 4307, meaning: '82574L' });
    expect(leaf(node, 'subsystem_vendor_id')).toEqual({ value: 32902, meaning: 'Intel' });
    expect(leaf(node, 'class')).toEqual({ value: 2, meaning: 'network' });
    expect(leaf(node, 'subclass')).toEqual({ value: 0, meaning: 'Ethernet' });
    expect(leaf(node, 'header_type')).toEqual({ value: 0, meaning: 'device' });
    expect(leaf(node, 'interrupt_line').value).toBe(10);
    expect(leaf(node, 'interrupt_pin')).toEqual({ value: 1, meaning: 'INTA#' });
    expect(meaning(node, 'command')).toBe('I/O, memory, bus master, SERR#, INTx disabled');
    expect(meaning(node, 'status')).toBe('capabilities');
    // query-pci: 4269801472, 4269932544, io 53248, 4270063616; lspci: none is prefetchable
    expect(meaning(node, 'bar0')).toBe(`memory, 32 bit at 0x${(4269801472).toString(16)}`);
    expect(meaning(node, 'bar1')).toBe(`memory, 32 bit at 0x${(4269932544).toString(16)}`);
    expect(meaning(node, 'bar2')).toBe(`I/O at 0x${(53248).toString(16)}`);
    expect(meaning(node, 'bar3')).toBe(`memory, 32 bit at 0x${(4270063616).toString(16)}`);
    expect(leaf(node, 'bar4')).toEqual({ value: 0, meaning: undefined });
    // Capabilities: [a0] MSI-X, [c8] PM, [d0] MSI, [e0] Express, [100 v2] AER, [140 v1] DSN
    expect(capabilities(node)).toEqual(['a0 msix', 'c8 pm', 'd0 msi', 'e0 pcie', '100 aer', '140 dsn']);
    // MSI-X: Enable+ Count=5 Masked-; Vector table: BAR=3 offset=00000000; PBA: BAR=3 offset=00002000
    expect(meaning(node, 'msix', 'control')).toBe('vectors 5, enabled');
    expect(meaning(node, 'msix', 'table')).toBe('BAR3, offset 0x0');
    expect(meaning(node, 'msix', 'pending_bits')).toBe('BAR3, offset 0x2000');
    // Power Management version 2: DSI+, Status: D0
    expect(meaning(node, 'pm', 'capabilities')).toBe('version 2, device specific initialization');
    expect(meaning(node, 'pm', 'control_status')).toBe('state D0');
    // MSI: Enable- Count=1/1 Maskable- 64bit+, so that there is no mask
    expect(meaning(node, 'msi', 'control')).toBe('vectors 1 of 1, 64 bit');
    expect(at(node, 'msi').end - at(node, 'msi').start).toBe(14);
    // Express (v1) Endpoint; Port #0, Speed 2.5GT/s, Width x1, ASPM L0s; of version 1 there is no more than the link
    expect(meaning(node, 'pcie', 'capabilities')).toBe('version 1, endpoint');
    expect(meaning(node, 'pcie', 'link_capabilities')).toBe('2.5 GT/s, width x1, ASPM L0s, port 0');
    expect(at(node, 'pcie').end - at(node, 'pcie').start).toBe(0x14);
    // UESvrt: DLP+ SDES+ FCP+ RxOF+ MalfTLP+ (bit 22, internal, was not printed yet); CEMsk: AdvNonFatalErr+
    expect(meaning(node, 'aer', 'uncorrectable_severity')).toBe(
      'data link protocol, surprise down, flow control protocol, receiver overflow, malformed TLP, internal',
    );
    expect(meaning(node, 'aer', 'correctable_mask')).toMatch(/^advisory non-fatal/);
    expect(meaning(node, 'aer', 'control')).toBe('ECRC generation capable, ECRC check capable');
    // Device Serial Number 52-54-00-ff-ff-12-34-56
    expect(meaning(node, 'dsn', 'serial_number')).toBe('52-54-00-ff-ff-12-34-56');
  });

  test('a root port', () => {
    const node = decode(rootPort);
    expect(meaning(node, 'header_type')).toBe('PCI to PCI bridge');
    // pci_bridge: secondary 1, subordinate 3, io 53248 to 57343, memory 4269801472 to 4271898623,
    // prefetchable 4263510016 to 4265607167
    expect(leaf(node, 'secondary_bus').value).toBe(1);
    expect(leaf(node, 'subordinate_bus').value).toBe(3);
    expect(meaning(node, 'io_base')).toBe(`16 bit, 0x${(53248).toString(16)}`);
    expect(meaning(node, 'io_limit')).toBe(`16 bit, 0x${(57343).toString(16)}`);
    expect(meaning(node, 'memory_base')).toBe(`0x${(4269801472).toString(16)}`);
    expect(meaning(node, 'memory_limit')).toBe(`0x${(4271898623).toString(16)}`);
    expect(meaning(node, 'prefetchable_memory_base')).toBe(`64 bit, 0x${(4263510016).toString(16)}`);
    expect(meaning(node, 'prefetchable_memory_limit')).toBe(`64 bit, 0x${(4265607167).toString(16)}`);
    expect(meaning(node, 'bridge_control')).toBe('SERR#');
    expect(capabilities(node)).toEqual([
      '40 ssvid',
      '48 msix',
      '54 pcie',
      '90 resource_reserve',
      '100 aer',
      '148 acs',
    ]);
    // Root Port (Slot+); Speed 16GT/s, Width x32, ASPM L0s, LLActRep+ BwNot+
    expect(meaning(node, 'pcie', 'capabilities')).toBe('version 2, root port, slot');
    expect(meaning(node, 'pcie', 'link_capabilities')).toBe(
      '16 GT/s, width x32, ASPM L0s, link active reporting, bandwidth notification, port 0',
    );
    // SltCap: AttnBtn+ PwrCtrl+ AttnInd+ PwrInd+ HotPlug+ Surprise+, Slot #5, Interlock+; slot=5 on the command line
    expect(meaning(node, 'pcie', 'slot_capabilities')).toBe(
      'attention button, power controller, attention indicator, power indicator, surprise, hot-plug, ' +
        'electromechanical interlock, slot 5',
    );
    // SltCtl: AttnInd Off, PwrInd On
    expect(meaning(node, 'pcie', 'slot_control')).toBe('attention indicator off, power indicator on');
    // LnkCap2: 2.5-16GT/s; LnkCtl2: Target Link Speed: 16GT/s
    expect(meaning(node, 'pcie', 'link_capabilities2')).toBe('2.5 GT/s, 5 GT/s, 8 GT/s, 16 GT/s');
    expect(meaning(node, 'pcie', 'link_control2')).toBe('target 16 GT/s');
    // bus-reserve=2 on the command line
    expect(leaf(node, 'resource_reserve', 'buses')).toEqual({ value: 2, meaning: undefined });
    expect(leaf(node, 'resource_reserve', 'io')).toEqual({ value: 0xffffffffffffffffn, meaning: 'unset' });
    // RootCmd: CERptEn+ NFERptEn+ FERptEn+
    expect(meaning(node, 'aer', 'root_command')).toBe('correctable, non-fatal, fatal');
    // ACSCap: SrcValid+ TransBlk+ ReqRedir+ CmpltRedir+ UpstreamFwd+ EgressCtrl- DirectTrans+
    expect(meaning(node, 'acs', 'capabilities')).toBe(
      'source validation, translation blocking, request redirect, completion redirect, upstream forwarding, ' +
        'direct translated',
    );
  });

  test('a bridge with a 64-bit BAR', () => {
    const node = decode(pciBridge);
    // regions: bar 0, mem_type_64, address 0xfea15000; BAR1 is its upper half
    expect(meaning(node, 'bar0')).toBe('memory, 64 bit at 0xfea15000');
    expect(at(node, 'bar0').end - at(node, 'bar0').start).toBe(8);
    expect([...childrenOf(node)].map(({ name }) => name)).not.toContain('bar1');
    expect(capabilities(node)).toEqual(['40 shpc', '48 slot_id', '4c msi']);
    // MSI: Enable- Count=1/1 Maskable+ 64bit+; Slot ID: 0 slots, First+, chassis 02; chassis_nr=2 on the command line
    expect(meaning(node, 'msi', 'control')).toBe('vectors 1 of 1, 64 bit, maskable');
    expect(at(node, 'msi').end - at(node, 'msi').start).toBe(24);
    expect(meaning(node, 'slot_id', 'expansion_slot')).toBe('slots 0, first in chassis');
    expect(leaf(node, 'slot_id', 'chassis').value).toBe(2);
  });

  test('a conventional device: AHCI', () => {
    const node = decode(ahci);
    expect(meaning(node, 'subclass')).toBe('SATA');
    expect(meaning(node, 'interface')).toBe('AHCI');
    expect(meaning(node, 'subsystem_id')).toBe('QEMU virtual machine');
    expect(meaning(node, 'bar4')).toBe('I/O at 0xe040');
    expect(capabilities(node)).toEqual(['80 msi', 'a8 sata']);
    // MSI: Enable+, Address: 00000000fee01004  Data: 0029; SATA HBA v1.0 BAR4 Offset=00000004
    expect(meaning(node, 'msi', 'control')).toBe('enabled, vectors 1 of 1, 64 bit');
    expect(leaf(node, 'msi', 'address').value).toBe(0xfee01004n);
    expect(leaf(node, 'msi', 'data').value).toBe(0x29);
    expect(meaning(node, 'sata', 'revision')).toBe('1.0');
    expect(meaning(node, 'sata', 'location')).toBe('BAR4, offset 0x10');
    // Port mapping of the ICH9: no register of the specifications, but kept.
    expect(leaf(node, 'device_specific@0x8e').value).toEqual(ahci.subarray(0x8e, 0xa8));
  });

  test('a virtio device: its vendor-specific capabilities', () => {
    const node = decode(virtioNet);
    expect(meaning(node, 'device_id')).toBe('virtio network (transitional)');
    expect(capabilities(node)).toEqual([
      '40 virtio_common',
      '50 virtio_isr',
      '60 virtio_device',
      '70 virtio_notify',
      '84 virtio_pci_access',
      '98 msix',
    ]);
    // VirtIO: Notify, BAR=4 offset=00003000 size=00001000 multiplier=00000004
    expect(leaf(node, 'virtio_notify', 'bar').value).toBe(4);
    expect(leaf(node, 'virtio_notify', 'offset').value).toBe(0x3000);
    expect(leaf(node, 'virtio_notify', 'size').value).toBe(0x1000);
    expect(leaf(node, 'virtio_notify', 'notify_off_multiplier').value).toBe(4);
    // Region 4: Memory at febe0000 (64-bit, prefetchable)
    expect(meaning(node, 'bar4')).toBe('memory, 64 bit, prefetchable at 0xfebe0000');
  });
});

describe('what nobody should write', () => {
  test('another size stays bytes', () => {
    for (const size of [0, 1, 64, 255, 257, 4095, 4097]) {
      expect(decodeInfo('pci config', new Uint8Array(size))).toBeUndefined();
    }
  });

  function changed(config: Uint8Array, bytes: Readonly<Record<number, number>>): Uint8Array {
    const copy = Uint8Array.from(config);
    for (const [offset, byte] of Object.entries(bytes)) copy[Number(offset)] = byte;
    return copy;
  }

  test('a list that leads back to itself ends', () => {
    // MSI at 0xd0 points at PM at 0xc8, which points at MSI.
    const node = decode(changed(e1000e, { 209: 0xc8 }));
    expect(capabilities(node)).toEqual(['c8 pm', 'd0 msi', '100 aer', '140 dsn']);
    // The extended list: DSN at 0x140 points at AER at 0x100.
    expect(capabilities(decode(changed(e1000e, { 323: 0x10 })))).toContain('140 dsn');
  });

  test('a list that leads into the header ends', () => {
    expect(capabilities(decode(changed(ahci, { 129: 0x3c })))).toEqual(['80 msi']);
    expect(capabilities(decode(changed(ahci, { 52: 0x10 })))).toEqual([]);
  });

  test('without the bit in the status there is no list', () => {
    expect(capabilities(decode(changed(ahci, { 6: 0 })))).toEqual([]);
  });

  test('a capability ends where the next begins', () => {
    // PCI Express at 0xe0 is followed by MSI-X at 0xe8 now, in its middle.
    const node = decode(changed(e1000e, { 225: 0xe8, 232: 0x11, 233: 0 }));
    expect(at(node, 'pcie').end).toBe(FIELD_START + 0xe8);
    expect(at(node, 'msix').start).toBe(FIELD_START + 0xe8);
    expect([...childrenOf(at(node, 'pcie'))].at(-1)?.name).toBe('device_capabilities');
  });

  test('a capability ends where the configuration space does', () => {
    const node = decode(changed(ahci, { 129: 0xfc, 252: 0x05, 254: 0x80 }));
    expect([...childrenOf(at(node, 'msi@0xfc'))].map(({ name }) => name)).toEqual(['id', 'next', 'control']);
    // PCI Express at the end of conventional space does not run on into extended space.
    const last = decode(changed(e1000e, { 225: 0xfc, 252: 0x10, 254: 0x42 }));
    expect(at(last, 'pcie@0xfc').end).toBe(FIELD_START + 0x100);
    // DSN at 0xffc has no room for its number.
    const dsn = decode(changed(e1000e, { 322: 0xc1, 323: 0xff, 4092: 0x03, 4094: 0x01 }));
    expect([...childrenOf(at(dsn, 'dsn@0xffc'))].map(({ name }) => name)).toEqual(['header']);
  });

  test('a header type that does not exist: the rest of the header has no names', () => {
    const node = decode(changed(ahci, { 14: 0x7f }));
    expect(capabilities(node)).toEqual([]);
    expect(at(node, 'device_specific@0x10').end).toBe(FIELD_START + 0x100);
  });

  test('a 64-bit BAR in the last place has no upper half', () => {
    const node = decode(changed(ahci, { 36: 0x04 }));
    expect(leaf(node, 'bar5')).toEqual({ value: 0xfea17004, meaning: 'memory, 64 bit at 0xfea17000' });
  });
});
