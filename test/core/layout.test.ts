import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import type { DeviceState } from '../../src/core/device-state.ts';
import { parseLayoutOption } from '../../src/core/layout-option.ts';
import { type Mapping, PhysicalMap } from '../../src/core/physical-map.ts';
import { placeBlocks } from '../../src/core/placement.ts';
import { planCore } from '../../src/core/plan.ts';
import type { Architecture } from '../../src/core/registers/architecture.ts';
import { openStream } from '../../src/layout/open.ts';
import type { RamBlockSummary } from '../../src/ram/ram.ts';
import { temporaryFile, temporaryFolder, vmwalk } from '../cli/run.ts';
import { openFixture, readFixture } from '../fixtures.ts';

describe('--layout', () => {
  test('numbers, units and names with @ : and /', () => {
    expect(parseLayoutOption('pc.ram@0:3G,pc.ram@4g:0x1000+3G,/rom@a:b@0xc0000000:16K')).toEqual([
      { block: 'pc.ram', address: 0, length: 3 * 2 ** 30, offset: 0 },
      { block: 'pc.ram', address: 2 ** 32, length: 4096, offset: 3 * 2 ** 30 },
      { block: '/rom@a:b', address: 0xc000_0000, length: 16384, offset: 0 },
    ]);
  });

  test.each([
    ['', 'is not block@address:size'],
    ['ram', 'is not block@address:size'],
    ['@0:1', 'is not block@address:size'],
    ['ram@0:0', 'has no size'],
    ['ram@-1:4K', 'is no address or size'],
    ['ram@1e3:4K', 'is no address or size'],
    ['ram@0:99999999999T', 'is no address or size'],
    ['ram@0xfffffffffffff:4K', 'ends beyond'],
    ['a@0:8K,b@4K:4K', 'a and b overlap at 0x1000'],
    ['a@0:4K,,b@4K:4K', 'is not block@address:size'],
  ])('%s: %s', (text, message) => {
    expect(() => parseLayoutOption(text)).toThrow(DecodeError);
    expect(() => parseLayoutOption(text)).toThrow(message);
  });

  test('any text is read or refused in one line', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          for (const { address, length, offset } of parseLayoutOption(text)) {
            expect([address, length, offset].every(Number.isSafeInteger)).toBe(true);
          }
        } catch (error) {
          expect((error as Error).message).toMatch(/^--layout: /);
        }
      }),
    );
  });
});

test('what is mapped later hides what was there, byte by byte', () => {
  const SPACE = 40;
  const mapping = fc
    .record({
      address: fc.nat(SPACE - 1),
      length: fc.nat(SPACE),
      block: fc.constantFrom('a', 'b'),
      offset: fc.nat(9),
    })
    .map((m): Mapping => ({ ...m, length: Math.min(m.length, SPACE - m.address) }));
  fc.assert(
    fc.property(fc.array(fc.record({ mapping, clear: fc.boolean() })), (steps) => {
      const map = new PhysicalMap();
      const bytes: (string | undefined)[] = new Array(SPACE).fill(undefined);
      for (const { mapping: m, clear } of steps) {
        if (clear) map.clear(m.address, m.length);
        else map.map(m);
        for (let i = 0; i < m.length; i++)
          bytes[m.address + i] = clear ? undefined : `${m.block}${m.offset + i}`;
      }
      const seen: (string | undefined)[] = new Array(SPACE).fill(undefined);
      let end = -1;
      for (const { address, length, block, offset } of map.mappings()) {
        expect(address).toBeGreaterThanOrEqual(end);
        expect(length).toBeGreaterThan(0);
        end = address + length;
        for (let i = 0; i < length; i++) seen[address + i] = `${block}${offset + i}`;
      }
      expect(seen).toEqual(bytes);
    }),
  );
});

describe('machines whose memory is not known', () => {
  const arm = 'qemu-11.1-aarch64-virt';

  test('an error lists the blocks, and leaves no file', async () => {
    const path = join(temporaryFolder(), 'vm.core');
    const run = await vmwalk([
      'ram',
      'core',
      temporaryFile(readFixture('qemu-11.1-mips64el-malta')),
      '-o',
      path,
    ]);
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(
      /^vmwalk: error: [^\n]*no state of a CPU of which a core can be made[^\n]*\n$/,
    );
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('--layout places RAM, and then nothing else is', async () => {
    const opened = await openStream(openFixture('qemu-11.1-pc-devices'));
    const plan = await planCore(opened, { layout: parseLayoutOption('pc.ram@1M:256K+64K') });
    expect(
      plan.segments.map(({ address, length, block, offset }) => [address, length, block, offset]),
    ).toEqual([[2 ** 20, 2 ** 18, 'pc.ram', 2 ** 16]]);
  });

  test.each([
    ['nothing@0:4K', "names 'nothing', which does not exist"],
    ['mach-virt.ram@0:1T', "names more of 'mach-virt.ram' than there is"],
    ['mach-virt.ram@0:4K+1T', "names more of 'mach-virt.ram' than there is"],
  ])('--layout %s: %s', async (layout, message) => {
    const opened = await openStream(openFixture(arm));
    const error = await planCore(opened, { layout: parseLayoutOption(layout) }).catch((thrown) => thrown);
    expect(error.code).toBe('unknown-layout');
    expect(error.message).toContain(message);
  });

  test('memory far above needs no more of the file', async () => {
    const path = join(temporaryFolder(), 'vm.core');
    const layout = `mach-virt.ram@${2 ** 51}:1M`;
    const run = await vmwalk([
      'ram',
      'core',
      temporaryFile(readFixture(arm)),
      '-o',
      path,
      '--layout',
      layout,
    ]);
    expect([run.status, run.stderr]).toEqual([0, '']);
    expect(statSync(path).size).toBeLessThan(2 ** 30);
  });

  test('a file that exists is left alone', async () => {
    const path = join(temporaryFolder(), 'vm.core');
    writeFileSync(path, 'mine');
    const run = await vmwalk(['ram', 'core', temporaryFile(readFixture(arm)), '-o', path]);
    expect([run.status, run.stderr]).toEqual([2, `vmwalk: error: ${path} exists already\n`]);
    expect(statSync(path).size).toBe(4);
  });
});

test('a process that is ended by a signal leaves no file', async () => {
  const folder = temporaryFolder();
  const script = `
    import { readdirSync } from 'node:fs';
    import { OutputFile } from ${JSON.stringify(new URL('../../dist/node/output.js', import.meta.url))};
    new OutputFile('vm.core', 'keep');
    console.log(readdirSync('.').length);
    process.kill(process.pid, 'SIGINT');
    setTimeout(() => {}, 60_000);`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
  expect([child.stdout.toString(), child.signal]).toEqual(['1\n', 'SIGINT']);
  expect(readdirSync(folder)).toEqual([]);
});

test('a damaged stream gives a core that can be, or an error', async () => {
  const original = readFixture('qemu-10.0-pc-devices');
  const change = fc.record({
    offset: fc.nat(original.length - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      const stream = original.slice();
      for (const { offset, bytes } of changes) stream.set(bytes.slice(0, stream.length - offset), offset);
      try {
        const opened = await openStream(memorySource(stream, 'damaged'));
        const { segments, fileLength, headerRoom } = await planCore(opened);
        let end = 0;
        for (const { address, length, fileOffset } of segments) {
          expect(address).toBeGreaterThanOrEqual(end);
          end = address + length;
          expect(fileOffset).toBeGreaterThanOrEqual(headerRoom);
          expect(fileOffset + length).toBeLessThanOrEqual(fileLength);
        }
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }),
    { numRuns: 200 },
  );
});

test('RAM that is not in the stream is an error, and the core is written all the same', async () => {
  const path = join(temporaryFolder(), 'vm.core');
  const run = await vmwalk(['ram', 'core', temporaryFile(readFixture('qemu-7.2-multifd')), '-o', path]);
  expect(run.status).toBe(1);
  expect(run.stderr).toMatch(/no page of RAMBlock ram is in the stream/);
  expect(existsSync(path)).toBe(true);
});

describe('small blocks of devices', () => {
  /** RAMBlocks as `info ramblock` of QEMU 7.2 lists them for q35 with 32 MiB, no other devices, and a TPM. */
  const board = [
    ['pc.ram', 0x200_0000],
    ['pc.bios', 0x4_0000],
    ['pc.rom', 0x2_0000],
    ['/rom@etc/acpi/tables', 0x2_0000],
  ] as const;

  async function place(...more: readonly (readonly [string, number])[]) {
    const blocks = [...board, ...more].map(([idstr, length]) => ({ idstr, length }) as RamBlockSummary);
    const state: DeviceState = {
      pagesLeftOut: false,
      hasChannels: false,
      machineType: 'pc-q35-7.2',
      blocks,
      fields: () => Promise.resolve(undefined),
      allFields: () => Promise.resolve([]),
    };
    const x86 = { name: 'x86' } as Architecture;
    const { mappings, leftOut } = await placeBlocks(state, x86);
    return {
      leftOut: leftOut.map(({ idstr }) => idstr),
      tpm: mappings.filter(({ block }) => block.startsWith('tpm')),
    };
  }

  test('the command buffer of tpm-crb is where QEMU has it, and its PPI is left out as in QEMU’s dump', async () => {
    const { leftOut, tpm } = await place(['tpm-crb-cmd', 0x1000], ['tpm-ppi', 0x1000]);
    expect(leftOut).toEqual([]);
    // readelf of the core that dump-guest-memory wrote of the same VM.
    expect(tpm).toEqual([{ address: 0xfed4_0080, length: 0xf80, block: 'tpm-crb-cmd', offset: 0 }]);
  });

  test('one that is not known is left out', async () => {
    expect((await place(['sram', 0x1_0000])).leftOut).toEqual(['sram']);
  });

  test('memory that was plugged in is not', async () => {
    await expect(place(['dimm1', 0x4000_0000])).rejects.toThrow('at which address dimm1 was plugged in');
  });
});

test('a block that --layout names and that is not there is what is said', async () => {
  const opened = await openStream(openFixture('qemu-7.2-riscv64-virt'));
  const layout = parseLayoutOption('nope@0:1M');
  await expect(planCore(opened, { layout })).rejects.toThrow("--layout names 'nope', which does not exist");
});
