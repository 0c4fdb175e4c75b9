/** Streams with one thing damaged, for the cases of loads.mjs. */

import { asDestination, DEVICE_SETS, machineOf, versionsWith } from './load-sets.mjs';

/** @typedef {import("./loads.mjs").LoadCase} LoadCase */
/** @typedef {import("./locate-damage.mjs").Damage} Damage */

/**
 * Damage to a stream of one of the sets: what kind, a name, and what is changed.
 *
 * @type {[set: string, pin: string | undefined, kind: string, name: string, damage: Damage[]][]}
 */
const DAMAGES = [];

/**
 * @param {string} set
 * @param {string | undefined} pin
 * @param {string} kind
 * @param {Record<string, Damage | Damage[]>} damages
 */
function damage(set, pin, kind, damages) {
  for (const [name, one] of Object.entries(damages)) DAMAGES.push([set, pin, kind, name, [one].flat()]);
}

const eof = { record: 'eof' };
const configuration = { record: 'configuration' };
const SMALL = 'pc-nics';

damage(SMALL, '5.2', 'damaged framing', {
  magic: { at: { record: 'header' }, xor: '01' },
  'version-2': { at: { record: 'header', plus: 4 }, set: '00000002' },
  'version-4': { at: { record: 'header', plus: 4 }, set: '00000004' },
  'no-configuration': { at: configuration, remove: { ...configuration, part: 'end' } },
  'configuration-type': { at: configuration, set: '09' },
  'configuration-length': { at: { ...configuration, plus: 1 }, set: '00001000' },
  'configuration-length-less': { at: { ...configuration, plus: 1 }, set: '00000004' },
  'configuration-name': { at: { ...configuration, plus: 5 }, xor: '20' },
  'section-type-unknown': { at: { record: 'e1000' }, set: '3f' },
  'section-type-part': { at: { record: 'e1000' }, set: '02' },
  'section-type-start': { at: { record: 'e1000' }, set: '01' },
  'section-id': { at: { record: 'e1000', part: 'id' }, set: '00001234' },
  'section-idstr': { at: { record: 'e1000', part: 'idstr', plus: 3 }, xor: '01' },
  'section-instance': { at: { record: 'e1000', part: 'instance' }, set: '00000007' },
  'section-version-newer': { at: { record: 'e1000', part: 'version' }, set: '00000063' },
  'section-version-older': { at: { record: 'e1000', part: 'version' }, set: '00000000' },
  'section-version-1': { at: { record: 'e1000', part: 'version' }, set: '00000001' },
  'cpu-version': { at: { record: 'cpu', part: 'version' }, set: '0000000d' },
  'cpu-version-old': { at: { record: 'cpu', part: 'version' }, set: '0000000a' },
  'rtl8139-version': { at: { record: 'rtl8139', part: 'version' }, set: '00000003' },
  'timer-version': { at: { record: 'timer', part: 'version' }, set: '00000001' },
  'footer-type': { at: { record: 'e1000', part: 'footer' }, set: '7f' },
  'footer-id': { at: { record: 'e1000', part: 'footer', plus: 4 }, xor: '40' },
  'footer-missing': { at: { record: 'e1000', part: 'footer' }, remove: 5 },
  'footer-twice': { at: { record: 'e1000', part: 'footer' }, duplicate: { record: 'e1000', part: 'end' } },
  'byte-missing': { at: { record: 'rtl8139', part: 'footer', plus: -1 }, remove: 1 },
  'byte-extra': { at: { record: 'rtl8139', part: 'footer' }, insert: '00' },
  'bytes-missing-cpu': { at: { record: 'cpu', part: 'body', plus: 8 }, remove: 8 },
  'section-missing': { at: { record: 'rtl8139' }, remove: { record: 'rtl8139', part: 'end' } },
  'cpu-missing': { at: { record: 'cpu' }, remove: { record: 'cpu', part: 'end' } },
  'ram-missing-all': [
    { at: { record: 'ram' }, remove: { record: 'ram', part: 'end' } },
    { at: { record: 'ram', nth: 1 }, remove: { record: 'ram', nth: 1, part: 'end' } },
    { at: { record: 'ram', nth: 2 }, remove: { record: 'ram', nth: 2, part: 'end' } },
  ],
  'globalstate-missing': { at: { record: 'globalstate' }, remove: { record: 'globalstate', part: 'end' } },
  'section-twice': { at: { record: 'rtl8139' }, duplicate: { record: 'rtl8139', part: 'end' } },
  'eof-missing': { at: eof, remove: 1 },
  'eof-other': { at: eof, set: '55' },
  'eof-early': { at: { record: 'rtl8139' }, insert: '00' },
  'vmdesc-missing': { at: { record: 'vmdesc' }, cut: true },
  'vmdesc-cut': { at: { record: 'vmdesc', plus: 400 }, cut: true },
  'vmdesc-type': { at: { record: 'vmdesc' }, set: '09' },
  'vmdesc-length': { at: { record: 'vmdesc', plus: 1 }, set: '7fffffff' },
  'vmdesc-json': { at: { record: 'vmdesc', plus: 40 }, set: '00ff00ff' },
  'trailing-junk': { at: { record: 'vmdesc', part: 'end' }, insert: '0123456789abcdef' },
  'trailing-stream': { at: { record: 'vmdesc', part: 'end' }, duplicate: configuration },
  'leading-junk': { at: { record: 'header' }, insert: '00' },
  'command-unknown': { at: { record: 'rtl8139' }, insert: '0800630000' },
  'command-zero': { at: { record: 'rtl8139' }, insert: '0800000000' },
  'command-ping': { at: { record: 'rtl8139' }, insert: '08000200040000002a' },
  'command-length': { at: { record: 'rtl8139' }, insert: '080002000100' },
  'command-switchover': { at: { record: 'rtl8139' }, insert: '08000b0000' },
  'command-return-path': { at: { record: 'rtl8139' }, insert: '0800010000' },
  'command-advise': { at: { record: 'ram' }, insert: '080003001000000000000010000000000000001000' },
  'command-advise-page-size': { at: { record: 'ram' }, insert: '080003001000000000000010000000000000002000' },
  'command-listen': { at: { record: 'rtl8139' }, insert: '0800040000' },
  'subsection-in-front': { at: { record: 'rtl8139' }, insert: '050461626364' },
});
damage(SMALL, '5.2', 'cut', {
  empty: { at: { record: 'header' }, cut: true },
  'in-magic': { at: { record: 'header', plus: 2 }, cut: true },
  'behind-header': { at: configuration, cut: true },
  'in-configuration': { at: { ...configuration, plus: 8 }, cut: true },
  'in-block-list': { at: { record: 'ram', part: 'body', plus: 20 }, cut: true },
  'in-ram-part': { at: { record: 'ram', nth: 1, part: 'body', plus: 4 }, cut: true },
  'behind-ram-part': { at: { record: 'ram', nth: 1, part: 'end' }, cut: true },
  'in-ram-end': { at: { record: 'ram', nth: 2, part: 'body', plus: 3 }, cut: true },
  'before-devices': { at: { record: 'timer' }, cut: true },
  'in-section-header': { at: { record: 'e1000', plus: 9 }, cut: true },
  'in-e1000': { at: { record: 'e1000', part: 'body', plus: 1000 }, cut: true },
  'in-cpu': { at: { record: 'cpu', part: 'body', plus: 100 }, cut: true },
  'in-footer': { at: { record: 'e1000', part: 'footer', plus: 2 }, cut: true },
  'between-devices': { at: { record: 'rtl8139' }, cut: true },
  'last-device': { at: { record: 'globalstate' }, cut: true },
  'in-globalstate': { at: { record: 'globalstate', part: 'body', plus: 10 }, cut: true },
  'before-eof': { at: eof, cut: true },
});
damage(SMALL, '5.2', 'damaged RAM', {
  'block-name': { at: { record: 'ram', part: 'body', plus: 9 }, xor: '01' },
  'block-name-length': { at: { record: 'ram', part: 'body', plus: 8 }, set: 'ff' },
  'block-length': { at: { record: 'ram', part: 'body', plus: 20 }, xor: '01' },
  'block-length-half': { at: { record: 'ram', part: 'body', plus: 19 }, set: '01' },
  total: { at: { record: 'ram', part: 'body', plus: 5 }, xor: '01' },
  'total-zero': { at: { record: 'ram', part: 'body' }, set: '0000000000000004' },
  'list-flag': { at: { record: 'ram', part: 'body', plus: 7 }, set: '01' },
  'flags-unknown': { at: { record: 'ram', nth: 1, part: 'body' }, insert: '0000000000000c00' },
  'page-beyond': {
    at: { record: 'ram', nth: 1, part: 'body' },
    insert: '0000000fffff00020670632e72616d00',
  },
  'page-of-unknown-block': {
    at: { record: 'ram', nth: 1, part: 'body' },
    insert: '00000000000010020478797a7a00',
  },
  'page-continues-nothing': { at: { record: 'ram', nth: 1, part: 'body' }, insert: '000000000000102200' },
  'page-zero-good': {
    at: { record: 'ram', nth: 1, part: 'body' },
    insert: '00000000000010020670632e72616d00',
  },
  'page-compressed': {
    at: { record: 'ram', nth: 1, part: 'body' },
    insert: '00000000000011000670632e72616d0000000400000000',
  },
  'page-xbzrle': {
    at: { record: 'ram', nth: 1, part: 'body' },
    insert: '00000000000010400670632e72616d02000400000000',
  },
  'eos-missing': { at: { record: 'ram', nth: 2, part: 'body' }, remove: 8 },
  'part-missing': { at: { record: 'ram', nth: 1 }, remove: { record: 'ram', nth: 1, part: 'end' } },
  'end-missing': { at: { record: 'ram', nth: 2 }, remove: { record: 'ram', nth: 2, part: 'end' } },
  'start-missing': { at: { record: 'ram' }, remove: { record: 'ram', part: 'end' } },
  version: { at: { record: 'ram', part: 'version' }, set: '00000003' },
  'version-5': { at: { record: 'ram', part: 'version' }, set: '00000005' },
  'part-id': { at: { record: 'ram', nth: 1, part: 'id' }, set: '00000003' },
});
damage(SMALL, '5.2', 'damaged fields', {
  'pci-vendor': { at: { record: 'e1000', field: 'vendor_id' }, xor: '01' },
  'pci-device': { at: { record: 'e1000', field: 'device_id' }, xor: '01' },
  'pci-command': { at: { record: 'e1000', field: 'command' }, xor: 'ff' },
  'pci-status': { at: { record: 'e1000', field: 'status' }, xor: '10' },
  'pci-status-high': { at: { record: 'e1000', field: 'status', plus: 1 }, xor: 'ff' },
  'pci-revision': { at: { record: 'e1000', field: 'revision_id' }, xor: '01' },
  'pci-class': { at: { record: 'e1000', field: 'class' }, xor: '01' },
  'pci-header-type': { at: { record: 'e1000', field: 'header_type' }, xor: '80' },
  'pci-cache-line': { at: { record: 'e1000', field: 'cache_line_size' }, xor: '10' },
  'pci-bar0-address': { at: { record: 'e1000', field: 'bar0', plus: 3 }, xor: '01' },
  'pci-bar0-size': { at: { record: 'e1000', field: 'bar0', plus: 1 }, xor: '10' },
  'pci-bar0-type': { at: { record: 'e1000', field: 'bar0' }, xor: '01' },
  'pci-bar1-type': { at: { record: 'e1000', field: 'bar1' }, xor: '01' },
  'pci-subsystem': { at: { record: 'e1000', field: 'subsystem_id' }, xor: '01' },
  'pci-interrupt-pin': { at: { record: 'e1000', field: 'interrupt_pin' }, xor: '03' },
  'pci-interrupt-line': { at: { record: 'e1000', field: 'interrupt_line' }, xor: '0f' },
  'pci-version': { at: { record: 'e1000', field: 'parent_obj/version_id' }, set: '00000009' },
  'pci-irq-state': { at: { record: 'e1000', field: 'pins/0' }, set: '00000002' },
  'pci-irq-raised': { at: { record: 'e1000', field: 'pins/0' }, set: '00000001' },
  'e1000-body': { at: { record: 'e1000', part: 'body', plus: 5000 }, set: 'ffffffffffffffff' },
  'hpet-timers': { at: { record: 'hpet', part: 'body', plus: 24 }, set: '04' },
  'hpet-timers-many': { at: { record: 'hpet', part: 'body', plus: 24 }, set: 'ff' },
  'hpet-timers-few': { at: { record: 'hpet', part: 'body', plus: 24 }, set: '02' },
  'apic-id': { at: { record: 'apic', field: 'id' }, set: '05' },
  'cpu-regs': { at: { record: 'cpu', part: 'body' }, set: 'ffffffffffffffff' },
  'fdc-drives': { at: { record: 'fdc', field: 'num_floppies' }, set: '01' },
  'fdc-media': { at: { record: 'fdc', part: 'body', plus: 20 }, set: 'ffffffff' },
  'timer-ticks': { at: { record: 'timer', part: 'body' }, set: '0000000000000000' },
  'ps2-count': { at: { record: 'ps2kbd', field: 'queue.count' }, set: '7fffffff' },
  'ps2-negative': { at: { record: 'ps2kbd', field: 'queue.rptr' }, set: 'ffffff00' },
  'pcibus-nirq': { at: { record: 'PCIBUS', field: 'nirq' }, set: '00000005' },
  'i8254-channels': { at: { record: 'i8254', part: 'body' }, set: 'ffffffff' },
  'rtc-data': { at: { record: 'mc146818rtc', part: 'body' }, set: 'ffffffffffffffffffffffff' },
  'ide-error': { at: { record: 'ide', part: 'footer', plus: -8 }, set: 'ffffffffffffffff' },
  'pcnet-body': { at: { record: 'pcnet', part: 'body', plus: 400 }, set: 'ffffffffffffffff' },
  'rtl8139-currTxDesc': {
    at: { record: 'rtl8139', part: 'body', plus: 350 },
    set: 'ffffffffffffffffffffffffffff',
  },
  'ne2000-body': { at: { record: 'ne2000', part: 'body', plus: 300 }, set: 'ffffffffffffffff' },
  'globalstate-runstate': { at: { record: 'globalstate', part: 'body', plus: 4 }, set: '78787878' },
  'globalstate-size': { at: { record: 'globalstate', part: 'body' }, set: '00000fff' },
  'vmmouse-queue': { at: { record: 'vmmouse', field: 'queue_size' }, set: '00000001' },
  'vmmouse-entries': { at: { record: 'vmmouse', field: 'nb_queue' }, set: 'ffff' },
  'fw-cfg-entry': { at: { record: 'fw_cfg', field: 'cur_entry' }, set: 'ffff' },
  'subsection-name': { at: { record: 'fw_cfg', field: 'fw_cfg/dma', plus: 4 }, xor: '20' },
  'subsection-version': { at: { record: 'fw_cfg', field: 'fw_cfg/dma', plus: 15 }, set: '09' },
  'subsection-marker': { at: { record: 'fw_cfg', field: 'fw_cfg/dma' }, set: '06' },
  'subsection-missing': {
    at: { record: 'fw_cfg', field: 'fw_cfg/dma' },
    remove: { record: 'fw_cfg', field: 'dma_addr', plus: 8 },
  },
  'subsection-twice': {
    at: { record: 'fw_cfg', field: 'fw_cfg/dma' },
    duplicate: { record: 'fw_cfg', field: 'dma_addr', plus: 8 },
  },
  'subsection-unknown': {
    at: { record: 'rtl8139', part: 'footer' },
    insert: '050c72746c383133392f6e6577790000000100',
  },
  'subsection-foreign': {
    at: { record: 'rtl8139', part: 'footer' },
    insert: '05097a7a7a7a2f6e65777900000001',
  },
  'acpi-table-size': { at: { record: 'fw_cfg', field: 'table_mr_size' }, set: '0000000000200000' },
});
damage('pc-virtio', '5.2', 'damaged virtio', {
  'num-queues': { at: { record: 'virtio-net', field: 'virtio/num_queues' }, set: '00000fff' },
  'num-queues-more': { at: { record: 'virtio-net', field: 'virtio/num_queues' }, set: '00000004' },
  'num-queues-fewer': { at: { record: 'virtio-net', field: 'virtio/num_queues' }, set: '00000001' },
  'queue-size': { at: { record: 'virtio-blk', field: 'vq/0/num' }, set: '00000800' },
  'queue-size-small': { at: { record: 'virtio-blk', field: 'vq/0/num' }, set: '00000010' },
  'queue-size-zero': { at: { record: 'virtio-blk', field: 'vq/0/num' }, set: '00000000' },
  'last-avail': { at: { record: 'virtio-blk', field: 'last_avail_idx' }, set: '1234' },
  'last-avail-unused': { at: { record: 'virtio-rng', field: 'last_avail_idx' }, set: '0001' },
  desc: { at: { record: 'virtio-blk', field: 'vq/0/desc' }, set: 'ffffffffffff0000' },
  'desc-elsewhere': { at: { record: 'virtio-blk', field: 'vq/0/desc' }, set: '0000000000100000' },
  'used-elsewhere': { at: { record: 'virtio-blk', field: 'vq/0/vring.used' }, set: '0000000000100000' },
  'avail-elsewhere': { at: { record: 'virtio-blk', field: 'vq/0/vring.avail' }, set: '0000000000100000' },
  'avail-unaligned': { at: { record: 'virtio-blk', field: 'vq/0/vring.avail', plus: 7 }, xor: '03' },
  'features-low': { at: { record: 'virtio-rng', field: 'guest_features_lo' }, set: 'ffffffff' },
  'features-64': {
    at: { record: 'virtio-blk', field: '64bit_features/guest_features' },
    set: 'ffffffffffffffff',
  },
  'features-64-one': {
    at: { record: 'virtio-blk', field: '64bit_features/guest_features' },
    set: '0000008000000000',
  },
  'features-packed': {
    at: { record: 'virtio-blk', field: '64bit_features/guest_features', plus: 3 },
    xor: '04',
  },
  'config-length': { at: { record: 'virtio-blk', field: 'virtio/config_len' }, set: '00000004' },
  'config-length-more': { at: { record: 'virtio-blk', field: 'virtio/config_len' }, set: '00001000' },
  config: { at: { record: 'virtio-blk', field: 'virtio/config' }, set: 'ffffffffffffffff' },
  status: { at: { record: 'virtio-blk', field: 'virtio/status' }, set: '0f' },
  'status-reset': { at: { record: 'virtio-blk', field: 'virtio/status' }, set: '00' },
  'status-all': { at: { record: 'virtio-rng', field: 'virtio/status' }, set: 'ff' },
  'queue-sel': { at: { record: 'virtio-blk', field: 'virtio/queue_sel' }, set: 'ffff' },
  'msix-vector': { at: { record: 'virtio-blk', field: 'vq/0/vector' }, set: '0000' },
  'msix-vector-large': { at: { record: 'virtio-blk', field: 'vq/0/vector' }, set: '0fff' },
  'config-vector': { at: { record: 'virtio-blk', field: 'config_vector' }, set: '0100' },
  'msix-enabled': { at: { record: 'virtio-blk', field: 'msix/vectors/0/control' }, set: '00000000' },
  'pci-vendor': { at: { record: 'virtio-blk', field: 'vendor_id' }, xor: '01' },
  'pci-capability': { at: { record: 'virtio-blk', field: 'virtio_common/next' }, xor: '04' },
  'pci-capability-length': { at: { record: 'virtio-blk', field: 'virtio_common/length' }, xor: '04' },
  'pci-capability-offset': { at: { record: 'virtio-blk', field: 'virtio_device/offset' }, xor: '10' },
  'pci-version': { at: { record: 'virtio-blk', field: 'pci_dev/version_id' }, set: '00000003' },
  'net-mac': { at: { record: 'virtio-net', field: 'mac/0' }, set: 'ffffffffffff' },
  'net-in-use': { at: { record: 'virtio-net', field: 'mac_table.in_use' }, set: '00000001' },
  'net-in-use-many': { at: { record: 'virtio-net', field: 'mac_table.in_use' }, set: '0000ffff' },
  'net-vnet-header': { at: { record: 'virtio-net', field: 'has_vnet_hdr' }, set: '00000001' },
  'net-ufo': { at: { record: 'virtio-net', field: 'has_ufo' }, set: '01' },
  'net-status': { at: { record: 'virtio-net', field: 'virtio-net-device/status' }, set: '0003' },
  'blk-requests': { at: { record: 'virtio-blk', field: 'virtio/status' }, xor: '00' },
  'device-version': { at: { record: 'virtio-net', part: 'version' }, set: '0000000c' },
  'device-version-old': { at: { record: 'virtio-net', part: 'version' }, set: '0000000a' },
  'extra-state-missing': {
    at: { record: 'virtio-rng', field: 'virtio/extra_state' },
    remove: { record: 'virtio-rng', part: 'footer' },
  },
  'virtqueues-missing': {
    at: { record: 'virtio-rng', field: 'virtio/virtqueues' },
    remove: { record: 'virtio-rng', field: 'virtio/extra_state' },
  },
  'subsection-name': { at: { record: 'virtio-rng', field: 'virtio/virtqueues', plus: 5 }, xor: '20' },
  'modern-enabled': { at: { record: 'virtio-rng', field: 'vqs/0/enabled' }, set: '01' },
  'modern-num': { at: { record: 'virtio-rng', field: 'vqs/0/num' }, set: 'ffff' },
  'balloon-pages': { at: { record: 'virtio-balloon', field: 'actual' }, set: 'ffffffff' },
  'scsi-section-only': { at: { record: 'virtio-scsi' }, remove: { record: 'virtio-scsi', part: 'end' } },
  'scsi-disk-state': { at: { record: 'scsi-disk', part: 'body', plus: 40 }, set: 'ffffffffffff' },
});
damage('linux-pc-virtio', '5.2', 'damaged virtio', {
  'last-avail': { at: { record: 'virtio-blk', field: 'vq/0/last_avail_idx' }, xor: '4000' },
  'last-avail-back': { at: { record: 'virtio-rng', field: 'vq/0/last_avail_idx' }, set: '0000' },
  'used-elsewhere': { at: { record: 'virtio-blk', field: 'vq/0/vring.used' }, set: '0000000000100000' },
  'avail-elsewhere': { at: { record: 'virtio-blk', field: 'vq/0/vring.avail' }, set: '0000000000100000' },
  'avail-nowhere': { at: { record: 'virtio-blk', field: 'vq/0/vring.avail' }, set: 'fffffffffff00000' },
  desc: { at: { record: 'virtio-blk', field: 'vq/0/desc' }, set: '0000000000000000' },
  'queue-size': { at: { record: 'virtio-blk', field: 'vq/0/num' }, set: '00000010' },
  'queue-size-more': { at: { record: 'virtio-blk', field: 'vq/0/num' }, set: '00000400' },
  'features-64': {
    at: { record: 'virtio-blk', field: '64bit_features/guest_features' },
    set: 'ffffffffffffffff',
  },
  'features-none': {
    at: { record: 'virtio-net', field: '64bit_features/guest_features' },
    set: '0000000000000000',
  },
  'features-one': {
    at: { record: 'virtio-net', field: '64bit_features/guest_features', plus: 1 },
    xor: '01',
  },
  status: { at: { record: 'virtio-blk', field: 'virtio/status' }, set: '00' },
  'rings-lost': { at: { record: 'ram', nth: 1 }, remove: { record: 'ram', nth: 1, part: 'end' } },
  'msix-vector': { at: { record: 'virtio-net', field: 'vq/0/vector' }, set: '0fff' },
  'msix-off': { at: { record: 'virtio-net', field: 'msix/vectors/0/control' }, set: '01000000' },
  'net-in-use-many': { at: { record: 'virtio-net', field: 'mac_table.in_use' }, set: '0000ffff' },
  'console-ports': { at: { record: 'virtio-console', part: 'footer', plus: -40 }, set: 'ffffffffffffffff' },
});
damage('q35-virtio', '5.2', 'damaged virtio', {
  'pcie-config': { at: { record: 'virtio-blk', field: 'vendor_id' }, xor: '01' },
  'ports-number': { at: { record: 'virtio-console', part: 'footer', plus: -20 }, set: 'ffffffff' },
  'root-port-slot': { at: { record: 'pcie-root-port', field: 'header_type' }, xor: '01' },
  'root-port-bus': { at: { record: 'pcie-root-port', field: 'secondary_bus' }, xor: '08' },
  'aer-status': { at: { record: 'pcie-root-port', field: 'uncorrectable_status', plus: 1 }, xor: '10' },
  'aer-status-undefined': { at: { record: 'pcie-root-port', field: 'uncorrectable_status' }, xor: '01' },
  'aer-mask-undefined': { at: { record: 'pcie-root-port', field: 'uncorrectable_mask' }, xor: '80' },
  'aer-mask': { at: { record: 'pcie-root-port', field: 'uncorrectable_mask', plus: 1 }, xor: '10' },
  'aer-severity': { at: { record: 'pcie-root-port', field: 'uncorrectable_severity', plus: 2 }, xor: '40' },
  'aer-severity-undefined': {
    at: { record: 'pcie-root-port', field: 'uncorrectable_severity', plus: 3 },
    xor: '04',
  },
  'aer-correctable': { at: { record: 'pcie-root-port', field: 'correctable_status' }, xor: 'c1' },
  'aer-correctable-undefined': {
    at: { record: 'pcie-root-port', field: 'correctable_status', plus: 3 },
    xor: '80',
  },
  'aer-log': { at: { record: 'pcie-root-port', field: 'log_num' }, set: '00ff' },
  'aer-log-max': { at: { record: 'pcie-root-port', field: 'log_max' }, set: '00ff' },
  'tco-timer': { at: { record: 'ICH9LPC', part: 'footer', plus: -4 }, set: 'ffffffff' },
  'input-version': { at: { record: 'virtio-input', part: 'version' }, set: '00000002' },
});
/** Bus mastering off, and engines of ports on: bit 0 for commands, bit 4 for answers. @param {string[]} ports */
const engines = (...ports) => [
  { at: { record: 'ich9_ahci', field: 'command' }, set: '0000' },
  ...ports.map((bits, port) => ({
    at: { record: 'ich9_ahci', field: `dev/${port}/port_regs.cmd` },
    set: `000000${bits}`,
  })),
];
damage('q35-virtio', '5.2', 'engines without bus mastering', {
  commands: engines('01'),
  both: engines('11'),
  'two-ports': engines('01', '00', '10'),
  'three-ports': engines('11', '11', '11'),
  'four-ports': engines('11', '11', '11', '11'),
  'four-ports-commands': engines('01', '01', '01', '01', '00'),
  'four-ports-and-answers': engines('01', '01', '01', '01', '10'),
});
damage('arm-virt-virtio', '7.2', 'damaged fields', {
  'cpreg-count': { at: { record: 'cpu', field: 'cpreg_vmstate_array_len' }, set: '00000fff' },
  'cpreg-count-fewer': { at: { record: 'cpu', field: 'cpreg_vmstate_array_len' }, set: '00000001' },
  'cpreg-count-negative': { at: { record: 'cpu', field: 'cpreg_vmstate_array_len' }, set: 'ffffffff' },
  'cpreg-index': { at: { record: 'cpu', field: 'cpreg_vmstate_indexes', plus: 6 }, set: 'ffff' },
  'cpreg-value': { at: { record: 'cpu', field: 'cpreg_vmstate_values' }, set: 'ffffffffffffffff' },
  'power-state': { at: { record: 'cpu', field: 'power_state' }, set: '07' },
  cut: { at: { record: 'cpu', part: 'body', plus: 3000 }, cut: true },
});
damage('s390-virtio', '7.2', 'damaged fields', {
  'skeys-flag': { at: { record: 's390-skeys', nth: 0, part: 'body' }, set: 'ff' },
});
damage('pseries-virtio', '7.2', 'damaged fields', {
  'htab-shift': { at: { record: 'spapr/htab', part: 'body' }, xor: '0f' },
  'spapr-version': { at: { record: 'spapr', part: 'version' }, set: '00000009' },
  cut: { at: { record: 'spapr/htab', nth: 1, part: 'body', plus: 6 }, cut: true },
});

/** One bit flipped at places all over the devices, each as likely as any other. @param {number} count */
function flips(count) {
  /** @type {[number, number][]} */
  const places = [];
  let state = 20211123;
  for (let index = 0; index < count; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const fraction = state / 2 ** 32;
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    places.push([fraction, 1 << (state >>> 29)]);
  }
  return places;
}
for (const [set, pin, records] of /** @type {[string, string, string[]][]} */ ([
  [
    'pc-virtio',
    '7.2',
    ['cpu', 'virtio-blk', 'virtio-scsi', 'piix4_pm', 'ide', 'vmmouse', 'apic', 'mc146818rtc'],
  ],
  [
    'q35-virtio',
    '7.2',
    ['ICH9LPC', 'virtio-console', 'pcie-root-port', 'ich9_ahci', 'mch', 'ioapic', 'fw_cfg'],
  ],
  ['pc-storage', '5.2', ['lsiscsi', 'fdc', 'megasas', 'PIIX3']],
  ['q35-usb', '7.2', ['xhci', 'ehci', 'usb-ptr', 'usb-storage', 'uhci']],
])) {
  for (const record of records) {
    flips(4).forEach(([fraction, bits], index) => {
      const xor = bits.toString(16).padStart(2, '0');
      damage(set, pin, 'bit flipped', { [`${record}-${index}`]: { at: { record, fraction }, xor } });
    });
  }
}

/** @returns {LoadCase[]} */
export function damagedCases() {
  return DAMAGES.flatMap(([name, pin, kind, what, changes]) => {
    const set = DEVICE_SETS.find((each) => each.name === name);
    if (set === undefined) throw new Error(`no set is called ${name}`);
    const versions = versionsWith(set, pin);
    /** @type {[string, string][]} */
    const pairs = [
      ['7.2', '7.2'],
      ['11.1', '11.1'],
    ];
    if (kind !== 'bit flipped' && versions.includes('5.2')) pairs.push(['5.2', '10.0']);
    return pairs.map(([from, to]) => ({
      id: `${name}@${pin} ${from} to ${to} ${kind}: ${what}`,
      ...{ set: name, kind, damage: changes },
      source: machineOf(set, pin, from),
      destination: asDestination(machineOf(set, pin, to)),
    }));
  });
}
