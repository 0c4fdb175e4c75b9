import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { vmwalk } from '../cli/run.ts';
import type { Line } from '../layout/blob-reader.ts';
import { Machine } from './machine.ts';

const MIB = 1 << 20;
const MEMORY = 16 * MIB;
/** A second of SeaBIOS, so that little is left as it is after a reset. */
const RUN = 1000;

const NIC_ADDRESS = '52:54:00:ab:cd:ef';
const DEVICES = [
  ...['-drive', 'file=disk.img,if=none,id=disk,format=raw', '-device', 'virtio-blk-pci,drive=disk'],
  ...['-device', 'virtio-net-pci,romfile='],
  ...['-device', `e1000e,romfile=,mac=${NIC_ADDRESS}`],
  ...['-device', 'qemu-xhci,id=xhci', '-device', 'usb-tablet,bus=xhci.0'],
];

const MACHINES = [
  { name: 'q35 that has not run', args: ['-M', 'q35', '-m', '16', '-S'], cpus: 1, runs: 0 },
  { name: 'q35 with devices', args: ['-M', 'q35', '-m', '16', '-smp', '2', ...DEVICES], cpus: 2, runs: RUN },
  { name: 'pc with devices', args: ['-M', 'pc', '-m', '16', ...DEVICES], cpus: 1, runs: RUN },
];

describe.each(MACHINES)('$name', ({ args, cpus, runs }) => {
  let machine: Machine;
  let lines: readonly Line[];
  let file: string;

  beforeAll(async () => {
    machine = await Machine.start(args, { 'disk.img': MIB });
    if (runs > 0) {
      // SeaBIOS has programmed the interrupt controllers.
      while (!/^pic0: .*irq_base=08/m.test(await machine.qmp.monitor('info pic'))) await sleep(100);
      await sleep(runs);
      await machine.qmp.execute('stop');
    }
    file = await machine.migrate();
    const run = await vmwalk(['dump', '--ndjson', file]);
    expect([run.status, run.stderr]).toEqual([0, '']);
    lines = run.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  });

  afterAll(() => machine?.end());

  /** The value of a field. Fails where there is none. */
  function field(section: string, instance: number, ...path: (string | number)[]): bigint {
    const text = JSON.stringify(path);
    const line = lines.find(
      (candidate) =>
        candidate.section === section &&
        candidate.instance === instance &&
        JSON.stringify(candidate.path) === text,
    );
    expect(line, `${section}@${instance} ${text}`).toBeDefined();
    return BigInt(line!.value as number | string);
  }

  test('registers', async () => {
    const dumps = (await machine.qmp.monitor('info registers -a')).split(/CPU#\d+/).slice(1);
    expect(dumps.length).toBe(cpus);
    for (const [cpu, dump] of dumps.entries()) {
      const shown = new Map(
        [...dump.matchAll(/\b([A-Z][A-Z0-9]*) *= *([0-9a-f]+)\b/g)].map((m) => [m[1], m[2]]),
      );
      // A 16 or 32-bit CPU is shown with the lower halves of its registers.
      const is64 = shown.has('RIP');
      const register = (name: string) => BigInt(`0x${shown.get(name)}`);
      const compare = (name: string, ...path: (string | number)[]) =>
        expect(field('cpu', cpu, ...path), name).toBe(register(name));
      const wide = is64 ? 'R' : 'E';
      for (const [i, name] of ['AX', 'CX', 'DX', 'BX', 'SP', 'BP', 'SI', 'DI'].entries()) {
        const value = field('cpu', cpu, 'env.regs', i);
        expect(is64 ? value : BigInt.asUintN(32, value), name).toBe(register(wide + name));
      }
      compare(`${wide}IP`, 'env.eip');
      compare(is64 ? 'RFL' : 'EFL', 'env.eflags');
      for (const control of [0, 2, 3, 4]) compare(`CR${control}`, `env.cr[${control}]`);
      for (const debug of [0, 1, 2, 3, 6, 7]) compare(`DR${debug}`, 'env.dr', debug);
      compare('EFER', 'env.efer');
      compare('MXCSR', 'env.mxcsr');
      compare('FCW', 'env.fpuc');

      // Name, selector, base, limit and flags.
      const segments = new Map(
        [...dump.matchAll(/^([A-Z]{2,3}) *= *([0-9a-f]{4}) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)/gm)].map(
          (m) => [m[1], m.slice(2).map((digits) => BigInt(`0x${digits}`))],
        ),
      );
      const places = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'].map((name, i) => [name, ['env.segs', i]] as const);
      for (const [name, path] of [...places, ['LDT', ['env.ldt']], ['TR', ['env.tr']]] as const) {
        const [selector, base, limit, flags] = ['selector', 'base', 'limit', 'flags'].map((part) =>
          field('cpu', cpu, ...path, part),
        );
        // The monitor leaves out the bits of the flags that belong to the limit and the base.
        expect([selector, base, limit, flags! & 0xffff00n], name).toEqual(segments.get(name));
      }
      for (const name of ['GDT', 'IDT']) {
        const [, base, limit] = new RegExp(`${name}= *([0-9a-f]+) ([0-9a-f]+)`).exec(dump)!;
        expect(field('cpu', cpu, `env.${name.toLowerCase()}`, 'base'), name).toBe(BigInt(`0x${base}`));
        expect(field('cpu', cpu, `env.${name.toLowerCase()}`, 'limit'), name).toBe(BigInt(`0x${limit}`));
      }
    }
    // The machine has left its reset vector.
    if (runs > 0) expect(field('cpu', 0, 'env.eip')).not.toBe(0xfff0n);
    else expect(field('cpu', 0, 'env.eip')).toBe(0xfff0n);
  });

  test('interrupt controllers', async () => {
    const shown = await machine.qmp.monitor('info pic');
    for (const chip of [0, 1]) {
      const facts = new Map(
        [...new RegExp(`^pic${chip}: (.*)`, 'm').exec(shown)![1]!.matchAll(/(\w+)=([0-9a-f]+)/g)].map((m) => [
          m[1],
          m[2],
        ]),
      );
      const names = {
        irr: 'irr',
        imr: 'imr',
        isr: 'isr',
        irq_base: 'irq_base',
        priority_add: 'hprio',
        elcr: 'elcr',
      };
      for (const [name, short] of Object.entries(names))
        expect(field('i8259', chip, name), `pic${chip} ${short}`).toBe(BigInt(`0x${facts.get(short)}`));
    }
    if (runs > 0) expect(field('i8259', 0, 'irq_base')).toBe(8n);
    const pins = [...shown.matchAll(/pin (\d+) +0x([0-9a-f]{16})/g)];
    expect(pins.length).toBe(24);
    for (const [, pin, entry] of pins)
      expect(field('ioapic', 0, 'ioredtbl', Number(pin)), `pin ${pin}`).toBe(BigInt(`0x${entry}`));
  });

  test('local APIC', async () => {
    const shown = await machine.qmp.monitor('info lapic');
    const fact = (name: string) =>
      BigInt(new RegExp(`^${name}\\s+0x([0-9a-f]+)`, 'm').exec(shown)![0].replace(/^.*\s/, ''));
    expect(field('apic', 0, 'spurious_vec')).toBe(fact('SPIV'));
    const vectors = ['LVTT', 'LVTTHMR', 'LVTPC', 'LVT0', 'LVT1', 'LVTERR'];
    for (const [i, name] of vectors.entries()) expect(field('apic', 0, 'lvt', i), name).toBe(fact(name));
    expect(field('apic', 0, 'icr', 0)).toBe(fact('ICR'));
    expect(field('apic', 0, 'icr', 1)).toBe(fact('ICR2'));
    expect(field('apic', 0, 'esr')).toBe(fact('ESR'));
  });

  test('machine type', async () => {
    const type = await machine.qmp.execute<string>('qom-get', { path: '/machine', property: 'type' });
    const { configuration } = JSON.parse((await vmwalk(['info', '--json', file])).stdout);
    expect(`${configuration.machineType}-machine`).toBe(type);
  });

  test('RAM blocks', async () => {
    const { sections } = JSON.parse((await vmwalk(['info', '--json', file])).stdout);
    const ram = sections.find(({ idstr }: { idstr: string }) => idstr === 'ram').summary;
    const blocks: { idstr: string; length: number }[] = ram.blocks;
    const shown = await machine.qmp.monitor('info ramblock');
    // Name, page size, offset, used length, allocated length.
    const rows = [...shown.matchAll(/^ *(\S+) +\S+ \S+ +0x[0-9a-f]+ 0x([0-9a-f]+) 0x[0-9a-f]+/gm)];
    expect(blocks.map(({ idstr, length }) => [idstr, length]).sort()).toEqual(
      rows.map(([, name, used]) => [name, Number(`0x${used}`)]).sort(),
    );
    const summary = await machine.qmp.execute<Record<string, number>>('query-memory-size-summary');
    expect(summary['base-memory']).toBe(MEMORY);
    expect(blocks.find(({ idstr }) => idstr === 'pc.ram')?.length).toBe(MEMORY);
  });

  test('memory', async () => {
    // What pmemsave reads there is RAM itself, and not a ROM or device in front of it.
    const ranges = [
      { start: 0, end: 640 << 10 },
      { start: MIB, end: MEMORY },
    ];
    const folder = join(machine.folder, 'extracted');
    expect((await vmwalk(['extract', file, '-o', folder])).status).toBe(0);
    const ram = readFileSync(join(folder, 'ram', 'pc.ram.bin'));
    expect(ram.length).toBe(MEMORY);
    for (const { start, end } of ranges) {
      await machine.qmp.execute('pmemsave', { val: start, size: end - start, filename: 'memory.bin' });
      const memory = readFileSync(join(machine.folder, 'memory.bin'));
      expect(memory.length).toBe(end - start);
      // Buffer.equals: a matcher would print megabytes.
      expect(memory.equals(ram.subarray(start, end)), `${start}-${end}`).toBe(true);
    }
    if (runs > 0) expect(ram.subarray(0, 1024).some((byte) => byte !== 0)).toBe(true);
  });

  test('PCI configuration', async () => {
    interface PciDevice {
      readonly slot: number;
      readonly function: number;
      readonly id: { readonly vendor: number; readonly device: number };
      readonly class_info: { readonly class: number };
      readonly irq?: number;
      readonly regions: readonly { readonly bar: number; readonly type: string; readonly address: number }[];
    }
    const [bus] = await machine.qmp.execute<{ devices: PciDevice[] }[]>('query-pci');
    let compared = 0;
    for (const device of bus!.devices) {
      const place = `0000:00:${device.slot.toString(16).padStart(2, '0')}.${device.function}`;
      const config = configOf(lines.filter(({ section }) => section.startsWith(`${place}/`)));
      // piix3-ide and the like: each device has a section with its configuration space.
      expect(config, place).toBeDefined();
      expect(config!.readUInt16LE(0), place).toBe(device.id.vendor);
      expect(config!.readUInt16LE(2), place).toBe(device.id.device);
      expect(config!.readUInt16LE(10), place).toBe(device.class_info.class);
      if (device.irq !== undefined) expect(config![0x3c], place).toBe(device.irq);
      for (const { bar, type, address } of device.regions) {
        if (bar > 5 || address < 0) continue;
        const register = config!.readUInt32LE(0x10 + 4 * bar);
        expect((register & (type === 'io' ? ~3 : ~15)) >>> 0, `${place} BAR ${bar}`).toBe(address % 2 ** 32);
        expect(register & 1, `${place} BAR ${bar}`).toBe(type === 'io' ? 1 : 0);
      }
      compared++;
    }
    expect(compared).toBeGreaterThanOrEqual(4);
  });

  if (args.includes('-device')) {
    test('address of a network card', () => {
      // RAL0 and RAH0, the first receive address.
      const section = lines.find(({ section: name }) => name.endsWith('/e1000e'))!.section;
      const [low, high] = [0x5400, 0x5404].map((register) =>
        Number(field(section, 0, 'core.mac', register / 4)),
      );
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32LE(low!, 0);
      bytes.writeUInt32LE(high!, 4);
      expect(bytes.subarray(0, 6).toString('hex')).toBe(NIC_ADDRESS.replaceAll(':', ''));
    });
  }
});

/** The configuration space among the lines of a section: a field of its own, or the first thing that virtio writes. */
function configOf(lines: readonly Line[]): Buffer | undefined {
  const config = lines.find(({ type }) => type === 'pci config');
  if (config) return Buffer.from(String(config.value), 'hex');
  const virtio = lines.find(({ type }) => type === 'virtio');
  // An int32 is in front of it.
  return virtio && Buffer.from(String(virtio.value), 'hex').subarray(4);
}
