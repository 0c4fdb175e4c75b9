import { type BitField, bits, choice, count, flag, flags, hex, unlessZero } from '../bits.ts';
import { pciVendorName } from './devices.ts';
import {
  baseAddresses,
  buffer,
  type Capability,
  le16,
  le32,
  le64,
  type PciDevice,
  peek16,
  peek32,
  type Register,
  u8,
} from './register.ts';

const ROOT_PORT = 4;
const EVENT_COLLECTOR = 10;

const UNCORRECTABLE_ERRORS = flags({
  4: 'data link protocol',
  5: 'surprise down',
  12: 'poisoned TLP',
  13: 'flow control protocol',
  14: 'completion timeout',
  15: 'completer abort',
  16: 'unexpected completion',
  17: 'receiver overflow',
  18: 'malformed TLP',
  19: 'ECRC',
  20: 'unsupported request',
  21: 'ACS violation',
  22: 'internal',
  23: 'multicast blocked',
  24: 'AtomicOp egress blocked',
  25: 'TLP prefix blocked',
  26: 'poisoned TLP egress blocked',
  27: 'DMWr egress blocked',
  28: 'IDE check',
  29: 'misrouted IDE',
  30: 'PCRC check',
  31: 'translation egress blocked',
});

const CORRECTABLE_ERRORS = flags({
  0: 'receiver',
  6: 'bad TLP',
  7: 'bad DLLP',
  8: 'replay rollover',
  12: 'replay timeout',
  13: 'advisory non-fatal',
  14: 'internal',
  15: 'header log overflow',
});

/** Root registers are those of root ports and event collectors, the prefix log is where bit 11 is set. */
function advancedErrorReporting(at: DataView, { express }: PciDevice): readonly Register[] {
  const isRoot = express?.portType === ROOT_PORT || express?.portType === EVENT_COLLECTOR;
  const hasPrefixLog = bits(peek32(at, 0x18), 11, 1) === 1;
  return [
    le32(0x04, 'uncorrectable_status', UNCORRECTABLE_ERRORS),
    le32(0x08, 'uncorrectable_mask', UNCORRECTABLE_ERRORS),
    le32(0x0c, 'uncorrectable_severity', UNCORRECTABLE_ERRORS),
    le32(0x10, 'correctable_status', CORRECTABLE_ERRORS),
    le32(0x14, 'correctable_mask', CORRECTABLE_ERRORS),
    le32(0x18, 'control', [
      count(0, 5, 'first error', unlessZero),
      ...flags({
        5: 'ECRC generation capable',
        6: 'ECRC generation',
        7: 'ECRC check capable',
        8: 'ECRC check',
        9: 'multiple header recording capable',
        10: 'multiple header recording',
        11: 'TLP prefix log',
        12: 'completion timeout log capable',
      }),
    ]),
    le32(0x1c, 'header_log0'),
    le32(0x20, 'header_log1'),
    le32(0x24, 'header_log2'),
    le32(0x28, 'header_log3'),
    ...(isRoot
      ? [
          le32(0x2c, 'root_command', flags({ 0: 'correctable', 1: 'non-fatal', 2: 'fatal' })),
          le32(0x30, 'root_status', [
            ...flags({
              0: 'correctable',
              1: 'multiple correctable',
              2: 'uncorrectable',
              3: 'multiple uncorrectable',
              4: 'first is fatal',
              5: 'non-fatal',
              6: 'fatal',
            }),
            count(27, 5, 'interrupt message', unlessZero),
          ]),
          le16(0x34, 'correctable_source', requester),
          le16(0x36, 'uncorrectable_source', requester),
        ]
      : []),
    ...(hasPrefixLog ? [0, 1, 2, 3].map((i) => le32(0x38 + 4 * i, `prefix_log${i}`)) : []),
  ];
}

/** A requester id as bus:device.function. */
function requester(id: number): string | undefined {
  if (id === 0) return undefined;
  const digits = (value: number) => value.toString(16).padStart(2, '0');
  return `${digits(id >> 8)}:${digits((id >> 3) & 31)}.${id & 7}`;
}

/** Also that of a multi-function device. */
function virtualChannel(at: DataView): readonly Register[] {
  const registers = [
    le32(0x04, 'port_capabilities1', [
      count(0, 3, 'extended channels'),
      count(4, 3, 'low priority', unlessZero),
    ]),
    le32(0x08, 'port_capabilities2'),
    le16(0x0c, 'port_control'),
    le16(0x0e, 'port_status'),
  ];
  const channels = 1 + bits(peek32(at, 0x04), 0, 3);
  for (let i = 0; i < channels; i++) {
    const offset = 0x10 + 0x0c * i;
    registers.push(
      le32(offset, `vc${i}_capabilities`),
      le32(offset + 4, `vc${i}_control`, [
        count(24, 3, 'id'),
        flag(31, 'enabled'),
        count(0, 8, 'traffic classes', hex),
      ]),
      le16(offset + 10, `vc${i}_status`, flags({ 0: 'arbitration table', 1: 'negotiation pending' })),
    );
  }
  return registers;
}

function deviceSerialNumber(): readonly Register[] {
  const text = (value: bigint) => value.toString(16).padStart(16, '0').match(/../g)!.join('-');
  return [le64(0x04, 'serial_number', text)];
}

function powerBudgeting(): readonly Register[] {
  return [
    u8(0x04, 'data_select'),
    le32(0x08, 'data'),
    u8(0x0c, 'capabilities', flags({ 0: 'system allocated' })),
  ];
}

/** Links are entries of 16 bytes. */
function rootComplexLinks(at: DataView): readonly Register[] {
  const registers: Register[] = [
    le32(0x04, 'self', [count(0, 4, 'type'), count(8, 8, 'links'), count(24, 8, 'port', unlessZero)]),
  ];
  const links = bits(peek32(at, 0x04), 8, 8);
  for (let i = 0; i < links; i++) {
    registers.push(le32(0x10 + 16 * i, `link${i}`), le64(0x18 + 16 * i, `link${i}_address`));
  }
  return registers;
}

function eventCollectorAssociation(at: DataView): readonly Register[] {
  const version = bits(peek32(at, 0x00), 16, 4);
  return [
    le32(0x04, 'devices'),
    ...(version >= 2 ? [le32(0x08, 'buses', [count(8, 8, 'first', hex), count(16, 8, 'last', hex)])] : []),
  ];
}

/** The length in its header counts from the capability's begin. */
function vendorSpecific(at: DataView): readonly Register[] {
  const length = Math.min(bits(peek32(at, 0x04), 20, 12), at.byteLength);
  return [
    le32(0x04, 'vendor_header', [count(0, 16, 'id', hex), count(16, 4, 'revision'), count(20, 12, 'length')]),
    ...(length > 8 ? [buffer(0x08, 'data', length - 8)] : []),
  ];
}

const CXL_VENDOR = 0x1e98;

/** Compute Express Link Specification 3.1, table 8-2. */
const CXL_STRUCTURES: Readonly<Record<number, string>> = {
  0: 'CXL device',
  2: 'CXL non-CXL function map',
  3: 'CXL extensions for ports',
  4: 'CXL GPF for ports',
  5: 'CXL GPF for devices',
  7: 'CXL flex bus port',
  8: 'CXL register locator',
  9: 'CXL multiple logical devices',
  10: 'CXL test capability',
};

function designatedVendorSpecific(at: DataView): readonly Register[] {
  const vendorId = peek16(at, 0x04);
  const length = Math.min(bits(peek32(at, 0x04), 20, 12), at.byteLength);
  return [
    le32(0x04, 'header1', (value) => {
      const vendor = vendorId === CXL_VENDOR ? 'CXL' : (pciVendorName(vendorId) ?? hex(vendorId));
      return `vendor ${vendor}, revision ${bits(value, 16, 4)}, length ${bits(value, 20, 12)}`;
    }),
    le16(0x08, 'id', (id) => (vendorId === CXL_VENDOR ? CXL_STRUCTURES[id] : undefined)),
    ...(length > 10 ? [buffer(0x0a, 'data', length - 10)] : []),
  ];
}

function rootComplexRegisterBlock(): readonly Register[] {
  return [
    le16(0x04, 'vendor_id', pciVendorName),
    le16(0x06, 'device_id'),
    le32(0x08, 'capabilities', flags({ 0: 'CRS software visibility' })),
    le32(0x0c, 'control', flags({ 0: 'CRS software visibility' })),
  ];
}

const ACCESS_CONTROL = flags({
  0: 'source validation',
  1: 'translation blocking',
  2: 'request redirect',
  3: 'completion redirect',
  4: 'upstream forwarding',
  5: 'egress control',
  6: 'direct translated',
});

function accessControlServices(at: DataView): readonly Register[] {
  const capabilities = peek16(at, 0x04);
  // A vector of 0 bits is one of 256.
  const vectorBits = bits(capabilities, 8, 8) || 256;
  return [
    le16(0x04, 'capabilities', [...ACCESS_CONTROL, flag(7, 'enhanced')]),
    le16(0x06, 'control', ACCESS_CONTROL),
    ...(bits(capabilities, 5, 1) === 1
      ? [buffer(0x08, 'egress_control_vector', 4 * Math.ceil(vectorBits / 32))]
      : []),
  ];
}

function alternativeRoutingId(): readonly Register[] {
  const groups = flags({ 0: 'MFVC function groups', 1: 'ACS function groups' });
  return [
    le16(0x04, 'capabilities', [...groups, count(8, 8, 'next function')]),
    le16(0x06, 'control', [...groups, count(4, 3, 'function group', unlessZero)]),
  ];
}

function addressTranslationServices(): readonly Register[] {
  return [
    le16(0x04, 'capabilities', [
      count(0, 5, 'invalidate queue depth', (n) => n || 32),
      ...flags({ 5: 'page aligned', 6: 'global invalidate', 7: 'relaxed ordering' }),
    ]),
    le16(0x06, 'control', [
      count(0, 5, 'smallest translation unit', (n) => hex(2 ** (n + 12))),
      flag(15, 'enabled'),
    ]),
  ];
}

/** Names of the page sizes of SR-IOV: bit n is 4 KiB << n. */
function pageSizes(value: number): string | undefined {
  const sizes: string[] = [];
  for (let bit = 0; bit < 32; bit++) if (bits(value, bit, 1)) sizes.push(hex(2 ** (bit + 12)));
  return sizes.length === 0 ? undefined : sizes.join(', ');
}

function singleRootIov(at: DataView): readonly Register[] {
  return [
    le32(0x04, 'capabilities', [
      ...flags({ 0: 'VF migration', 1: 'ARI preserved', 2: '10 bit tag requester' }),
      count(21, 11, 'interrupt message', unlessZero),
    ]),
    le16(0x08, 'control', [
      ...flags({
        0: 'VFs enabled',
        1: 'VF migration',
        2: 'VF migration interrupt',
        3: 'VF memory',
        4: 'ARI',
      }),
      flag(5, '10 bit tag requester'),
    ]),
    le16(0x0a, 'status', flags({ 0: 'VF migration' })),
    le16(0x0c, 'initial_vfs'),
    le16(0x0e, 'total_vfs'),
    le16(0x10, 'num_vfs'),
    u8(0x12, 'function_dependency_link'),
    le16(0x14, 'first_vf_offset'),
    le16(0x16, 'vf_stride'),
    le16(0x1a, 'vf_device_id'),
    le32(0x1c, 'supported_page_sizes', pageSizes),
    le32(0x20, 'system_page_size', pageSizes),
    ...baseAddresses(at, 0x24, 6, 'vf_bar'),
    le32(0x3c, 'migration_state_array'),
  ];
}

/** Only a port has an overlay BAR. */
function multicast(_: DataView, { express }: PciDevice): readonly Register[] {
  const isPort = express !== undefined && express.portType >= ROOT_PORT && express.portType <= 6;
  return [
    le16(0x04, 'capabilities', [count(0, 6, 'groups', (n) => n + 1), flag(15, 'ECRC regeneration')]),
    le16(0x06, 'control', [count(0, 6, 'groups', (n) => n + 1), flag(15, 'enabled')]),
    le64(0x08, 'base_address'),
    le64(0x10, 'receive'),
    le64(0x18, 'block_all'),
    le64(0x20, 'block_untranslated'),
    ...(isPort ? [le64(0x28, 'overlay_bar')] : []),
  ];
}

function pageRequestInterface(): readonly Register[] {
  return [
    le16(0x04, 'control', flags({ 0: 'enabled', 1: 'reset' })),
    le16(
      0x06,
      'status',
      flags({ 0: 'response failure', 1: 'unexpected group index', 8: 'stopped', 15: 'PASID required' }),
    ),
    le32(0x08, 'outstanding_capacity'),
    le32(0x0c, 'outstanding_allocation'),
  ];
}

/** Up to six BARs, their number in the first control register. */
function resizableBar(at: DataView): readonly Register[] {
  const registers: Register[] = [];
  const n = Math.min(bits(peek32(at, 0x08), 5, 3), 6);
  for (let i = 0; i < n; i++) {
    registers.push(
      le32(0x04 + 8 * i, `capabilities${i}`),
      le32(0x08 + 8 * i, `control${i}`, [
        count(0, 3, 'BAR'),
        count(8, 6, 'size', (size) => hex(2n ** BigInt(size + 20))),
      ]),
    );
  }
  return registers;
}

function dynamicPowerAllocation(at: DataView): readonly Register[] {
  const substates = 1 + bits(peek32(at, 0x04), 0, 5);
  return [
    le32(0x04, 'capabilities', [count(0, 5, 'substates', (n) => n + 1)]),
    le32(0x08, 'latency_indicator'),
    le16(0x0c, 'status', [count(0, 5, 'substate'), flag(8, 'control enabled')]),
    le16(0x0e, 'control', [count(0, 5, 'substate')]),
    buffer(0x10, 'power_allocation', substates),
  ];
}

/** The table of steering tags is here where location is 1. */
function tphRequester(at: DataView): readonly Register[] {
  const capabilities = peek32(at, 0x04);
  const isHere = bits(capabilities, 9, 2) === 1;
  return [
    le32(0x04, 'capabilities', [
      ...flags({ 0: 'no ST mode', 1: 'interrupt vector mode', 2: 'device specific mode', 8: 'extended' }),
      choice(9, 2, 'ST table', ['', 'ST table here', 'ST table in MSI-X']),
      count(16, 11, 'ST entries', (n) => n + 1),
    ]),
    le32(0x08, 'control', [count(0, 3, 'ST mode'), count(8, 2, 'requester', unlessZero)]),
    ...(isHere ? [buffer(0x0c, 'st_table', 2 * (1 + bits(capabilities, 16, 11)))] : []),
  ];
}

/** A value of ns, scaled by powers of 32. */
function latencyToleranceReporting(): readonly Register[] {
  const latency = (value: number) => `${bits(value, 0, 10) * 32 ** bits(value, 10, 3)} ns`;
  return [le16(0x04, 'maximum_snoop_latency', latency), le16(0x06, 'maximum_no_snoop_latency', latency)];
}

/** Registers of one lane each, `size` bytes wide. */
function laneRegisters(offset: number, name: string, size: number, device: PciDevice): readonly Register[] {
  const lanes = device.express?.maxLinkWidth ?? 0;
  return lanes === 0 ? [] : [buffer(offset, name, size * lanes)];
}

function secondaryExpress(_: DataView, device: PciDevice): readonly Register[] {
  return [
    le32(0x04, 'link_control3', flags({ 0: 'perform equalization', 1: 'equalization interrupt' })),
    le32(0x08, 'lane_error_status'),
    ...laneRegisters(0x0c, 'lane_equalization', 2, device),
  ];
}

function physicalLayer16(_: DataView, device: PciDevice): readonly Register[] {
  return [
    le32(0x04, 'capabilities'),
    le32(0x08, 'control'),
    le32(0x0c, 'status'),
    le32(0x10, 'local_parity_mismatch'),
    le32(0x14, 'first_retimer_parity_mismatch'),
    le32(0x18, 'second_retimer_parity_mismatch'),
    ...laneRegisters(0x20, 'lane_equalization', 1, device),
  ];
}

function physicalLayer32(_: DataView, device: PciDevice): readonly Register[] {
  return [
    le32(0x04, 'capabilities'),
    le32(0x08, 'control'),
    le32(0x0c, 'status'),
    le32(0x10, 'received_ts_data1'),
    le32(0x14, 'received_ts_data2'),
    le32(0x18, 'transmitted_ts_data1'),
    le32(0x1c, 'transmitted_ts_data2'),
    ...laneRegisters(0x20, 'lane_equalization', 1, device),
  ];
}

function physicalLayer64(_: DataView, device: PciDevice): readonly Register[] {
  return [
    le32(0x04, 'capabilities'),
    le32(0x08, 'control'),
    le32(0x0c, 'status'),
    ...laneRegisters(0x10, 'lane_equalization', 1, device),
  ];
}

function laneMargining(_: DataView, device: PciDevice): readonly Register[] {
  return [
    le16(0x04, 'port_capabilities', flags({ 0: 'uses driver software' })),
    le16(0x06, 'port_status', flags({ 0: 'ready', 1: 'software ready' })),
    ...laneRegisters(0x08, 'lanes', 4, device),
  ];
}

function processAddressSpace(): readonly Register[] {
  return [
    le16(0x04, 'capabilities', [...flags({ 1: 'execute', 2: 'privileged' }), count(8, 5, 'width')]),
    le16(0x06, 'control', flags({ 0: 'enabled', 1: 'execute', 2: 'privileged' })),
  ];
}

/** RP PIO registers are those of a root port with extensions. */
function downstreamPortContainment(at: DataView): readonly Register[] {
  const capabilities = peek16(at, 0x04);
  const logSize = bits(capabilities, 8, 4);
  const registers: Register[] = [
    le16(0x04, 'capabilities', [
      count(0, 5, 'interrupt message', unlessZero),
      ...flags({ 5: 'root port extensions', 6: 'poisoned TLP egress blocking', 7: 'software trigger' }),
      count(8, 4, 'RP PIO log size', unlessZero),
      flag(12, 'DL_Active ERR_COR'),
    ]),
    le16(0x06, 'control', [
      choice(0, 2, 'trigger', ['', 'on fatal', 'on fatal or non-fatal']),
      ...flags({
        2: 'completion with unsupported request',
        3: 'interrupt',
        4: 'ERR_COR',
        5: 'poisoned TLP egress blocking',
        6: 'software trigger',
        7: 'DL_Active ERR_COR',
      }),
    ]),
    le16(0x08, 'status', [
      flag(0, 'triggered'),
      count(1, 2, 'reason', unlessZero),
      ...flags({ 3: 'interrupt', 4: 'root port busy' }),
      count(5, 2, 'reason extension', unlessZero),
      count(8, 5, 'RP PIO first error', unlessZero),
    ]),
    le16(0x0a, 'source', requester),
  ];
  if (bits(capabilities, 5, 1) === 0) return registers;
  registers.push(
    le32(0x0c, 'rp_pio_status'),
    le32(0x10, 'rp_pio_mask'),
    le32(0x14, 'rp_pio_severity'),
    le32(0x18, 'rp_pio_syserror'),
    le32(0x1c, 'rp_pio_exception'),
  );
  if (logSize >= 4) registers.push(buffer(0x20, 'rp_pio_header_log', 16));
  if (logSize >= 5) registers.push(le32(0x30, 'rp_pio_impspec_log'));
  if (logSize > 5) registers.push(buffer(0x34, 'rp_pio_prefix_log', 4 * Math.min(logSize - 5, 4)));
  return registers;
}

const SUBSTATES = flags({ 0: 'PCI-PM L1.2', 1: 'PCI-PM L1.1', 2: 'ASPM L1.2', 3: 'ASPM L1.1' });

function l1Substates(at: DataView): readonly Register[] {
  const version = bits(peek32(at, 0x00), 16, 4);
  return [
    le32(0x04, 'capabilities', [
      ...SUBSTATES,
      flag(4, 'L1 PM substates'),
      count(8, 8, 'common mode restore', (n) => `${n} us`),
    ]),
    le32(0x08, 'control1', [...SUBSTATES, count(8, 8, 'common mode restore', (n) => `${n} us`)]),
    le32(0x0c, 'control2'),
    ...(version >= 2 ? [le32(0x10, 'status')] : []),
  ];
}

function precisionTimeMeasurement(): readonly Register[] {
  return [
    le32(0x04, 'capabilities', [
      ...flags({ 0: 'requester', 1: 'responder', 2: 'root' }),
      count(8, 8, 'granularity', (n) => (n === 0 ? undefined : `${n} ns`)),
    ]),
    le32(0x08, 'control', flags({ 0: 'enabled', 1: 'root select' })),
  ];
}

function frsQueueing(): readonly Register[] {
  return [
    le32(0x04, 'capabilities', [count(0, 12, 'queue depth'), count(16, 5, 'interrupt message', unlessZero)]),
    le16(0x08, 'status', flags({ 0: 'received', 1: 'overflow' })),
    le16(0x0a, 'control', flags({ 0: 'interrupt' })),
    le32(0x0c, 'message'),
  ];
}

function dataLinkFeature(): readonly Register[] {
  return [
    le32(0x04, 'capabilities', flags({ 0: 'scaled flow control', 31: 'exchange' })),
    le32(0x08, 'status', flags({ 0: 'scaled flow control', 31: 'valid' })),
  ];
}

const ENCLOSURE: readonly BitField[] = flags({
  2: 'OK',
  3: 'locate',
  4: 'fail',
  5: 'rebuild',
  6: 'predicted failure',
  7: 'hot spare',
  8: 'in critical array',
  9: 'in failed array',
  10: 'invalid device type',
  11: 'disabled',
});

function enclosureManagement(): readonly Register[] {
  return [
    le32(0x04, 'capabilities', [flag(0, 'capable'), flag(1, 'reset'), ...ENCLOSURE]),
    le32(0x08, 'control', [flag(0, 'enabled'), flag(1, 'reset'), ...ENCLOSURE]),
    le32(0x0c, 'status', flags({ 0: 'command completed' })),
  ];
}

function dataObjectExchange(): readonly Register[] {
  return [
    le32(0x04, 'capabilities', [flag(0, 'interrupt'), count(1, 11, 'interrupt message', unlessZero)]),
    le32(0x08, 'control', flags({ 0: 'abort', 1: 'interrupt', 31: 'go' })),
    le32(0x0c, 'status', flags({ 0: 'busy', 1: 'interrupt', 2: 'error', 31: 'data object ready' })),
    le32(0x10, 'write_mailbox'),
    le32(0x14, 'read_mailbox'),
  ];
}

function device3(): readonly Register[] {
  return [le32(0x04, 'capabilities'), le32(0x08, 'control'), le32(0x0c, 'status')];
}

function only(...registers: readonly Register[]): () => readonly Register[] {
  return () => registers;
}

/**
 * By extended capability id, all as in the PCI Express Base Specification 6.0: ids as in the PCI Code and ID Assignment
 * Specification, registers from chapter 7, of SR-IOV from chapter 9, of ATS and the page request interface from
 * chapter 10. Some that no emulated device has are named only.
 */
const extendedCapabilities: Readonly<Record<number, Capability>> = {
  0: { name: 'null', title: 'null', registers: only() },
  1: { name: 'aer', title: 'advanced error reporting', registers: advancedErrorReporting },
  2: { name: 'vc', title: 'virtual channel', registers: virtualChannel },
  3: { name: 'dsn', title: 'device serial number', registers: deviceSerialNumber },
  4: { name: 'power_budgeting', title: 'power budgeting', registers: powerBudgeting },
  5: { name: 'rc_links', title: 'root complex link declaration', registers: rootComplexLinks },
  6: {
    name: 'rc_internal_link',
    title: 'root complex internal link control',
    registers: only(le32(0x04, 'link_capabilities'), le16(0x08, 'link_control'), le16(0x0a, 'link_status')),
  },
  7: {
    name: 'rcec',
    title: 'root complex event collector association',
    registers: eventCollectorAssociation,
  },
  8: { name: 'mfvc', title: 'multi-function virtual channel', registers: virtualChannel },
  9: { name: 'vc_mfvc', title: 'virtual channel beside MFVC', registers: virtualChannel },
  10: { name: 'rcrb', title: 'root complex register block', registers: rootComplexRegisterBlock },
  11: { name: 'vendor_specific', title: 'vendor-specific', registers: vendorSpecific },
  12: { name: 'configuration_access', title: 'configuration access correlation', registers: only() },
  13: { name: 'acs', title: 'access control services', registers: accessControlServices },
  14: { name: 'ari', title: 'alternative routing-ID interpretation', registers: alternativeRoutingId },
  15: { name: 'ats', title: 'address translation services', registers: addressTranslationServices },
  16: { name: 'sriov', title: 'single root I/O virtualization', registers: singleRootIov },
  17: { name: 'mriov', title: 'multi-root I/O virtualization', registers: only() },
  18: { name: 'multicast', title: 'multicast', registers: multicast },
  19: { name: 'pri', title: 'page request interface', registers: pageRequestInterface },
  21: { name: 'resizable_bar', title: 'resizable BAR', registers: resizableBar },
  22: { name: 'dpa', title: 'dynamic power allocation', registers: dynamicPowerAllocation },
  23: { name: 'tph', title: 'TPH requester', registers: tphRequester },
  24: { name: 'ltr', title: 'latency tolerance reporting', registers: latencyToleranceReporting },
  25: { name: 'secondary_pcie', title: 'secondary PCI Express', registers: secondaryExpress },
  26: { name: 'pmux', title: 'protocol multiplexing', registers: only() },
  27: { name: 'pasid', title: 'process address space ID', registers: processAddressSpace },
  28: { name: 'lnr', title: 'LN requester', registers: only() },
  29: { name: 'dpc', title: 'downstream port containment', registers: downstreamPortContainment },
  30: { name: 'l1_substates', title: 'L1 PM substates', registers: l1Substates },
  31: { name: 'ptm', title: 'precision time measurement', registers: precisionTimeMeasurement },
  32: { name: 'mpcie', title: 'PCI Express over M-PHY', registers: only() },
  33: { name: 'frs_queueing', title: 'FRS queueing', registers: frsQueueing },
  34: { name: 'readiness_time', title: 'readiness time reporting', registers: only() },
  35: { name: 'dvsec', title: 'designated vendor-specific', registers: designatedVendorSpecific },
  36: { name: 'vf_resizable_bar', title: 'VF resizable BAR', registers: resizableBar },
  37: { name: 'data_link_feature', title: 'data link feature', registers: dataLinkFeature },
  38: { name: 'physical_16gt', title: 'physical layer 16 GT/s', registers: physicalLayer16 },
  39: { name: 'lane_margining', title: 'lane margining at the receiver', registers: laneMargining },
  40: { name: 'hierarchy_id', title: 'hierarchy ID', registers: only() },
  41: { name: 'npem', title: 'native PCIe enclosure management', registers: enclosureManagement },
  42: { name: 'physical_32gt', title: 'physical layer 32 GT/s', registers: physicalLayer32 },
  43: { name: 'alternate_protocol', title: 'alternate protocol', registers: only() },
  44: { name: 'sfi', title: 'system firmware intermediary', registers: only() },
  45: { name: 'shadow_functions', title: 'shadow functions', registers: only() },
  46: { name: 'doe', title: 'data object exchange', registers: dataObjectExchange },
  47: { name: 'device3', title: 'device 3', registers: device3 },
  48: { name: 'ide', title: 'integrity and data encryption', registers: only() },
  49: { name: 'physical_64gt', title: 'physical layer 64 GT/s', registers: physicalLayer64 },
  50: { name: 'flit_logging', title: 'flit logging', registers: only() },
  51: { name: 'flit_performance', title: 'flit performance measurement', registers: only() },
  52: { name: 'flit_error_injection', title: 'flit error injection', registers: only() },
};

/** What an extended capability of an id is. */
export function pciExtendedCapability(id: number): Capability {
  return (
    extendedCapabilities[id] ?? { name: `unknown_${id.toString(16)}`, title: 'unknown', registers: only() }
  );
}
