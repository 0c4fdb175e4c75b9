/** Sets of devices for the cases of loads.mjs, and the command lines that they make. */

/** @typedef {import("./loads.mjs").Machine} Machine */

export const VERSIONS = ['5.2', '7.2', '10.0', '11.1'];
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
export function drives(...numbers) {
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
/** For those with a sound device, which later versions do not start without a driver for it. */
const withoutAudio = { ...unversioned, versions: ['5.2', '7.2'] };
/** For those whose migration ends 7.2 by SIGFPE. */
const without72 = { ...unversioned, versions: ['5.2', '10.0', '11.1'] };
/** For what ends QEMU when it runs. @type {Partial<Machine>} */
const neverRuns = { runMs: undefined };

const VIRTIO_DISKS = `${drives(0, 1)} -device virtio-blk-pci,drive=d0 -device virtio-scsi-pci,id=scsi -device scsi-hd,bus=scsi.0,drive=d1`;
export const ROOT_PORTS = [1, 2, 3, 4]
  .map((number) => `-device pcie-root-port,id=rp${number},chassis=${number},slot=${number}`)
  .join(' ');

/** Machines without an operating system: what runs is firmware, where there is some. @type {DeviceSet[]} */
const FIRMWARE_SETS = [
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
    `${drives(0, 1, 2, 3, 4)} -device ide-hd,bus=ide.0,drive=d0 -device ide-cd,bus=ide.1 -device lsi53c895a,id=lsi -device scsi-hd,bus=lsi.0,drive=d1 -device megasas,id=mega -device scsi-hd,bus=mega.0,drive=d2 -device mptsas1068,id=mpt -device scsi-hd,bus=mpt.0,drive=d3 -device am53c974,id=esp -device scsi-cd,bus=esp.0 -device floppy,drive=d4,drive-type=144`,
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
  pc('pc-9p', 'pc-i440fx', '-device virtio-9p-pci,fsdev=fs,mount_tag=t -fsdev synth,id=fs'),
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
    '-m 32 -cpu cortex-a72 -smp 2 -nodefaults -device e1000e,romfile= -device qemu-xhci,id=x -device usb-kbd,bus=x.0',
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
  other('arm-vexpress-a9', 'arm', 'vexpress-a9', '-m 32 -nodefaults', withoutAudio),
  other('arm-versatilepb', 'arm', 'versatilepb', '-m 32 -nodefaults', withoutAudio),
  other('arm-mps2-an385', 'arm', 'mps2-an385', '-nodefaults', { ...unversioned, more: neverRuns }),
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
  // SD cards over SPI.
  other('sd-spi-sifive', 'riscv64', 'sifive_u', '-m 128 -bios none -nodefaults', {
    ...unversioned,
    more: neverRuns,
  }),
  other('sd-spi-stellaris', 'arm', 'lm3s6965evb', '-nodefaults', { ...unversioned, more: neverRuns }),
  other(
    's390-virtio',
    's390x',
    's390-ccw-virtio',
    `-m 128 -nodefaults -no-shutdown ${drives(0)} -device virtio-blk-ccw,drive=d0 -device virtio-net-ccw -device virtio-rng-ccw -device virtio-scsi-ccw,id=s -device virtio-serial-ccw -device virtio-balloon-ccw`,
    { pins: ['5.2', '7.2', undefined], more: { runMs: 2000 } },
  ),
  other(
    's390-smp',
    's390x',
    's390-ccw-virtio',
    '-m 128 -smp 2 -nodefaults -no-shutdown -cpu qemu -device virtio-net-ccw -device sclpconsole,chardev=c0 -chardev null,id=c0',
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
  // A CPU with two subsections of one name.
  other('ppc-bamboo', 'ppc', 'bamboo', '-m 128 -nodefaults', {
    ...unversioned,
    versions: ['5.2', '7.2', '10.0'],
    more: neverRuns,
  }),
  // A card with two subsections of one name.
  other(
    'q35-emmc',
    'x86_64',
    'pc-q35',
    '-m 32 -nodefaults -drive if=none,id=d0,file=emmc.img,format=raw -device sdhci-pci -device emmc,drive=d0,rpmb-partition-size=2097152,boot-partition-size=1048576',
    { pins: ['7.2'], versions: ['11.1'], more: { ...neverRuns, files: { 'emmc.img': 'zero:20M' } } },
  ),
  other('ppc-g3beige', 'ppc', 'g3beige', '-m 32 -nodefaults', unversioned),
  other('ppc-mac99', 'ppc', 'mac99', '-m 64 -nodefaults', unversioned),
  other('mips-malta', 'mips', 'malta', '-m 32 -nodefaults -bios bios.img -device e1000,romfile=', {
    ...unversioned,
    more: { files: { 'bios.img': 'zero:128K' } },
  }),
  other('mips64el-loongson3', 'mips64el', 'loongson3-virt', '-m 1G -nodefaults -bios bios.img', {
    ...unversioned,
    versions: ['7.2', '10.0', '11.1'],
    more: { files: { 'bios.img': 'zero:128K' } },
  }),
  other('loongarch-virt', 'loongarch64', 'virt', '-m 1G -nodefaults -device virtio-net-pci,romfile=', {
    ...unversioned,
    versions: ['10.0', '11.1'],
  }),
  other('m68k-virt', 'm68k', 'virt', '-m 32 -nodefaults', {
    pins: ['7.2', undefined],
    versions: ['7.2', '10.0', '11.1'],
  }),
  other('sparc-ss5', 'sparc', 'SS-5', '-m 32 -nodefaults', unversioned),
  other('sparc64-sun4u', 'sparc64', 'sun4u', '-m 64 -nodefaults', without72),
  other('alpha-clipper', 'alpha', 'clipper', '-m 64 -nodefaults', without72),
  other('microblaze-s3adsp', 'microblaze', 'petalogix-s3adsp1800', '-nodefaults', unversioned),
  other('or1k-virt', 'or1k', 'virt', '-m 32 -nodefaults', {
    ...unversioned,
    versions: ['10.0', '11.1'],
  }),
];

/**
 * A Linux guest that has found its devices, and uses them.
 *
 * @param {string} name
 * @param {string} target
 * @param {string} family
 * @param {string} guest   Begins the names of the kernel and of an initramfs whose init loads the drivers and says READY.
 * @param {string} args
 * @param {Partial<DeviceSet>} [more]
 * @returns {DeviceSet}
 */
function linux(name, target, family, guest, args, more = {}) {
  return {
    ...{ name, target, family, versions: VERSIONS, pins: ['5.2'], options: '' },
    args: `-m 384 -nodefaults -kernel ${guest}-vmlinuz -initrd ${guest}-initrd.img -chardev file,id=ser,path=serial.log ${args}`,
    more: {
      runMs: 2000,
      runUntil: 'READY',
      timeoutMs: 300_000,
      files: {
        [`${guest}-vmlinuz`]: `given:the kernel of Debian bookworm for ${target}`,
        [`${guest}-initrd.img`]: 'given:an initramfs whose init loads the drivers and says READY',
      },
    },
    ...more,
  };
}

/** @type {DeviceSet[]} */
const LINUX_SETS = [
  linux(
    'linux-pc-virtio',
    'x86_64',
    'pc-i440fx',
    'x86',
    `-append console=ttyS0 -device isa-serial,chardev=ser -netdev user,id=n0 -device virtio-net-pci,netdev=n0,romfile= ${VIRTIO_DISKS} -device virtio-rng-pci -device virtio-balloon-pci -device virtio-serial-pci,id=vs -chardev null,id=c1 -device virtserialport,bus=vs.0,chardev=c1,name=port.one -device virtio-tablet-pci`,
  ),
  linux(
    'linux-q35-packed',
    'x86_64',
    'pc-q35',
    'x86',
    `-append console=ttyS0 -device isa-serial,chardev=ser -smp 2 ${ROOT_PORTS} -netdev user,id=n0 -device virtio-net-pci,netdev=n0,romfile=,bus=rp1,packed=on ${drives(0)} -device virtio-blk-pci,drive=d0,bus=rp2,num-queues=2,packed=on -device virtio-rng-pci,bus=rp3`,
    { versions: ['7.2', '11.1'], pins: ['7.2'] },
  ),
  linux(
    'linux-q35-devices',
    'x86_64',
    'pc-q35',
    'x86',
    `-append console=ttyS0 -device isa-serial,chardev=ser -netdev user,id=n0 -device e1000e,netdev=n0,romfile= ${drives(0, 1)} -device ide-hd,drive=d0,bus=ide.0 -device qemu-xhci,id=x -device usb-tablet,bus=x.0 -device usb-storage,bus=x.0,drive=d1 -audiodev none,id=a -device intel-hda -device hda-duplex,audiodev=a -device bochs-display,romfile= -device i6300esb -action watchdog=none`,
    { pins: ['7.2'] },
  ),
  linux(
    'linux-arm-virt',
    'aarch64',
    'virt',
    'arm64',
    `-append console=ttyAMA0 -serial chardev:ser -cpu cortex-a57 -smp 2 ${drives(0)} -device virtio-blk-pci,drive=d0 -device virtio-net-pci,romfile= -device virtio-rng-device`,
    { options: ',gic-version=3' },
  ),
  linux(
    'linux-s390',
    's390x',
    's390-ccw-virtio',
    's390x',
    `-append console=ttysclp0 -device sclpconsole,chardev=ser ${drives(0)} -device virtio-blk-ccw,drive=d0 -device virtio-net-ccw -device virtio-rng-ccw`,
  ),
];

export const DEVICE_SETS = [...FIRMWARE_SETS, ...LINUX_SETS];

/** @param {string} version */
export function number(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major * 100 + minor;
}

/** @param {DeviceSet} set @param {string | undefined} pin */
export function versionsWith({ versions, family }, pin) {
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
export function machineOf({ target, family, args, options, more }, pin, version) {
  const type = pin === undefined ? (UNPINNED[family] ?? family) : `${family}-${pin}`;
  const files = filesOf(args);
  return {
    ...{ version, target },
    args: ['-machine', `${type}${options}`, ...args.split(' ').filter(Boolean)],
    ...(Object.keys(files).length > 0 ? { files } : {}),
    ...more,
    ...(more.files ? { files: { ...files, ...more.files } } : {}),
  };
}

/** What a destination has of a source: not that it runs. @param {Machine} machine @returns {Machine} */
export function asDestination({ runMs: _, runUntil: __, ...machine }) {
  return machine;
}
