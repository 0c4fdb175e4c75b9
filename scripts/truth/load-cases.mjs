/**
 * The cases of loads.mjs: sets of devices, each loaded by every QEMU that has the machine type; pairs of command lines
 * that differ in one thing, loaded both ways; and streams with one thing damaged.
 */

/** @typedef {import("./loads.mjs").LoadCase} LoadCase */
/** @typedef {import("./loads.mjs").Machine} Machine */
/** @typedef {import("./load-damage.mjs").Damage} Damage */

const VERSIONS = ['5.2', '7.2', '10.0', '11.1'];
/** Long enough for SeaBIOS to try to boot. */
const FIRMWARE_MS = 2500;

/**
 * A set of devices: the arguments with `{machine}` for the machine type, and what a source does before it is stopped.
 *
 * @typedef {object} DeviceSet
 * @property {string} name
 * @property {string} target
 * @property {string} family   `pc-i440fx`: machine types are `pc-i440fx-5.2` …; without versions: `pc`.
 * @property {string} args     Words with a space between them.
 * @property {string[]} versions
 * @property {(string | undefined)[]} pins  Versions of machine types; undefined: the family itself.
 * @property {string} options  Behind the machine type: `,hpet=off`.
 * @property {Partial<Machine>} more
 */

/** Devices that the machine types of PCs have in different versions. @type {Record<string, string>} */
const UNPINNED = { 'pc-i440fx': 'pc', 'pc-q35': 'q35', 's390-ccw-virtio': 's390-ccw-virtio' };

/** The set's disks are as many as its arguments name. @param {string} args */
function filesOf(args) {
  /** @type {Record<string, string>} */
  const files = {};
  for (const [, name = ''] of args.matchAll(/(?:file|mem-path)=([\w-]+\.img)/g)) {
    files[name] = name.startsWith('nvdimm') ? 'zero:2M' : 'zero:1M';
  }
  return files;
}

/** @param {number[]} numbers */
function drives(...numbers) {
  return numbers.map((number) => `-drive if=none,id=d${number},file=disk${number}.img,format=raw`).join(' ');
}

/**
 * @param {string} name
 * @param {string} family
 * @param {string} args
 * @param {Partial<DeviceSet>} [more]
 * @returns {DeviceSet}
 */
function pc(name, family, args, more = {}) {
  const { more: machine, ...rest } = more;
  return {
    ...{ name, target: 'x86_64', family, versions: VERSIONS, pins: ['5.2'], options: '' },
    args: `-m 32 -nodefaults ${args}`,
    ...rest,
    more: { runMs: FIRMWARE_MS, ...machine },
  };
}

/**
 * @param {string} name
 * @param {string} target
 * @param {string} family
 * @param {string} args
 * @param {Partial<DeviceSet>} [more]
 * @returns {DeviceSet}
 */
function other(name, target, family, args, more = {}) {
  const { more: machine, ...rest } = more;
  return {
    ...{ name, target, family, versions: VERSIONS, pins: ['5.2'], options: '' },
    args,
    ...rest,
    more: { runMs: 1000, ...machine },
  };
}

/** For machine types without versions. */
const unversioned = { pins: [undefined] };

const VIRTIO_DISKS = `${drives(0, 1)} -device virtio-blk-pci,drive=d0 -device virtio-scsi-pci,id=scsi -device scsi-hd,bus=scsi.0,drive=d1`;
const ROOT_PORTS = [1, 2, 3, 4]
  .map((number) => `-device pcie-root-port,id=rp${number},chassis=${number},slot=${number}`)
  .join(' ');

/** @type {DeviceSet[]} */
const SETS = [
  pc('pc-bare', 'pc-i440fx', '', { pins: ['5.2', '7.2', '10.0', undefined] }),
  pc('q35-bare', 'pc-q35', '', { pins: ['5.2', '7.2', '10.0', undefined] }),
  pc(
    'pc-virtio',
    'pc-i440fx',
    `${VIRTIO_DISKS} -device virtio-net-pci,romfile= -device virtio-rng-pci -device virtio-balloon-pci`,
    { pins: ['5.2', '7.2'] },
  ),
  pc(
    'q35-virtio',
    'pc-q35',
    `${ROOT_PORTS} ${drives(0)} -device virtio-net-pci,bus=rp1,romfile= -device virtio-blk-pci,bus=rp2,drive=d0,num-queues=2 -device virtio-serial-pci,bus=rp3,id=vs -chardev null,id=c0 -device virtconsole,bus=vs.0,chardev=c0 -chardev null,id=c1 -device virtserialport,bus=vs.0,chardev=c1,name=port.1 -device virtio-keyboard-pci,bus=rp4 -device virtio-tablet-pci`,
    { pins: ['5.2', '7.2', '10.0'] },
  ),
  pc(
    'pc-nics',
    'pc-i440fx',
    '-device e1000,romfile= -device rtl8139,romfile= -device ne2k_pci,romfile= -device pcnet,romfile= -device i82551,romfile= -device tulip,romfile=',
  ),
  pc(
    'q35-nics',
    'pc-q35',
    '-device e1000e,romfile= -device vmxnet3,romfile= -device e1000-82545em,romfile=',
    {
      pins: ['5.2', '7.2'],
    },
  ),
  pc('q35-igb', 'pc-q35', `${ROOT_PORTS} -device igb,bus=rp1,romfile=`, {
    versions: ['10.0', '11.1'],
    pins: ['7.2', '10.0'],
  }),
  pc(
    'q35-storage',
    'pc-q35',
    `${drives(0, 1, 2, 3)} -device virtio-blk-pci,drive=d0 -device ide-hd,bus=ide.0,drive=d1 -device ide-cd,bus=ide.1 -device ich9-ahci,id=ahci -device ide-hd,bus=ahci.2,drive=d2 -device pvscsi,id=pv -device scsi-hd,bus=pv.0,drive=d3`,
    { pins: ['5.2', '7.2'] },
  ),
  pc('q35-nvme', 'pc-q35', `${drives(0)} -device nvme,serial=one,drive=d0`, {
    versions: ['11.1'],
    pins: ['7.2', '10.0'],
  }),
  pc(
    'pc-storage',
    'pc-i440fx',
    `${drives(0, 1, 2, 3, 4)} -device ide-hd,bus=ide.0,drive=d0 -device ide-cd,bus=ide.1 -device lsi53c895a,id=lsi -device scsi-hd,bus=lsi.0,drive=d1 -device megasas,id=mega -device scsi-hd,bus=mega.0,drive=d2 -device mptsas1068,id=mpt -device scsi-hd,bus=mpt.0,drive=d3 -device am53c974,id=esp -device scsi-cd,bus=esp.0 -device isa-fdc,id=fdc -device floppy,bus=fdc.0,drive=d4,drive-type=144`,
  ),
  pc(
    'pc-usb',
    'pc-i440fx',
    `${drives(0)} -device piix3-usb-uhci,id=uhci -device usb-tablet,bus=uhci.0,port=1 -device usb-hub,bus=uhci.0,port=2 -device usb-kbd,bus=uhci.0,port=2.1 -device usb-ehci,id=ehci -device usb-storage,bus=ehci.0,drive=d0 -device pci-ohci,id=ohci -device usb-mouse,bus=ohci.0`,
  ),
  pc(
    'q35-usb',
    'pc-q35',
    `${drives(0)} -device qemu-xhci,id=xhci -device usb-tablet,bus=xhci.0 -device usb-storage,bus=xhci.0,drive=d0 -device nec-usb-xhci,id=nec -device usb-kbd,bus=nec.0 -device ich9-usb-ehci1,id=ehci -device ich9-usb-uhci1,masterbus=ehci.0,firstport=0 -device usb-mouse,bus=ehci.0`,
    { pins: ['5.2', '7.2'] },
  ),
  pc(
    'q35-sound',
    'pc-q35',
    '-audiodev none,id=a -device ich9-intel-hda -device hda-duplex,audiodev=a -device AC97,audiodev=a -device ES1370,audiodev=a',
  ),
  pc(
    'pc-sound-isa',
    'pc-i440fx',
    '-audiodev none,id=a -device sb16,audiodev=a -device adlib,audiodev=a -device cs4231a,audiodev=a -device gus,audiodev=a',
  ),
  pc('pc-vga', 'pc-i440fx', '-device VGA,vgamem_mb=2,romfile='),
  pc('pc-cirrus', 'pc-i440fx', '-device cirrus-vga,romfile='),
  pc('q35-display', 'pc-q35', '-device virtio-vga,romfile= -device bochs-display,romfile= -device ramfb', {
    pins: ['5.2', '7.2'],
  }),
  pc(
    'q35-virtio-gpu',
    'pc-q35',
    '-device virtio-gpu-pci -device secondary-vga,romfile= -device ati-vga,romfile=',
  ),
  pc(
    'q35-misc',
    'pc-q35',
    '-device ipmi-bmc-sim,id=bmc -device isa-ipmi-kcs,bmc=bmc -device pvpanic -device vmcoreinfo -device vmgenid,guid=auto -device i6300esb -device edu -object memory-backend-ram,id=shm,size=1M,share=on -device ivshmem-plain,memdev=shm,master=on',
    { pins: ['5.2', '7.2'] },
  ),
  pc(
    'pc-misc',
    'pc-i440fx',
    '-device ipmi-bmc-sim,id=bmc -device isa-ipmi-bt,bmc=bmc -device ib700 -device isa-debugcon,chardev=c0 -chardev null,id=c0 -device sdhci-pci -device pc-testdev -device pci-testdev',
  ),
  pc(
    'pc-serial',
    'pc-i440fx',
    '-chardev null,id=c0 -device isa-serial,chardev=c0 -chardev null,id=c1 -device isa-serial,chardev=c1 -chardev null,id=c2 -device pci-serial,chardev=c2 -chardev null,id=c5 -device isa-parallel,chardev=c5',
  ),
  pc(
    'q35-memory',
    'pc-q35',
    '-m 32,slots=4,maxmem=1G -object memory-backend-ram,id=m0,size=32M -device pc-dimm,memdev=m0 -object memory-backend-ram,id=m1,size=16M -device virtio-mem-pci,memdev=m1,requested-size=0 -object memory-backend-ram,id=m2,size=2M -device virtio-pmem-pci,memdev=m2',
    { pins: ['7.2'], more: { runMs: 1500 } },
  ),
  pc(
    'pc-nvdimm',
    'pc-i440fx',
    '-m 32,slots=4,maxmem=1G -object memory-backend-ram,id=m0,size=16M -device pc-dimm,memdev=m0,node=0 -object memory-backend-file,id=m1,size=2M,mem-path=nvdimm0.img,share=off -device nvdimm,memdev=m1,id=nv',
    { options: ',nvdimm=on', pins: ['5.2'] },
  ),
  pc(
    'q35-intel-iommu',
    'pc-q35',
    `${drives(0)} -device intel-iommu,intremap=off -device virtio-blk-pci,drive=d0,iommu_platform=on,disable-legacy=on -device e1000e,romfile=`,
    { pins: ['5.2', '7.2'] },
  ),
  pc(
    'q35-virtio-iommu',
    'pc-q35',
    '-device virtio-iommu-pci -device virtio-net-pci,romfile=,iommu_platform=on,disable-legacy=on',
    { pins: ['7.2'] },
  ),
  pc(
    'pc-crypto',
    'pc-i440fx',
    '-object cryptodev-backend-builtin,id=cr -device virtio-crypto-pci,cryptodev=cr -device virtio-9p-pci,fsdev=fs,mount_tag=t -fsdev synth,id=fs',
  ),
  pc('q35-smp', 'pc-q35', '-smp 3 -cpu Nehalem', { pins: ['5.2', '7.2'] }),
  pc('pc-cpu-max', 'pc-i440fx', '-smp 2 -cpu max', { pins: ['5.2', '7.2'] }),
  pc(
    'q35-bridges',
    'pc-q35',
    `${ROOT_PORTS} -device pcie-pci-bridge,id=br,bus=rp1 -device e1000,bus=br,addr=2,romfile= -device pxb-pcie,id=pxb,bus_nr=8,bus=pcie.0 -device pcie-root-port,id=pr,bus=pxb,chassis=9,slot=9 -device x3130-upstream,id=up,bus=rp2 -device xio3130-downstream,id=down,bus=up,chassis=10,slot=10 -device virtio-rng-pci,bus=down`,
  ),
  pc(
    'pc-bridge',
    'pc-i440fx',
    '-device pci-bridge,id=br,chassis_nr=1,shpc=on -device rtl8139,bus=br,addr=3,romfile= -device virtio-balloon-pci,bus=br,addr=4',
  ),
  pc('q35-hotplug', 'pc-q35', `${ROOT_PORTS} -smp 1,maxcpus=4`, {
    more: {
      setup: [
        { execute: 'device_add', arguments: { driver: 'virtio-net-pci', id: 'n0', bus: 'rp1', romfile: '' } },
        { execute: 'device_add', arguments: { driver: 'e1000e', id: 'n1', bus: 'rp2', romfile: '' } },
      ],
    },
  }),
  { ...pc('pc-defaults', 'pc-i440fx', ''), args: '-m 32', pins: ['5.2', '7.2'] },
  { ...pc('q35-defaults', 'pc-q35', ''), args: '-m 32', pins: ['5.2', '7.2'] },
  pc('pc-roms', 'pc-i440fx', '-device virtio-net-pci -device e1000 -device VGA,vgamem_mb=1'),
  pc(
    'pc-old',
    'pc-i440fx',
    '-device e1000,romfile= -device virtio-net-pci,romfile= -chardev null,id=c0 -device isa-serial,chardev=c0',
    {
      pins: ['2.4', '2.6', '2.12', '4.2'],
    },
  ),
  pc(
    'microvm',
    'microvm',
    `${drives(0)} -device virtio-blk-device,drive=d0 -device virtio-rng-device -device virtio-serial-device -chardev null,id=c0 -device virtconsole,chardev=c0`,
    unversioned,
  ),
  pc(
    'pc-modern-virtio',
    'pc-i440fx',
    '-device virtio-net-pci,romfile=,disable-legacy=on,disable-modern=off -device virtio-keyboard-pci -device virtio-mouse-pci -device virtio-rng-pci,disable-modern=on,disable-legacy=off',
  ),
  pc(
    'isapc',
    'isapc',
    '-device ne2k_isa -device isa-vga -chardev null,id=c0 -device isa-serial,chardev=c0 -cpu 486',
    {
      ...unversioned,
      more: { runMs: 500 },
    },
  ),
  other('i386-pc', 'i386', 'pc-i440fx', '-m 32 -nodefaults -device e1000,romfile=', {
    more: { runMs: 1500 },
  }),

  other(
    'arm-virt-virtio',
    'aarch64',
    'virt',
    `-m 32 -cpu cortex-a57 -nodefaults ${VIRTIO_DISKS} -device virtio-net-pci,romfile= -device virtio-rng-device -device virtio-balloon-device`,
    { pins: ['5.2', '7.2', undefined] },
  ),
  other(
    'arm-virt-gicv3',
    'aarch64',
    'virt',
    '-m 32 -cpu cortex-a72 -smp 2 -nodefaults -device pcie-root-port,id=rp1,chassis=1,slot=1 -device e1000e,bus=rp1,romfile= -device qemu-xhci,id=x -device usb-kbd,bus=x.0',
    {
      pins: ['5.2', '7.2'],
      options: ',gic-version=3',
    },
  ),
  other('arm-virt-max', 'aarch64', 'virt', '-m 32 -cpu max -nodefaults', { pins: ['5.2', '7.2'] }),
  other('arm-virt-32', 'arm', 'virt', '-m 32 -cpu cortex-a15 -nodefaults -device virtio-rng-device', {
    pins: ['5.2', '7.2'],
  }),
  other('arm-raspi2', 'arm', 'raspi2b', '-m 1G -nodefaults', {
    ...unversioned,
    versions: ['7.2', '10.0', '11.1'],
  }),
  other('arm-vexpress-a9', 'arm', 'vexpress-a9', '-m 32 -nodefaults', unversioned),
  other('arm-versatilepb', 'arm', 'versatilepb', '-m 32 -nodefaults', unversioned),
  other('arm-mps2-an385', 'arm', 'mps2-an385', '-nodefaults', unversioned),
  other('arm-sbsa', 'aarch64', 'sbsa-ref', '-m 64 -nodefaults', unversioned),
  other('arm-ast2500', 'arm', 'ast2500-evb', '-nodefaults', unversioned),
  other(
    'riscv-virt',
    'riscv64',
    'virt',
    `-m 32 -nodefaults ${drives(0)} -device virtio-blk-device,drive=d0 -device virtio-net-pci,romfile= -device virtio-rng-pci`,
    unversioned,
  ),
  other('riscv-virt-aia', 'riscv64', 'virt', '-m 32 -smp 2 -nodefaults', {
    ...unversioned,
    versions: ['7.2', '10.0', '11.1'],
    options: ',aia=aplic-imsic',
  }),
  other(
    's390-virtio',
    's390x',
    's390-ccw-virtio',
    `-m 128 -nodefaults ${drives(0)} -device virtio-blk-ccw,drive=d0 -device virtio-net-ccw -device virtio-rng-ccw -device virtio-scsi-ccw,id=s -device virtio-serial-ccw -device virtio-balloon-ccw`,
    { pins: ['5.2', '7.2', undefined], more: { runMs: 2000 } },
  ),
  other(
    's390-smp',
    's390x',
    's390-ccw-virtio',
    '-m 128 -smp 2 -nodefaults -cpu qemu -device virtio-net-pci,romfile= -device sclpconsole,chardev=c0 -chardev null,id=c0',
    {
      pins: ['5.2', '7.2'],
    },
  ),
  other(
    'pseries-virtio',
    'ppc64',
    'pseries',
    `-m 256 -nodefaults ${drives(0)} -device virtio-blk-pci,drive=d0 -device virtio-net-pci,romfile= -device spapr-vscsi -device spapr-vlan -device spapr-vty,chardev=c0 -chardev null,id=c0`,
    { pins: ['5.2', '7.2', undefined], more: { runMs: 3000 } },
  ),
  other(
    'pseries-power8',
    'ppc64',
    'pseries',
    '-m 256 -smp 2 -cpu POWER8 -nodefaults -device qemu-xhci,id=x -device usb-kbd,bus=x.0',
    {
      pins: ['5.2', '7.2'],
      more: { runMs: 2000 },
    },
  ),
  other('powernv', 'ppc64', 'powernv9', '-m 1G -nodefaults', {
    ...unversioned,
    versions: ['7.2', '10.0', '11.1'],
  }),
  other('ppc-g3beige', 'ppc', 'g3beige', '-m 32 -nodefaults', unversioned),
  other('ppc-mac99', 'ppc', 'mac99', '-m 64 -nodefaults', unversioned),
  other('ppc-e500', 'ppc', 'ppce500', '-m 64 -nodefaults -device virtio-net-pci,romfile=', unversioned),
  other('mips-malta', 'mips', 'malta', '-m 32 -nodefaults -bios none -device e1000,romfile=', unversioned),
  other('mips64el-loongson3', 'mips64el', 'loongson3-virt', '-m 1G -nodefaults -bios none', {
    ...unversioned,
    versions: ['7.2', '10.0', '11.1'],
  }),
  other('loongarch-virt', 'loongarch64', 'virt', '-m 1G -nodefaults -device virtio-net-pci,romfile=', {
    ...unversioned,
    versions: ['7.2', '10.0', '11.1'],
  }),
  other(
    'm68k-q800',
    'm68k',
    'q800',
    '-m 32 -nodefaults -kernel disk0.img -append file=disk0.img',
    unversioned,
  ),
  other('m68k-virt', 'm68k', 'virt', '-m 32 -nodefaults', {
    pins: ['7.2', undefined],
    versions: ['7.2', '10.0', '11.1'],
  }),
  other('sparc-ss5', 'sparc', 'SS-5', '-m 32 -nodefaults', unversioned),
  other('sparc64-sun4u', 'sparc64', 'sun4u', '-m 64 -nodefaults -device e1000,romfile=', unversioned),
  other('hppa', 'hppa', 'hppa', '-m 256 -nodefaults', unversioned),
  other('alpha-clipper', 'alpha', 'clipper', '-m 64 -nodefaults', unversioned),
  other('sh4-r2d', 'sh4', 'r2d', '-m 64 -nodefaults', unversioned),
  other('xtensa-lx60', 'xtensa', 'lx60', '-nodefaults', unversioned),
  other('microblaze-s3adsp', 'microblaze', 'petalogix-s3adsp1800', '-nodefaults', unversioned),
  other('or1k-virt', 'or1k', 'virt', '-m 32 -nodefaults', {
    ...unversioned,
    versions: ['7.2', '10.0', '11.1'],
  }),
];

/** @param {string} version */
function number(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 100 + minor;
}

/** @param {DeviceSet} set @param {string | undefined} pin */
function versionsWith({ versions, family }, pin) {
  // 11.1 has no machine types of versions before 5.2, and 10.0 none of m68k's, and so on.
  const oldest = /** @type {Record<string, Record<string, string>>} */ ({
    'pc-i440fx': { '10.0': '2.4', 11.1: '5.2' },
  });
  return versions.filter(
    (version) =>
      pin === undefined ||
      (number(version) >= number(pin) && number(pin) >= number(oldest[family]?.[version] ?? '0.0')),
  );
}

/** @param {DeviceSet} set @param {string | undefined} pin @param {string} version @returns {Machine} */
function machineOf({ target, family, args, options, more }, pin, version) {
  const type = pin === undefined ? (UNPINNED[family] ?? family) : `${family}-${pin}`;
  const files = filesOf(args);
  return {
    ...{ version, target },
    args: ['-machine', `${type}${options}`, ...args.split(' ').filter(Boolean)],
    ...(Object.keys(files).length > 0 ? { files } : {}),
    ...more,
  };
}

/** What a destination has of a source: not that it runs. @param {Machine} machine @returns {Machine} */
function asDestination({ runMs: _, runUntil: __, ...machine }) {
  return machine;
}

/** @returns {LoadCase[]} */
function matrices() {
  return SETS.flatMap((set) =>
    set.pins.flatMap((pin) => {
      const versions = versionsWith(set, pin);
      return versions.flatMap((from) =>
        versions.map((to) => ({
          id: `${set.name}${pin === undefined ? '' : `@${pin}`} ${from} to ${to}`,
          set: set.name,
          kind: from === to ? 'same' : pin === undefined ? 'version unpinned' : 'version',
          source: machineOf(set, pin, from),
          destination: asDestination(machineOf(set, pin, to)),
        })),
      );
    }),
  );
}

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
/** @type {Base} */
const S390 = { ...PC, family: 's390-ccw-virtio', target: 's390x', args: '-m 128 -nodefaults' };
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
/** For what 5.2 does not have. */
const FROM_72 = { pin: '7.2', versions: ['7.2', '10.0', '11.1'] };

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
  ['fw-cfg-dma', Q35, '', '-global fw_cfg_io.dma_enabled=off'],
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
  ['serial-emergency', PC, '-device virtio-serial-pci', '-device virtio-serial-pci,emergency-write=off'],
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
  ],
  ['virtio-migrate-extra', Q35, '-device virtio-rng-pci', '-device virtio-rng-pci,migrate-extra=off'],
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
    { versions: ['5.2', '7.2', '10.0'] },
  ],
  ['e1000-mac', PC, `-device e1000,${NO_ROM}`, `-device e1000,extra_mac_registers=off,${NO_ROM}`],
  ['e1000-tso', PC, `-device e1000,${NO_ROM}`, `-device e1000,migrate_tso_props=off,${NO_ROM}`],
  ['e1000e-subsys', Q35, `-device e1000e,${NO_ROM}`, `-device e1000e,subsys_ven=1af4,subsys=1100,${NO_ROM}`],
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
  ],
  [
    'pvscsi-pcie',
    Q35,
    `${ROOT_PORTS} -device pvscsi,bus=rp1`,
    `${ROOT_PORTS} -device pvscsi,bus=rp1,x-disable-pcie=on`,
  ],
  ['megasas-msix', Q35, '-device megasas,msix=on,msi=off', '-device megasas,msix=off,msi=off'],
  ['megasas-msi', Q35, '-device megasas,msix=off,msi=on', '-device megasas,msix=off,msi=off'],
  ['hda-msi', Q35, '-device ich9-intel-hda,msi=on', '-device ich9-intel-hda,msi=off'],
  ['xhci-msi', Q35, '-device nec-usb-xhci,msi=on,msix=off', '-device nec-usb-xhci,msi=off,msix=on'],
  ['xhci-msix', Q35, '-device qemu-xhci,msix=on', '-device qemu-xhci,msix=off'],
  ['xhci-streams', Q35, '-device qemu-xhci,streams=on', '-device qemu-xhci,streams=off'],
  [
    'xhci-superspeed',
    Q35,
    '-device nec-usb-xhci,superspeed-ports-first=on',
    '-device nec-usb-xhci,superspeed-ports-first=off',
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
  [
    'usb-full-path',
    PC,
    '-device piix3-usb-uhci,id=u -device usb-hub,bus=u.0,port=1 -device usb-kbd,bus=u.0,port=1.2,full-path=on',
    '-device piix3-usb-uhci,id=u -device usb-hub,bus=u.0,port=1 -device usb-kbd,bus=u.0,port=1.2,full-path=off',
  ],
  ['vga-edid', PC, '-device VGA,vgamem_mb=1,romfile=', '-device VGA,vgamem_mb=1,romfile=,edid=off'],
  ['vga-mmio', PC, '-device VGA,vgamem_mb=1,romfile=', '-device VGA,vgamem_mb=1,romfile=,mmio=off'],
  [
    'vga-global-vmstate',
    PC,
    '-device VGA,vgamem_mb=1,romfile=,global-vmstate=off',
    '-device VGA,vgamem_mb=1,romfile=,global-vmstate=on',
    FROM_72,
  ],
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
  ['command-serr', PC, '-device rtl8139,romfile=', '-device rtl8139,romfile=,command_serr_enable=off'],
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
    '-chardev null,id=c -device isa-serial,chardev=c -global isa-serial.wakeup=1',
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
  ['migration-config', Q35, '', '-global migration.send-configuration=off'],
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
const SHARED = ',memory-backend=ram -object memory-backend-file,id=ram,size=32M,mem-path=ram0.img,share=on';
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
    { args: '', more: { capabilities: ['x-ignore-shared'] } },
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
  ['postcopy', PC, { args: '', more: { capabilities: ['postcopy-ram'] } }, ''],
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
  ['float', '-cpu rv64', '-cpu rv64,d=false,f=false', { versions: ['7.2', '10.0', '11.1'] }],
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
  ['memory', { args: '', base: '-m 128 -nodefaults' }, { args: '', base: '-m 256 -nodefaults' }],
  ['devno', '-device virtio-rng-ccw,devno=fe.0.0001', '-device virtio-rng-ccw,devno=fe.0.0002'],
  ['ssid', '-device virtio-rng-ccw,devno=fe.0.0001', '-device virtio-rng-ccw,devno=fe.1.0001'],
  ['device', '-device virtio-rng-ccw', '-device virtio-balloon-ccw'],
  ['missing', '-device virtio-rng-ccw -device virtio-balloon-ccw', '-device virtio-rng-ccw'],
  ['pci', '-device virtio-rng-pci', ''],
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
  [
    'vty',
    '-chardev null,id=c -device spapr-vty,chardev=c,reg=0x71000000',
    '-chardev null,id=c -device spapr-vty,chardev=c,reg=0x71000001',
  ],
  ['pci', '-device virtio-net-pci,romfile=', '-device e1000,romfile='],
  ['ddw', '', '-global spapr-pci-host-bridge.ddw=off'],
  ['versions', { args: '', pin: '5.2' }, { args: '', pin: '7.2' }, { versions: ['7.2', '10.0', '11.1'] }],
])) {
  differ('pseries', `pseries-${name}`, PSERIES, a, b, limits);
}

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
  'hpet-timers': { at: { record: 'hpet', field: 'num_timers' }, set: '04' },
  'hpet-timers-many': { at: { record: 'hpet', field: 'num_timers' }, set: 'ff' },
  'hpet-timers-few': { at: { record: 'hpet', field: 'num_timers' }, set: '02' },
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
  'eeprom-size': { at: { record: 'eeprom', field: 'size' }, set: '0080' },
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
damage('q35-virtio', '5.2', 'damaged virtio', {
  'pcie-config': { at: { record: 'virtio-blk', field: 'vendor_id' }, xor: '01' },
  'ports-number': { at: { record: 'virtio-console', part: 'footer', plus: -20 }, set: 'ffffffff' },
  'root-port-slot': { at: { record: 'pcie-root-port', field: 'header_type' }, xor: '01' },
  'root-port-bus': { at: { record: 'pcie-root-port', field: 'secondary_bus' }, xor: '08' },
  'aer-log': { at: { record: 'pcie-root-port', field: 'log_num' }, set: '00ff' },
  'aer-log-max': { at: { record: 'pcie-root-port', field: 'log_max' }, set: '00ff' },
  'ahci-ports': { at: { record: 'ich9_ahci', field: 'ahci.ports' }, set: '00000020' },
  'tco-timer': { at: { record: 'ICH9LPC', part: 'footer', plus: -4 }, set: 'ffffffff' },
  'input-version': { at: { record: 'virtio-input', part: 'version' }, set: '00000002' },
});
damage('arm-virt-virtio', '7.2', 'damaged fields', {
  'cpreg-count': { at: { record: 'cpu', field: 'cpreg_vmstate_array_len' }, set: '00000fff' },
  'cpreg-count-fewer': { at: { record: 'cpu', field: 'cpreg_vmstate_array_len' }, set: '00000001' },
  'cpreg-count-negative': { at: { record: 'cpu', field: 'cpreg_vmstate_array_len' }, set: 'ffffffff' },
  'cpreg-index': { at: { record: 'cpu', field: 'cpreg_vmstate_indexes', plus: 6 }, set: 'ffff' },
  'cpreg-value': { at: { record: 'cpu', field: 'cpreg_vmstate_values' }, set: 'ffffffffffffffff' },
  'page-bits': { at: { record: 'configuration', field: 'page_bits' }, set: '0000000d' },
  'power-state': { at: { record: 'cpu', field: 'power_state' }, set: '07' },
  cut: { at: { record: 'cpu', part: 'body', plus: 3000 }, cut: true },
});
damage('s390-virtio', '7.2', 'damaged fields', {
  'subchannel-devno': { at: { record: 'css', part: 'body', plus: 30 }, set: 'ffff' },
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
function damaged() {
  return DAMAGES.flatMap(([name, pin, kind, what, changes]) => {
    const set = SETS.find((each) => each.name === name);
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

/** @returns {LoadCase[]} */
export function loadCases() {
  return [...differences.flatMap(bothWays), ...damaged(), ...matrices()];
}
