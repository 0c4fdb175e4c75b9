/** Pairs of command lines that differ in one thing, for the cases of loads.mjs. */

import { asDestination, drives, machineOf, number, ROOT_PORTS, VERSIONS } from './load-sets.mjs';

/** @typedef {import("./loads.mjs").LoadCase} LoadCase */
/** @typedef {import("./loads.mjs").Machine} Machine */
/** @typedef {import("./load-sets.mjs").DeviceSet} DeviceSet */

/**
 * Two command lines that differ in one thing; each is the source once and the destination once.
 *
 * @typedef {object} Difference
 * @property {string} kind
 * @property {string} name
 * @property {[DeviceSet, DeviceSet]} sets
 * @property {[string, string]} pins
 * @property {string[]} versions
 */

/** @type {Difference[]} */
const differences = [];

/**
 * @typedef {object} Base
 * @property {string} family
 * @property {string} target
 * @property {string} args
 * @property {string} pin
 * @property {string[]} versions
 * @property {number} runMs
 */

/** @type {Base} */
const PC = {
  family: 'pc-i440fx',
  target: 'x86_64',
  args: '-m 32 -nodefaults',
  pin: '5.2',
  versions: VERSIONS,
  runMs: 1000,
};
/** @type {Base} */
const Q35 = { ...PC, family: 'pc-q35' };
/** @type {Base} */
const ARM = { ...PC, family: 'virt', target: 'aarch64', args: '-m 32 -nodefaults', runMs: 300 };
/** @type {Base} */
const RISCV = { ...ARM, target: 'riscv64', pin: '' };
/** Its firmware ends QEMU where there is nothing to boot. @type {Base} */
const S390 = {
  ...PC,
  family: 's390-ccw-virtio',
  target: 's390x',
  args: '-m 128 -nodefaults -no-shutdown',
};
/** @type {Base} */
const PSERIES = { ...PC, family: 'pseries', target: 'ppc64', args: '-m 256 -nodefaults' };

/**
 * One of the two: arguments, and in front of them what follows the machine type (`,hpet=off -device …`).
 *
 * @typedef {string | { args: string, pin?: string, family?: string, more?: Partial<Machine>, base?: string }} Side
 */

/**
 * @param {string} kind
 * @param {string} name
 * @param {Base} base
 * @param {Side} a
 * @param {Side} b
 * @param {{ versions?: string[], pin?: string }} [limits]
 */
function differ(kind, name, base, a, b, limits = {}) {
  const { versions = base.versions, pin = base.pin } = limits;
  const sides = /** @type {const} */ ([a, b]).map((side) => {
    const given = typeof side === 'string' ? { args: side } : side;
    const [, options = '', args = ''] = /^(,\S*)?\s*(.*)$/.exec(given.args) ?? [];
    const set = {
      ...{ name, target: base.target, family: given.family ?? base.family, versions, pins: [], options },
      args: `${given.base ?? base.args} ${args}`,
      more: { runMs: base.runMs, ...given.more },
    };
    return { set, pin: given.pin ?? pin };
  });
  const [first, second] = sides;
  if (!first || !second) return;
  differences.push({ kind, name, sets: [first.set, second.set], pins: [first.pin, second.pin], versions });
}

/** Both ways by one version, one way by others and between two. @param {Difference} difference @returns {LoadCase[]} */
function bothWays({ kind, name, sets: [a, b], pins: [pinA, pinB], versions }) {
  const has = (/** @type {string} */ version) =>
    [pinA, pinB].every((pin) => pin === '' || number(version) >= number(pin)) && versions.includes(version);
  /** @type {["ab" | "ba", string, string][]} */
  const ways = [
    ['ab', '7.2', '7.2'],
    ['ba', '7.2', '7.2'],
    ['ab', '11.1', '11.1'],
    ['ba', '5.2', '10.0'],
  ];
  if (!has('11.1')) ways.push(['ab', '10.0', '10.0']);
  if (!has('10.0')) ways.push(['ba', '11.1', '11.1']);
  else if (!has('7.2')) ways.push(['ab', '10.0', '10.0'], ['ba', '10.0', '11.1']);
  else if (!has('5.2')) ways.push(['ba', '7.2', '10.0']);
  return ways
    .filter(([, from, to]) => has(from) && has(to))
    .map(([way, from, to]) => {
      const first = { set: a, pin: pinA };
      const second = { set: b, pin: pinB };
      const [source, destination] = way === 'ab' ? [first, second] : [second, first];
      return {
        id: `${name} ${way} ${from} to ${to}`,
        set: name,
        kind,
        source: machineOf(source.set, source.pin || undefined, from),
        destination: asDestination(machineOf(destination.set, destination.pin || undefined, to)),
      };
    });
}

const NO_ROM = 'romfile=';
/** For what 11.1 does not have any more. */
const UNTIL_10 = { versions: ['5.2', '7.2', '10.0'] };
/** For what 5.2 does not have. */
const FROM_72 = { pin: '7.2', versions: ['7.2', '10.0', '11.1'] };
/** For what 7.2 does not have. */
const FROM_10 = { pin: '7.2', versions: ['10.0', '11.1'] };

// A device that one side does not have.
for (const [name, base, device, before = ''] of /** @type {[string, Base, string, string?][]} */ ([
  ['rtl8139', PC, `-device rtl8139,${NO_ROM}`],
  ['e1000e', Q35, `-device e1000e,${NO_ROM}`],
  ['virtio-net', Q35, `-device virtio-net-pci,${NO_ROM}`],
  ['virtio-rng', PC, '-device virtio-rng-pci'],
  ['virtio-blk', Q35, `${drives(0)} -device virtio-blk-pci,drive=d0`],
  ['usb-tablet', Q35, '-device usb-tablet,bus=x.0', '-device qemu-xhci,id=x'],
  ['usb-hub', PC, '-device usb-hub,bus=u.0', '-device piix3-usb-uhci,id=u'],
  [
    'second-serial',
    PC,
    '-chardev null,id=c1 -device isa-serial,chardev=c1',
    '-chardev null,id=c0 -device isa-serial,chardev=c0',
  ],
  ['parallel', PC, '-chardev null,id=c0 -device isa-parallel,chardev=c0'],
  ['ide-cd', Q35, '-device ide-cd,bus=ide.0'],
  ['ide-cd-pc', PC, '-device ide-cd,bus=ide.1'],
  ['root-port', Q35, '-device pcie-root-port,id=rp,chassis=1,slot=1'],
  ['floppy', PC, `${drives(0)} -device floppy,bus=f.0,drive=d0`, '-device isa-fdc,id=f'],
  ['fdc', PC, '-device isa-fdc'],
  ['hda-codec', Q35, '-device hda-micro,audiodev=a', '-audiodev none,id=a -device ich9-intel-hda'],
  ['vmcoreinfo', Q35, '-device vmcoreinfo'],
  ['vmgenid', Q35, '-device vmgenid,guid=auto'],
  ['pvpanic', PC, '-device pvpanic'],
  ['i6300esb', Q35, '-device i6300esb'],
  ['edu', Q35, '-device edu'],
  ['ramfb', Q35, '-device ramfb'],
  ['vga', PC, '-device VGA,vgamem_mb=1,romfile='],
  ['ipmi', PC, '-device ipmi-bmc-sim,id=b -device isa-ipmi-kcs,bmc=b'],
  ['scsi-disk', PC, `${drives(0)} -device scsi-hd,bus=s.0,drive=d0`, '-device lsi53c895a,id=s'],
  ['slirp', PC, '-netdev user,id=n', ''],
  [
    'pc-dimm',
    Q35,
    '-object memory-backend-ram,id=m0,size=16M -device pc-dimm,memdev=m0',
    '-m 32,slots=2,maxmem=1G',
  ],
  ['intel-iommu', Q35, '-device intel-iommu'],
  [
    'port',
    Q35,
    '-chardev null,id=c -device virtserialport,bus=v.0,chardev=c,name=a',
    '-device virtio-serial-pci,id=v',
  ],
  ['mouse', Q35, '-device vmmouse', ',vmport=on'],
])) {
  if (name === 'mouse') continue;
  differ('device missing', `missing-${name}`, base, `${before} ${device}`, before);
}

// A device at another place, or another one at its place.
for (const [name, base, a, b] of /** @type {[string, Base, string, string][]} */ ([
  ['e1000-slot', PC, `-device e1000,addr=4,${NO_ROM}`, `-device e1000,addr=5,${NO_ROM}`],
  ['virtio-slot', Q35, '-device virtio-rng-pci,addr=4', '-device virtio-rng-pci,addr=6'],
  [
    'function',
    PC,
    '-device virtio-rng-pci,addr=4.1 -device virtio-balloon-pci,addr=4.0,multifunction=on',
    '-device virtio-rng-pci,addr=4.2 -device virtio-balloon-pci,addr=4.0,multifunction=on',
  ],
  [
    'two-swapped',
    PC,
    '-device virtio-rng-pci,addr=4 -device virtio-balloon-pci,addr=5',
    '-device virtio-balloon-pci,addr=4 -device virtio-rng-pci,addr=5',
  ],
  [
    'root-ports-swapped',
    Q35,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1`,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp2`,
  ],
  [
    'usb-port',
    Q35,
    '-device qemu-xhci,id=x -device usb-tablet,bus=x.0,port=1',
    '-device qemu-xhci,id=x -device usb-tablet,bus=x.0,port=2',
  ],
  [
    'scsi-id',
    PC,
    `${drives(0)} -device virtio-scsi-pci,id=s -device scsi-hd,bus=s.0,scsi-id=1,drive=d0`,
    `${drives(0)} -device virtio-scsi-pci,id=s -device scsi-hd,bus=s.0,scsi-id=2,drive=d0`,
  ],
  [
    'ide-unit',
    PC,
    `${drives(0)} -device ide-hd,bus=ide.0,unit=0,drive=d0`,
    `${drives(0)} -device ide-hd,bus=ide.1,unit=0,drive=d0`,
  ],
  [
    'ahci-port',
    Q35,
    `${drives(0)} -device ide-hd,bus=ide.0,drive=d0`,
    `${drives(0)} -device ide-hd,bus=ide.3,drive=d0`,
  ],
  [
    'order',
    PC,
    `-device e1000,addr=4,${NO_ROM} -device rtl8139,addr=5,${NO_ROM}`,
    `-device rtl8139,addr=5,${NO_ROM} -device e1000,addr=4,${NO_ROM}`,
  ],
  [
    'isa-serial-order',
    PC,
    '-chardev null,id=c0 -chardev null,id=c1 -device isa-serial,chardev=c0,index=0 -device isa-serial,chardev=c1,index=1',
    '-chardev null,id=c0 -chardev null,id=c1 -device isa-serial,chardev=c0,index=1 -device isa-serial,chardev=c1,index=0',
  ],
  [
    'isa-serial-index',
    PC,
    '-chardev null,id=c0 -device isa-serial,chardev=c0,index=0',
    '-chardev null,id=c0 -device isa-serial,chardev=c0,index=2',
  ],
])) {
  differ('other place', `place-${name}`, base, a, b);
}
for (const [name, base, a, b] of /** @type {[string, Base, string, string][]} */ ([
  ['nic', PC, `-device e1000,addr=4,${NO_ROM}`, `-device rtl8139,addr=4,${NO_ROM}`],
  ['e1000', PC, `-device e1000,addr=4,${NO_ROM}`, `-device e1000-82545em,addr=4,${NO_ROM}`],
  ['eepro100', PC, `-device i82551,addr=4,${NO_ROM}`, `-device i82557b,addr=4,${NO_ROM}`],
  ['vga', PC, '-device VGA,vgamem_mb=4,romfile=', '-device cirrus-vga,vgamem_mb=4,romfile='],
  ['virtio', PC, '-device virtio-rng-pci,addr=4', '-device virtio-balloon-pci,addr=4'],
  [
    'transitional',
    PC,
    '-device virtio-rng-pci-transitional,addr=4',
    '-device virtio-rng-pci-non-transitional,addr=4',
  ],
  ['xhci', Q35, '-device qemu-xhci,addr=4', '-device nec-usb-xhci,addr=4'],
  [
    'scsi-disk',
    PC,
    `${drives(0)} -device virtio-scsi-pci,id=s -device scsi-hd,bus=s.0,drive=d0`,
    `${drives(0)} -device virtio-scsi-pci,id=s -device scsi-cd,bus=s.0,drive=d0`,
  ],
  [
    'ide-drive',
    Q35,
    `${drives(0)} -device ide-hd,bus=ide.0,drive=d0`,
    `${drives(0)} -device ide-cd,bus=ide.0,drive=d0`,
  ],
  [
    'usb-hid',
    Q35,
    '-device qemu-xhci,id=x -device usb-tablet,bus=x.0',
    '-device qemu-xhci,id=x -device usb-kbd,bus=x.0',
  ],
  ['lsi', PC, '-device lsi53c895a,addr=4', '-device lsi53c810,addr=4'],
  ['megasas', Q35, '-device megasas,addr=4', '-device megasas-gen2,addr=4'],
  [
    'hda',
    Q35,
    '-audiodev none,id=a -device ich9-intel-hda -device hda-duplex,audiodev=a',
    '-audiodev none,id=a -device ich9-intel-hda -device hda-output,audiodev=a',
  ],
  ['hda-controller', Q35, '-device ich9-intel-hda,addr=4', '-device intel-hda,addr=4'],
  ['uhci', PC, '-device piix3-usb-uhci,addr=4', '-device ich9-usb-uhci1,addr=4'],
  [
    'virtio-net-legacy',
    PC,
    `-device virtio-net-pci,addr=4,${NO_ROM}`,
    `-device virtio-net-pci-non-transitional,addr=4,${NO_ROM}`,
  ],
  ['bochs', Q35, '-device bochs-display,addr=4,romfile=', '-device secondary-vga,addr=4,romfile='],
])) {
  differ('other device', `device-${name}`, base, a, b);
}

// Counts: queues, vectors, ports, CPUs.
for (const [name, base, a, b] of /** @type {[string, Base, string, string][]} */ ([
  [
    'blk-num-queues',
    Q35,
    `${drives(0)} -device virtio-blk-pci,drive=d0,num-queues=1`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,num-queues=4`,
  ],
  [
    'blk-queues-same-vectors',
    Q35,
    `${drives(0)} -device virtio-blk-pci,drive=d0,num-queues=2,vectors=6`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,num-queues=4,vectors=6`,
  ],
  [
    'blk-queue-size',
    Q35,
    `${drives(0)} -device virtio-blk-pci,drive=d0,queue-size=256`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,queue-size=64`,
  ],
  ['scsi-num-queues', PC, '-device virtio-scsi-pci,num_queues=1', '-device virtio-scsi-pci,num_queues=4'],
  [
    'scsi-virtqueue-size',
    PC,
    '-device virtio-scsi-pci,virtqueue_size=256',
    '-device virtio-scsi-pci,virtqueue_size=128',
  ],
  [
    'net-rx-queue-size',
    Q35,
    `-device virtio-net-pci,${NO_ROM}`,
    `-device virtio-net-pci,rx_queue_size=512,${NO_ROM}`,
  ],
  [
    'net-vectors',
    Q35,
    `-device virtio-net-pci,vectors=3,${NO_ROM}`,
    `-device virtio-net-pci,vectors=5,${NO_ROM}`,
  ],
  ['net-no-msix', Q35, `-device virtio-net-pci,${NO_ROM}`, `-device virtio-net-pci,vectors=0,${NO_ROM}`],
  ['serial-max-ports', PC, '-device virtio-serial-pci,max_ports=31', '-device virtio-serial-pci,max_ports=4'],
  ['gpu-outputs', Q35, '-device virtio-gpu-pci,max_outputs=1', '-device virtio-gpu-pci,max_outputs=2'],
  ['xhci-ports', Q35, '-device qemu-xhci,p2=4,p3=4', '-device qemu-xhci,p2=8,p3=8'],
  ['xhci-slots', Q35, '-device nec-usb-xhci,slots=64', '-device nec-usb-xhci,slots=32'],
  ['xhci-interrupters', Q35, '-device nec-usb-xhci,intrs=16', '-device nec-usb-xhci,intrs=4'],
  ['megasas-cmds', PC, '-device megasas,max_cmds=1000', '-device megasas,max_cmds=500'],
  [
    'hub-ports',
    PC,
    '-device piix3-usb-uhci,id=u -device usb-hub,bus=u.0,ports=8',
    '-device piix3-usb-uhci,id=u -device usb-hub,bus=u.0,ports=4',
  ],
  [
    'fdc-drives',
    PC,
    '-device isa-fdc,id=f -device floppy,bus=f.0,unit=0',
    '-device isa-fdc,id=f -device floppy,bus=f.0,unit=0 -device floppy,bus=f.0,unit=1',
  ],
  ['ehci-frames', Q35, '-device usb-ehci,maxframes=128', '-device usb-ehci,maxframes=64'],
  ['cpus', PC, '-smp 1', '-smp 2'],
  ['cpus-q35', Q35, '-smp 2', '-smp 4'],
  ['max-cpus', Q35, '-smp 1,maxcpus=2', '-smp 1,maxcpus=4'],
  ['cpu-topology', Q35, '-smp 4,sockets=4,cores=1,threads=1', '-smp 4,sockets=1,cores=2,threads=2'],
])) {
  differ(name.includes('cpu') ? 'CPU count' : 'other count', `count-${name}`, base, a, b);
}

for (const [name, a, b] of /** @type {[string, string, string][]} */ ([
  ['nvme-queues', 'max_ioqpairs=64', 'max_ioqpairs=8'],
  ['nvme-vectors', 'msix_qsize=65', 'msix_qsize=17'],
  ['nvme-id', 'use-intel-id=off', 'use-intel-id=on'],
  ['nvme-serial', 'serial=a', 'serial=b'],
])) {
  const nvme = `${drives(0)} -device nvme,drive=d0`;
  const limits = { pin: '10.0', versions: ['11.1'] };
  const serial = name === 'nvme-serial' ? '' : ',serial=a';
  differ('other count', `count-${name}`, Q35, `${nvme}${serial},${a}`, `${nvme}${serial},${b}`, limits);
}

differ(
  'other count',
  'count-rng-vectors',
  PC,
  '-device virtio-rng-pci,vectors=2',
  '-device virtio-rng-pci,vectors=4',
  FROM_72,
);

// CPU models.
for (const [name, base, a, b] of /** @type {[string, Base, string, string][]} */ ([
  ['qemu64-max', PC, '-cpu qemu64', '-cpu max'],
  ['qemu64-nehalem', Q35, '-cpu qemu64', '-cpu Nehalem'],
  ['nehalem-skylake', Q35, '-cpu Nehalem', '-cpu Skylake-Client'],
  ['486-qemu32', PC, '-cpu 486', '-cpu qemu32'],
  ['epyc-max', PC, '-cpu EPYC', '-cpu max'],
  ['apic-off', PC, '-cpu qemu64', '-cpu qemu64,-apic'],
  ['pku', Q35, '-cpu Nehalem', '-cpu Nehalem,+pku,+xsave'],
  ['mpx', Q35, '-cpu max', '-cpu max,-mpx'],
  ['smap', Q35, '-cpu max', '-cpu max,-smap,-smep'],
  ['vme', PC, '-cpu qemu64', '-cpu qemu64,vendor=AuthenticAMD,family=6'],
])) {
  differ('CPU model', `cpu-${name}`, base, a, b);
}

// Memory: RAM blocks and BARs.
for (const [name, base, a, b] of /** @type {[string, Base, Side, Side][]} */ ([
  ['size', PC, { args: '', base: '-m 32 -nodefaults' }, { args: '', base: '-m 64 -nodefaults' }],
  ['size-q35', Q35, { args: '', base: '-m 64 -nodefaults' }, { args: '', base: '-m 48 -nodefaults' }],
  ['slots', Q35, '-m 32,slots=2,maxmem=1G', '-m 32,slots=4,maxmem=1G'],
  ['maxmem', Q35, '-m 32', '-m 32,slots=4,maxmem=1G'],
  [
    'dimm-size',
    Q35,
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device pc-dimm,memdev=m0',
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=32M -device pc-dimm,memdev=m0',
  ],
  [
    'dimm-name',
    Q35,
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device pc-dimm,memdev=m0',
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=mem0,size=16M -device pc-dimm,memdev=mem0',
  ],
  [
    'dimm-address',
    Q35,
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device pc-dimm,memdev=m0',
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device pc-dimm,memdev=m0,addr=0x110000000',
  ],
  ['backend', PC, '', ',memory-backend=ram0 -object memory-backend-ram,id=ram0,size=32M'],
  ['vgamem', PC, '-device VGA,vgamem_mb=2,romfile=', '-device VGA,vgamem_mb=4,romfile='],
  ['cirrus-vgamem', PC, '-device cirrus-vga,vgamem_mb=4,romfile=', '-device cirrus-vga,vgamem_mb=8,romfile='],
  [
    'bochs-vgamem',
    Q35,
    '-device bochs-display,vgamem=4M,romfile=',
    '-device bochs-display,vgamem=8M,romfile=',
  ],
  [
    'ivshmem',
    Q35,
    '-object memory-backend-ram,id=m,size=1M -device ivshmem-plain,memdev=m,master=on',
    '-object memory-backend-ram,id=m,size=4M -device ivshmem-plain,memdev=m,master=on',
  ],
  [
    'ivshmem-name',
    Q35,
    '-object memory-backend-ram,id=m,size=1M -device ivshmem-plain,memdev=m,master=on',
    '-object memory-backend-ram,id=shm,size=1M -device ivshmem-plain,memdev=shm,master=on',
  ],
  ['rom', PC, '-device e1000', '-device e1000,romfile='],
  ['rom-bar', PC, '-device e1000', '-device e1000,rombar=0'],
  ['rom-virtio', Q35, '-device virtio-net-pci', '-device virtio-net-pci,romfile='],
  [
    'rom-other',
    PC,
    { args: '-device e1000,romfile=rom.bin', more: { files: { 'rom.bin': 'zero:16K' } } },
    { args: '-device e1000,romfile=rom.bin', more: { files: { 'rom.bin': 'zero:200K' } } },
  ],
  [
    'bios',
    PC,
    { args: '-bios bios.bin', more: { files: { 'bios.bin': 'zero:128K' } } },
    { args: '-bios bios.bin', more: { files: { 'bios.bin': 'zero:256K' } } },
  ],
  ['bios-padded', PC, '', { args: '-bios bios.bin', more: { files: { 'bios.bin': 'zero:128K' } } }],
  [
    'nvdimm-size',
    PC,
    ',nvdimm=on -m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device nvdimm,memdev=m0',
    ',nvdimm=on -m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=8M -device nvdimm,memdev=m0',
  ],
  [
    'nvdimm-label',
    PC,
    ',nvdimm=on -m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device nvdimm,memdev=m0',
    ',nvdimm=on -m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device nvdimm,memdev=m0,label-size=128K',
  ],
  [
    'pmem-size',
    Q35,
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=2M -device virtio-pmem-pci,memdev=m0',
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=4M -device virtio-pmem-pci,memdev=m0',
  ],
  [
    'virtio-mem-requested',
    Q35,
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device virtio-mem-pci,memdev=m0,requested-size=0',
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device virtio-mem-pci,memdev=m0,requested-size=8M',
  ],
  [
    'virtio-mem-size',
    Q35,
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device virtio-mem-pci,memdev=m0',
    '-m 32,slots=2,maxmem=1G -object memory-backend-ram,id=m0,size=32M -device virtio-mem-pci,memdev=m0',
  ],
  [
    'numa',
    Q35,
    '',
    '-object memory-backend-ram,id=n0,size=16M -object memory-backend-ram,id=n1,size=16M -numa node,memdev=n0 -numa node,memdev=n1',
  ],
])) {
  differ('memory', `memory-${name}`, base, a, b);
}

// Properties that switch features, subsections or capabilities on and off.
for (const [
  name,
  base,
  a,
  b,
  limits = {},
] of /** @type {[string, Base, Side, Side, { pin?: string, versions?: string[] }?][]} */ ([
  ['hpet', Q35, '', '-no-hpet', { versions: ['5.2', '7.2'] }],
  ['hpet-machine', Q35, '', ',hpet=off', FROM_72],
  ['smm', Q35, '', ',smm=off'],
  ['vmport', PC, ',vmport=on', ',vmport=off'],
  ['vmport-mouse', PC, ',vmport=on', ',vmport=off -device i8042', { versions: [] }],
  ['pit', PC, '', ',pit=off'],
  ['sata', Q35, '', ',sata=off'],
  ['smbus', Q35, '', ',smbus=off'],
  ['usb', PC, '', ',usb=on'],
  ['acpi', PC, '', '-no-acpi', { versions: ['5.2', '7.2'] }],
  ['acpi-machine', Q35, '', ',acpi=off'],
  ['nvdimm', PC, '', ',nvdimm=on'],
  ['kernel-irqchip', PC, '', ',kernel-irqchip=off'],
  ['i8042', PC, '', ',i8042=off', FROM_72],
  ['dump-guest-core', PC, '', ',dump-guest-core=off'],
  ['hotplug-bridges', PC, '', '-global PIIX4_PM.acpi-pci-hotplug-with-bridge-support=off'],
  ['root-hotplug', PC, '', '-global PIIX4_PM.acpi-root-pci-hotplug=off'],
  ['memory-hotplug-piix', PC, '', '-global PIIX4_PM.memory-hotplug-support=on', { versions: [] }],
  [
    'hotplug-q35',
    Q35,
    '',
    '-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=on',
    { pin: '5.2', versions: ['7.2', '10.0', '11.1'] },
  ],
  ['hotplug-q35-off', Q35, '', '-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off', FROM_72],
  ['s3', PC, '', '-global PIIX4_PM.disable_s3=1'],
  ['s3-q35', Q35, '', '-global ICH9-LPC.disable_s3=1 -global ICH9-LPC.disable_s4=1'],
  ['smm-piix', PC, '', '-global PIIX4_PM.smm-enabled=on', { versions: [] }],
  ['vapic', PC, '', '-global apic-common.vapic=off'],
  ['fw-cfg-dma', Q35, '', '-global fw_cfg_io.dma_enabled=off', UNTIL_10],
  ['fw-cfg-files', PC, '', { args: '-fw_cfg name=opt/a,string=b' }],
  ['disable-modern', PC, '-device virtio-rng-pci', '-device virtio-rng-pci,disable-modern=on'],
  [
    'disable-legacy',
    PC,
    '-device virtio-rng-pci,disable-legacy=off',
    '-device virtio-rng-pci,disable-legacy=on',
  ],
  [
    'modern-blk',
    Q35,
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,disable-modern=on`,
  ],
  [
    'packed',
    Q35,
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,packed=on`,
  ],
  [
    'iommu-platform',
    Q35,
    `-device virtio-net-pci,disable-legacy=on,${NO_ROM}`,
    `-device virtio-net-pci,disable-legacy=on,iommu_platform=on,${NO_ROM}`,
  ],
  ['mrg-rxbuf', PC, `-device virtio-net-pci,${NO_ROM}`, `-device virtio-net-pci,mrg_rxbuf=off,${NO_ROM}`],
  [
    'event-idx',
    PC,
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,event_idx=off`,
  ],
  [
    'indirect-desc',
    Q35,
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,indirect_desc=off`,
  ],
  [
    'any-layout',
    PC,
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,any_layout=off`,
  ],
  [
    'blk-features',
    PC,
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,config-wce=off,discard=off,write-zeroes=off`,
  ],
  [
    'blk-seg-max',
    Q35,
    `${drives(0)} -device virtio-blk-pci,drive=d0,seg-max-adjust=on`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,seg-max-adjust=off`,
  ],
  [
    'host-uso',
    Q35,
    `-device virtio-net-pci,${NO_ROM}`,
    `-device virtio-net-pci,host_uso=off,guest_uso4=off,guest_uso6=off,${NO_ROM}`,
    { pin: '10.0', versions: ['10.0', '11.1'] },
  ],
  [
    'net-announce',
    PC,
    `-device virtio-net-pci,${NO_ROM}`,
    `-device virtio-net-pci,guest_announce=off,${NO_ROM}`,
  ],
  ['net-ctrl-vq', PC, `-device virtio-net-pci,${NO_ROM}`, `-device virtio-net-pci,ctrl_vq=off,${NO_ROM}`],
  ['net-mtu', PC, `-device virtio-net-pci,${NO_ROM}`, `-device virtio-net-pci,host_mtu=1400,${NO_ROM}`],
  [
    'net-speed',
    PC,
    `-device virtio-net-pci,${NO_ROM}`,
    `-device virtio-net-pci,speed=1000,duplex=full,${NO_ROM}`,
  ],
  ['net-rss', Q35, `-device virtio-net-pci,${NO_ROM}`, `-device virtio-net-pci,rss=on,hash=on,${NO_ROM}`],
  [
    'net-mac',
    Q35,
    `-device virtio-net-pci,mac=52:54:00:00:00:01,${NO_ROM}`,
    `-device virtio-net-pci,mac=52:54:00:00:00:02,${NO_ROM}`,
  ],
  [
    'balloon-hint',
    PC,
    '-device virtio-balloon-pci',
    '-device virtio-balloon-pci,free-page-hint=on,iothread=t -object iothread,id=t',
  ],
  ['balloon-deflate', PC, '-device virtio-balloon-pci', '-device virtio-balloon-pci,deflate-on-oom=on'],
  [
    'balloon-reporting',
    PC,
    '-device virtio-balloon-pci,free-page-reporting=off',
    '-device virtio-balloon-pci,free-page-reporting=on',
  ],
  [
    'balloon-poison',
    Q35,
    '-device virtio-balloon-pci,page-poison=on',
    '-device virtio-balloon-pci,page-poison=off',
  ],
  ['scsi-hotplug', PC, '-device virtio-scsi-pci', '-device virtio-scsi-pci,hotplug=off,param_change=off'],
  [
    'serial-emergency',
    PC,
    '-device virtio-serial-pci',
    '-device virtio-serial-pci,emergency-write=off',
    UNTIL_10,
  ],
  [
    'virtio-flags',
    Q35,
    '-device virtio-rng-pci,modern-pio-notify=off',
    '-device virtio-rng-pci,modern-pio-notify=on',
  ],
  [
    'virtio-page-per-vq',
    Q35,
    '-device virtio-rng-pci,page-per-vq=off',
    '-device virtio-rng-pci,page-per-vq=on',
  ],
  [
    'virtio-ats',
    Q35,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1`,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1,ats=on`,
  ],
  [
    'virtio-pcie',
    Q35,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1`,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1,x-disable-pcie=on`,
    UNTIL_10,
  ],
  [
    'virtio-flr',
    Q35,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1`,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1,x-pcie-flr-init=off`,
  ],
  [
    'virtio-pm',
    Q35,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1`,
    `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1,x-pcie-pm-init=off`,
    UNTIL_10,
  ],
  [
    'virtio-migrate-extra',
    Q35,
    '-device virtio-rng-pci',
    '-device virtio-rng-pci,migrate-extra=off',
    UNTIL_10,
  ],
  ['virtio-started', Q35, '-device virtio-rng-pci', '-device virtio-rng-pci,use-started=off'],
  [
    'virtio-disabled-check',
    Q35,
    '-device virtio-rng-pci,use-disabled-flag=on',
    '-device virtio-rng-pci,use-disabled-flag=off',
  ],
  [
    'e1000-mitigation',
    PC,
    `-device e1000,${NO_ROM}`,
    `-device e1000,mitigation=off,${NO_ROM}`,
    { versions: ['5.2', '7.2'] },
  ],
  ['e1000-mac', PC, `-device e1000,${NO_ROM}`, `-device e1000,extra_mac_registers=off,${NO_ROM}`, UNTIL_10],
  ['e1000-tso', PC, `-device e1000,${NO_ROM}`, `-device e1000,migrate_tso_props=off,${NO_ROM}`],
  ['e1000e-subsys', Q35, `-device e1000e,${NO_ROM}`, `-device e1000e,subsys_ven=6900,subsys=4352,${NO_ROM}`],
  [
    'e1000e-mac',
    Q35,
    `-device e1000e,mac=52:54:00:00:00:01,${NO_ROM}`,
    `-device e1000e,mac=52:54:00:00:00:02,${NO_ROM}`,
  ],
  ['e1000e-extcap', Q35, `${ROOT_PORTS} -device e1000e,bus=rp1,${NO_ROM}`, `-device e1000e,${NO_ROM}`],
  [
    'vmxnet3-pcie',
    Q35,
    `${ROOT_PORTS} -device vmxnet3,bus=rp1,${NO_ROM}`,
    `${ROOT_PORTS} -device vmxnet3,bus=rp1,x-disable-pcie=on,${NO_ROM}`,
    UNTIL_10,
  ],
  [
    'pvscsi-pcie',
    Q35,
    `${ROOT_PORTS} -device pvscsi,bus=rp1`,
    `${ROOT_PORTS} -device pvscsi,bus=rp1,x-disable-pcie=on`,
    UNTIL_10,
  ],
  ['megasas-msix', Q35, '-device megasas,msix=on,msi=off', '-device megasas,msix=off,msi=off'],
  ['megasas-msi', Q35, '-device megasas,msix=off,msi=on', '-device megasas,msix=off,msi=off'],
  ['hda-msi', Q35, '-device ich9-intel-hda,msi=on', '-device ich9-intel-hda,msi=off'],
  ['xhci-msi', Q35, '-device nec-usb-xhci,msi=on,msix=off', '-device nec-usb-xhci,msi=off,msix=on'],
  ['xhci-streams', Q35, '-device qemu-xhci,streams=on', '-device qemu-xhci,streams=off'],
  [
    'xhci-superspeed',
    Q35,
    '-device nec-usb-xhci,superspeed-ports-first=on',
    '-device nec-usb-xhci,superspeed-ports-first=off',
    { versions: ['5.2', '7.2'] },
  ],
  [
    'usb-version',
    Q35,
    '-device qemu-xhci,id=x -device usb-tablet,bus=x.0,usb_version=2',
    '-device qemu-xhci,id=x -device usb-tablet,bus=x.0,usb_version=1',
  ],
  [
    'usb-serial',
    Q35,
    '-device qemu-xhci,id=x -device usb-tablet,bus=x.0,serial=a',
    '-device qemu-xhci,id=x -device usb-tablet,bus=x.0,serial=b',
  ],
  [
    'usb-msos',
    Q35,
    '-device qemu-xhci,id=x -device usb-kbd,bus=x.0,msos-desc=on',
    '-device qemu-xhci,id=x -device usb-kbd,bus=x.0,msos-desc=off',
  ],
  ['vga-edid', PC, '-device VGA,vgamem_mb=1,romfile=', '-device VGA,vgamem_mb=1,romfile=,edid=off'],
  ['vga-mmio', PC, '-device VGA,vgamem_mb=1,romfile=', '-device VGA,vgamem_mb=1,romfile=,mmio=off'],
  ['gpu-edid', Q35, '-device virtio-gpu-pci,edid=on', '-device virtio-gpu-pci,edid=off'],
  ['gpu-blob', Q35, '-device virtio-gpu-pci', '-device virtio-gpu-pci,blob=on', { pin: '7.2', versions: [] }],
  [
    'gpu-resolution',
    Q35,
    '-device virtio-gpu-pci,xres=1024,yres=768',
    '-device virtio-gpu-pci,xres=800,yres=600',
  ],
  [
    'root-port-hotplug',
    Q35,
    '-device pcie-root-port,chassis=1,slot=1',
    '-device pcie-root-port,chassis=1,slot=1,hotplug=off',
  ],
  [
    'root-port-power',
    Q35,
    '-device pcie-root-port,chassis=1,slot=1',
    '-device pcie-root-port,chassis=1,slot=1,power_controller_present=off',
  ],
  [
    'root-port-speed',
    Q35,
    '-device pcie-root-port,chassis=1,slot=1,x-speed=16,x-width=32',
    '-device pcie-root-port,chassis=1,slot=1,x-speed=2_5,x-width=1',
  ],
  [
    'root-port-slot',
    Q35,
    '-device pcie-root-port,chassis=1,slot=1',
    '-device pcie-root-port,chassis=2,slot=5',
  ],
  [
    'root-port-reserve',
    Q35,
    '-device pcie-root-port,chassis=1,slot=1',
    '-device pcie-root-port,chassis=1,slot=1,mem-reserve=4M,io-reserve=4K',
  ],
  [
    'root-port-acs',
    Q35,
    '-device pcie-root-port,chassis=1,slot=1',
    '-device pcie-root-port,chassis=1,slot=1,disable-acs=on',
    UNTIL_10,
  ],
  ['root-port-empty', Q35, `${ROOT_PORTS}`, `${ROOT_PORTS} -device virtio-rng-pci,bus=rp1`],
  [
    'ioh3420',
    Q35,
    '-device pcie-root-port,chassis=1,slot=1,addr=4',
    '-device ioh3420,chassis=1,slot=1,addr=4',
  ],
  ['bridge-shpc', PC, '-device pci-bridge,chassis_nr=1,shpc=on', '-device pci-bridge,chassis_nr=1,shpc=off'],
  ['bridge-msi', PC, '-device pci-bridge,chassis_nr=1,msi=on', '-device pci-bridge,chassis_nr=1,msi=off'],
  [
    'bridge-chassis',
    PC,
    '-device pci-bridge,chassis_nr=1,shpc=on',
    '-device pci-bridge,chassis_nr=2,shpc=on',
  ],
  [
    'iommu-intremap',
    Q35,
    ',kernel-irqchip=off -device intel-iommu,intremap=on',
    ',kernel-irqchip=off -device intel-iommu,intremap=off',
  ],
  ['iommu-caching', Q35, '-device intel-iommu,caching-mode=off', '-device intel-iommu,caching-mode=on'],
  ['iommu-width', Q35, '-device intel-iommu,aw-bits=39', '-device intel-iommu,aw-bits=48'],
  ['iommu-iotlb', Q35, '-device intel-iommu,device-iotlb=off', '-device intel-iommu,device-iotlb=on'],
  ['multifunction', PC, '-device virtio-rng-pci,addr=4', '-device virtio-rng-pci,addr=4,multifunction=on'],
  ['pvpanic-events', PC, '-device pvpanic', '-device pvpanic,events=1'],
  [
    'ipmi-bmc',
    PC,
    '-device ipmi-bmc-sim,id=b -device isa-ipmi-kcs,bmc=b',
    '-device ipmi-bmc-sim,id=b -device isa-ipmi-bt,bmc=b',
  ],
  [
    'ipmi-irq',
    PC,
    '-device ipmi-bmc-sim,id=b -device isa-ipmi-kcs,bmc=b,irq=5',
    '-device ipmi-bmc-sim,id=b -device isa-ipmi-kcs,bmc=b,irq=0',
  ],
  [
    'serial-iobase',
    PC,
    '-chardev null,id=c -device isa-serial,chardev=c,iobase=0x3f8',
    '-chardev null,id=c -device isa-serial,chardev=c,iobase=0x2f8',
  ],
  [
    'serial-baudbase',
    PC,
    '-chardev null,id=c -device isa-serial,chardev=c',
    '-chardev null,id=c -device isa-serial,chardev=c -global isa-serial.wakeup=on',
  ],
  ['rtc-base', PC, '-rtc base=utc', '-rtc base=2020-01-01,clock=vm'],
  ['icount', PC, '', '-icount shift=5'],
  ['uuid', PC, '-uuid 11111111-2222-3333-4444-555555555555', '-uuid 11111111-2222-3333-4444-666666666666'],
  ['name', PC, '-name one', '-name two'],
  [
    'disk-size',
    PC,
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
    { args: `${drives(0)} -device virtio-blk-pci,drive=d0`, more: { files: { 'disk0.img': 'zero:2M' } } },
  ],
  [
    'disk-readonly',
    Q35,
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
    '-drive if=none,id=d0,file=disk0.img,format=raw,readonly=on -device virtio-blk-pci,drive=d0',
  ],
  [
    'disk-serial',
    Q35,
    `${drives(0)} -device ide-hd,bus=ide.0,drive=d0,serial=a`,
    `${drives(0)} -device ide-hd,bus=ide.0,drive=d0,serial=b,ver=2`,
  ],
  [
    'disk-geometry',
    PC,
    `${drives(0)} -device ide-hd,bus=ide.0,drive=d0`,
    `${drives(0)} -device ide-hd,bus=ide.0,drive=d0,cyls=2,heads=16,secs=63`,
  ],
  [
    'disk-block-size',
    PC,
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
    `${drives(0)} -device virtio-blk-pci,drive=d0,logical_block_size=4096,physical_block_size=4096`,
  ],
  ['cd-media', PC, '-device ide-cd,bus=ide.1', `${drives(0)} -device ide-cd,bus=ide.1,drive=d0`],
  [
    'floppy-type',
    PC,
    '-device isa-fdc,id=f -device floppy,bus=f.0,drive-type=144',
    '-device isa-fdc,id=f -device floppy,bus=f.0,drive-type=288',
  ],
  ['fdc-fallback', PC, '-device isa-fdc,fallback=144', '-device isa-fdc,fallback=288'],
  ['boot', PC, '-boot order=c', '-boot order=n,menu=on'],
  ['seabios-debug', PC, '', '-chardev null,id=c -device isa-debugcon,chardev=c'],
  ['vmdesc-source', PC, ',suppress-vmdesc=on', ''],
  [
    'vmdesc-both',
    Q35,
    `,suppress-vmdesc=on -device virtio-rng-pci -device e1000e,${NO_ROM}`,
    `,suppress-vmdesc=on -device virtio-rng-pci -device e1000e,${NO_ROM}`,
  ],
  [
    'vmdesc-missing',
    Q35,
    `,suppress-vmdesc=on -device virtio-rng-pci -device e1000e,${NO_ROM}`,
    ',suppress-vmdesc=on -device virtio-rng-pci',
  ],
  [
    'vmdesc-queues',
    Q35,
    `,suppress-vmdesc=on ${drives(0)} -device virtio-blk-pci,drive=d0,num-queues=1`,
    `,suppress-vmdesc=on ${drives(0)} -device virtio-blk-pci,drive=d0,num-queues=2`,
  ],
  ['migration-config', Q35, '', '-global migration.send-configuration=off', { versions: ['5.2', '7.2'] }],
  ['migration-section-footer', Q35, '', '-global migration.send-section-footer=off'],
  ['migration-globalstate', Q35, '', '-global migration.store-global-state=off'],
  [
    'migration-decompress',
    Q35,
    '',
    '-global migration.decompress-error-check=off',
    { versions: ['5.2', '7.2'] },
  ],
  [
    'migration-all-old',
    PC,
    '',
    '-global migration.send-configuration=off -global migration.send-section-footer=off -global migration.store-global-state=off',
    { versions: ['5.2', '7.2'] },
  ],
])) {
  differ(
    name.startsWith('vmdesc') || name.startsWith('migration') ? 'stream format' : 'property',
    `property-${name}`,
    base,
    a,
    b,
    limits,
  );
}

// Machine types.
for (const [name, a, b, limits = {}] of /** @type {[string, Side, Side, { versions?: string[] }?][]} */ ([
  ['pc-q35', { args: '', family: 'pc-i440fx' }, { args: '', family: 'pc-q35' }],
  [
    'pc-versions',
    { args: '', family: 'pc-i440fx', pin: '5.2' },
    { args: '', family: 'pc-i440fx', pin: '7.2' },
    { versions: ['7.2', '10.0', '11.1'] },
  ],
  [
    'q35-versions',
    { args: '', family: 'pc-q35', pin: '6.2' },
    { args: '', family: 'pc-q35', pin: '7.2' },
    { versions: ['7.2', '10.0', '11.1'] },
  ],
  [
    'q35-neighbours',
    { args: '', family: 'pc-q35', pin: '9.2' },
    { args: '', family: 'pc-q35', pin: '10.0' },
    { versions: ['10.0', '11.1'] },
  ],
  ['pc-microvm', { args: '', family: 'pc-i440fx', pin: '5.2' }, { args: '', family: 'microvm', pin: '' }],
])) {
  differ('machine type', `machine-${name}`, PC, a, b, limits);
}

// Capabilities of migration that only one side has.
/** Without the ROM whose size is read out of memory, as memory that is shared in fact is not here. */
const SHARED =
  ',memory-backend=ram -object memory-backend-file,id=ram,size=32M,mem-path=ram0.img,share=on -global apic-common.vapic=off';
const sharedFile = { 'ram0.img': 'zero:32M' };
for (const [name, base, a, b] of /** @type {[string, Base, Side, Side][]} */ ([
  [
    'ignore-shared',
    PC,
    { args: SHARED, more: { files: sharedFile, capabilities: ['x-ignore-shared'] } },
    { args: SHARED, more: { files: sharedFile } },
  ],
  [
    'ignore-shared-both',
    PC,
    { args: SHARED, more: { files: sharedFile, capabilities: ['x-ignore-shared'] } },
    { args: SHARED, more: { files: sharedFile, capabilities: ['x-ignore-shared'] } },
  ],
  [
    'ignore-shared-not',
    PC,
    { args: SHARED, more: { files: sharedFile, capabilities: ['x-ignore-shared'] } },
    { args: '-global apic-common.vapic=off', more: { capabilities: ['x-ignore-shared'] } },
  ],
  [
    'validate-uuid',
    PC,
    { args: '-uuid 11111111-2222-3333-4444-555555555555', more: { capabilities: ['validate-uuid'] } },
    { args: '-uuid 11111111-2222-3333-4444-666666666666', more: { capabilities: ['validate-uuid'] } },
  ],
  [
    'validate-uuid-source',
    PC,
    { args: '-uuid 11111111-2222-3333-4444-555555555555', more: { capabilities: ['validate-uuid'] } },
    '-uuid 11111111-2222-3333-4444-666666666666',
  ],
  [
    'validate-uuid-same',
    Q35,
    { args: '-uuid 11111111-2222-3333-4444-555555555555', more: { capabilities: ['validate-uuid'] } },
    '-uuid 11111111-2222-3333-4444-555555555555',
  ],
  ['auto-converge', PC, { args: '', more: { capabilities: ['auto-converge'] } }, ''],
  ['events', PC, { args: '', more: { capabilities: ['events'] } }, ''],
  ['release-ram', Q35, { args: '', more: { capabilities: ['release-ram'] } }, ''],
  ['late-block-activate', Q35, { args: '', more: { capabilities: ['late-block-activate'] } }, ''],
  [
    'dirty-bitmaps',
    PC,
    { args: `${drives(0)} -device virtio-blk-pci,drive=d0`, more: { capabilities: ['dirty-bitmaps'] } },
    `${drives(0)} -device virtio-blk-pci,drive=d0`,
  ],
])) {
  differ('capability', `capability-${name}`, base, a, b);
}
const bitmap = [
  { execute: 'block-dirty-bitmap-add', arguments: { node: 'n0', name: 'b0', persistent: false } },
];
const node = (/** @type {string} */ name) =>
  `-blockdev {"driver":"raw","node-name":"${name}","file":{"driver":"file","filename":"disk0.img"}} -device virtio-blk-pci,drive=${name}`;
const disk = { 'disk0.img': 'zero:1M' };
differ(
  'capability',
  'capability-dirty-bitmap',
  PC,
  { args: node('n0'), more: { files: disk, setup: bitmap, capabilities: ['dirty-bitmaps'] } },
  { args: node('n0'), more: { files: disk, capabilities: ['dirty-bitmaps'] } },
);
differ(
  'capability',
  'capability-dirty-bitmap-node',
  PC,
  { args: node('n0'), more: { files: disk, setup: bitmap, capabilities: ['dirty-bitmaps'] } },
  { args: node('n1'), more: { files: disk, capabilities: ['dirty-bitmaps'] } },
);

// Machines of other targets.
for (const [
  name,
  base,
  a,
  b,
  limits = {},
] of /** @type {[string, Base, Side, Side, { pin?: string, versions?: string[] }?][]} */ ([
  ['gic-version', ARM, ',gic-version=2 -cpu cortex-a57', ',gic-version=3 -cpu cortex-a57'],
  ['virtualization', ARM, '-cpu cortex-a57', ',virtualization=on -cpu cortex-a57'],
  ['secure', ARM, '-cpu cortex-a57', ',secure=on -cpu cortex-a57'],
  ['its', ARM, ',gic-version=3 -cpu cortex-a57', ',gic-version=3,its=off -cpu cortex-a57'],
  ['highmem', ARM, '-cpu cortex-a57', ',highmem=off -cpu cortex-a57'],
  ['cpu', ARM, '-cpu cortex-a57', '-cpu cortex-a53'],
  ['cpu-a72', ARM, '-cpu cortex-a72', '-cpu cortex-a57'],
  ['cpu-max', ARM, '-cpu cortex-a57', '-cpu max'],
  ['cpu-32', ARM, '-cpu cortex-a15', '-cpu cortex-a57'],
  ['cpus', ARM, '-cpu cortex-a57 -smp 1', '-cpu cortex-a57 -smp 2'],
  ['pmu', ARM, '-cpu cortex-a57', '-cpu cortex-a57,pmu=off'],
  ['sve', ARM, '-cpu max', '-cpu max,sve=off'],
  ['mte', ARM, '-cpu max', ',mte=on -cpu max'],
  [
    'memory',
    ARM,
    { args: '-cpu cortex-a57', base: '-m 32 -nodefaults' },
    { args: '-cpu cortex-a57', base: '-m 64 -nodefaults' },
  ],
  ['smmu', ARM, '-cpu cortex-a57', ',iommu=smmuv3 -cpu cortex-a57'],
  ['acpi', ARM, '-cpu cortex-a57', ',acpi=off -cpu cortex-a57'],
  [
    'mmio-slot',
    ARM,
    '-cpu cortex-a57 -device virtio-rng-device,bus=virtio-mmio-bus.0',
    '-cpu cortex-a57 -device virtio-rng-device,bus=virtio-mmio-bus.1',
  ],
  [
    'mmio-device',
    ARM,
    '-cpu cortex-a57 -device virtio-rng-device',
    '-cpu cortex-a57 -device virtio-balloon-device',
  ],
  [
    'mmio-modern',
    ARM,
    '-cpu cortex-a57 -device virtio-rng-device',
    '-cpu cortex-a57 -device virtio-rng-device -global virtio-mmio.force-legacy=false',
  ],
  ['pci-device', ARM, '-cpu cortex-a57 -device virtio-net-pci,romfile=', '-cpu cortex-a57'],
  [
    'versions',
    ARM,
    { args: '-cpu cortex-a57', pin: '5.2' },
    { args: '-cpu cortex-a57', pin: '7.2' },
    { versions: ['7.2', '10.0', '11.1'] },
  ],
  ['32-cpu', { ...ARM, target: 'arm' }, '-cpu cortex-a15', '-cpu cortex-a7'],
  ['32-lpae', { ...ARM, target: 'arm' }, '-cpu cortex-a15', ',highmem=off -cpu cortex-a15'],
])) {
  differ('arm', `arm-${name}`, base, a, b, limits);
}
for (const [
  name,
  a,
  b,
  limits = {},
] of /** @type {[string, Side, Side, { pin?: string, versions?: string[] }?][]} */ ([
  ['cpus', '-smp 1', '-smp 2'],
  ['aclint', '', ',aclint=on', { versions: ['7.2', '10.0', '11.1'] }],
  ['aia', '', ',aia=aplic', { versions: ['7.2', '10.0', '11.1'] }],
  ['aia-imsic', ',aia=aplic', ',aia=aplic-imsic', { versions: ['7.2', '10.0', '11.1'] }],
  ['vector', '-cpu rv64', '-cpu rv64,v=true', { versions: ['7.2', '10.0', '11.1'] }],
  ['hypervisor', '-cpu rv64', '-cpu rv64,h=false', { versions: ['7.2', '10.0', '11.1'] }],
  ['pmp', '-cpu rv64', '-cpu rv64,pmp=false', { versions: ['7.2', '10.0', '11.1'] }],
  ['float', '-cpu rv64', '-cpu rv64,d=false,f=false', { versions: ['7.2'] }],
  ['memory', { args: '', base: '-m 32 -nodefaults' }, { args: '', base: '-m 64 -nodefaults' }],
  ['mmio', '-device virtio-rng-device', ''],
  ['pci', '-device e1000e,romfile=', ''],
])) {
  differ('riscv', `riscv-${name}`, RISCV, a, b, limits);
}
for (const [
  name,
  a,
  b,
  limits = {},
] of /** @type {[string, Side, Side, { pin?: string, versions?: string[] }?][]} */ ([
  ['cpu', '-cpu qemu', '-cpu max'],
  ['cpu-z900', '-cpu z900', '-cpu qemu'],
  ['cpu-z13', '-cpu z13.2-base', '-cpu qemu', { versions: [] }],
  ['cpus', '-smp 1', '-smp 2'],
  ['max-cpus', '-smp 1,maxcpus=2', '-smp 1,maxcpus=4'],
  [
    'memory',
    { args: '', base: '-m 128 -nodefaults -no-shutdown' },
    { args: '', base: '-m 256 -nodefaults -no-shutdown' },
  ],
  ['devno', '-device virtio-rng-ccw,devno=fe.0.0001', '-device virtio-rng-ccw,devno=fe.0.0002'],
  ['ssid', '-device virtio-rng-ccw,devno=fe.0.0001', '-device virtio-rng-ccw,devno=fe.1.0001'],
  ['device', '-device virtio-rng-ccw', '-device virtio-balloon-ccw'],
  ['missing', '-device virtio-rng-ccw -device virtio-balloon-ccw', '-device virtio-rng-ccw'],
  ['console', '-chardev null,id=c -device sclpconsole,chardev=c', ''],
  ['revision', '-device virtio-rng-ccw', '-device virtio-rng-ccw,max_revision=0'],
  [
    'queues',
    `${drives(0)} -device virtio-blk-ccw,drive=d0,num-queues=1`,
    `${drives(0)} -device virtio-blk-ccw,drive=d0,num-queues=3`,
  ],
  ['dea-key', '', ',aes-key-wrap=off,dea-key-wrap=off'],
  ['versions', { args: '', pin: '5.2' }, { args: '', pin: '7.2' }, { versions: ['7.2', '10.0', '11.1'] }],
])) {
  differ('s390', `s390-${name}`, S390, a, b, limits);
}
for (const [
  name,
  a,
  b,
  limits = {},
] of /** @type {[string, Side, Side, { pin?: string, versions?: string[] }?][]} */ ([
  ['cap-cfpc', ',cap-cfpc=broken', ',cap-cfpc=workaround'],
  ['cap-sbbc', ',cap-sbbc=broken', ',cap-sbbc=workaround'],
  ['cap-ibs', ',cap-ibs=broken', ',cap-ibs=fixed-ibs'],
  ['cap-large-decr', ',cap-large-decr=on', ',cap-large-decr=off'],
  ['cap-ccf-assist', ',cap-ccf-assist=on', ',cap-ccf-assist=off'],
  ['cap-hpt-page', ',cap-hpt-max-page-size=64k', ',cap-hpt-max-page-size=4k'],
  ['cap-vsx', ',cap-vsx=on', ',cap-vsx=off'],
  ['cap-dfp', ',cap-dfp=on', ',cap-dfp=off'],
  ['cap-fwnmi', ',cap-fwnmi=on', ',cap-fwnmi=off'],
  ['cap-nested', '', ',cap-nested-hv=on', { versions: ['10.0', '11.1'], pin: '10.0' }],
  ['cpu', '-cpu POWER8', '-cpu POWER9'],
  ['cpu-compat', '-cpu POWER9', ',max-cpu-compat=power8 -cpu POWER9'],
  ['ic-mode', ',ic-mode=xics', ',ic-mode=xive'],
  ['ic-mode-dual', ',ic-mode=dual', ',ic-mode=xics'],
  ['cpus', '-smp 1', '-smp 2'],
  ['max-cpus', '-smp 1,maxcpus=2', '-smp 1,maxcpus=4'],
  ['memory', { args: '', base: '-m 256 -nodefaults' }, { args: '', base: '-m 512 -nodefaults' }],
  ['maxmem', '', '-m 256,slots=2,maxmem=1G'],
  ['bridge', '', '-device spapr-pci-host-bridge,index=1'],
  ['vio-reg', '-device spapr-vlan,reg=0x2000', '-device spapr-vlan,reg=0x3000'],
  ['vscsi', '-device spapr-vscsi,reg=0x2000', ''],
  ['pci', '-device virtio-net-pci,romfile=', '-device e1000,romfile='],
  ['ddw', '', '-global spapr-pci-host-bridge.ddw=off'],
  ['versions', { args: '', pin: '5.2' }, { args: '', pin: '7.2' }, { versions: ['7.2', '10.0', '11.1'] }],
])) {
  differ('pseries', `pseries-${name}`, PSERIES, a, b, limits);
}

// Registers of the PCI configuration space, by the property that sets each.
const PORT = '-device pcie-root-port,id=rp,chassis=1';
const VIRTIO_BEHIND = '-device virtio-rng-pci,bus=rp';
for (const [name, a, b, limits = {}] of /** @type {[string, string, string, typeof FROM_72?][]} */ ([
  ['error-mask', `${PORT},x-pcie-err-unc-mask=on`, `${PORT},x-pcie-err-unc-mask=off`, FROM_10],
  ['error-log', `${PORT},aer_log_max=8`, `${PORT},aer_log_max=0`],
  ['speed', `${PORT},x-speed=5`, `${PORT},x-speed=8`],
  ['width', `${PORT},x-width=8`, `${PORT},x-width=16`],
  ['slot', `${PORT},slot=1`, `${PORT},slot=2`],
  ['port', `${PORT},port=1`, `${PORT},port=2`],
  ['hotplug', `${PORT},hotplug=on`, `${PORT},hotplug=off`],
  ['power', `${PORT},power_controller_present=on`, `${PORT},power_controller_present=off`, FROM_72],
  ['extended-tags', `${PORT},x-pcie-ext-tag=on`, `${PORT},x-pcie-ext-tag=off`, FROM_10],
  ['multifunction', '-device virtio-rng-pci,multifunction=on', '-device virtio-rng-pci'],
  ['reset', `${PORT} ${VIRTIO_BEHIND},x-pcie-flr-init=on`, `${PORT} ${VIRTIO_BEHIND},x-pcie-flr-init=off`],
  ['error-reports', `${PORT} ${VIRTIO_BEHIND},aer=on`, `${PORT} ${VIRTIO_BEHIND},aer=off`, FROM_72],
  ['translation', `${PORT} ${VIRTIO_BEHIND},ats=on`, `${PORT} ${VIRTIO_BEHIND},ats=off`],
  [
    'soft-reset',
    `${PORT} ${VIRTIO_BEHIND},x-pcie-pm-no-soft-reset=on`,
    `${PORT} ${VIRTIO_BEHIND},x-pcie-pm-no-soft-reset=off`,
    FROM_10,
  ],
  [
    'aligned',
    `${PORT} ${VIRTIO_BEHIND},ats=on,x-ats-page-aligned=on`,
    `${PORT} ${VIRTIO_BEHIND},ats=on,x-ats-page-aligned=off`,
    FROM_72,
  ],
  [
    'next-function',
    `${PORT} -device igb,bus=rp,${NO_ROM},x-pcie-ari-nextfn-1=on`,
    `${PORT} -device igb,bus=rp,${NO_ROM},x-pcie-ari-nextfn-1=off`,
    FROM_10,
  ],
  [
    'serial-number',
    `${PORT} -device e1000e,bus=rp,${NO_ROM},mac=52:54:00:00:00:01`,
    `${PORT} -device e1000e,bus=rp,${NO_ROM},mac=52:54:00:00:00:02`,
  ],
])) {
  differ('PCI registers', `register-${name}`, Q35, a, b, limits);
}

/** @returns {LoadCase[]} */
export function differenceCases() {
  return differences.flatMap(bothWays);
}
