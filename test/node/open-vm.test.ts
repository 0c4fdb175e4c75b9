import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { DecodeError } from '../../src/bytes/diagnostic.ts';
import { Destination } from '../../src/check/destination.ts';
import { compareSides } from '../../src/compat/compat.ts';
import type { Direction } from '../../src/compat/direction.ts';
import { planCore } from '../../src/core/plan.ts';
import { walk } from '../../src/layout/children.ts';
import { captureProfile } from '../../src/node/capture-profile.ts';
import { openSide } from '../../src/node/compat-side.ts';
import { writeCore } from '../../src/node/core-file.ts';
import { extractStream } from '../../src/node/extract.ts';
import { extractRam } from '../../src/node/extract-ram.ts';
import { nodeMemory } from '../../src/node/node-memory.ts';
import { openDestination } from '../../src/node/open-destination.ts';
import { openVm } from '../../src/node/open-vm.ts';
import { writeRamMap } from '../../src/node/ram-map-file.ts';
import { streamInfo } from '../../src/ops/info.ts';
import { ramReport } from '../../src/ops/ram-report.ts';
import { PageUsage } from '../../src/ram/page-usage.ts';
import { toJson } from '../../src/render/json.ts';
import { memoryFiles } from '../cli/memory-files.ts';
import { described, fixtureFile, temporaryFile, temporaryFolder, vmwalk } from '../cli/run.ts';
import { readImage } from '../containers/images.ts';
import { readFixture } from '../fixtures.ts';
import { memoryFixtures } from '../ram/memory-fixtures.ts';

const badArgument = expect.objectContaining({ code: 'bad-argument' });
const channelled = memoryFixtures.find(({ channels }) => channels > 1)!;

/** What the command prints as JSON. */
async function printed(...args: readonly string[]): Promise<unknown> {
  return JSON.parse((await vmwalk([...args, '--json'])).stdout);
}

test('a VM knows what its stream was taken out of', async () => {
  const file = `${temporaryFile(gzipSync(readImage('zlib')), 'disk.qcow2.gz')}#1`;
  const vm = await openVm(file);
  expect(vm.containers.map(({ kind }) => kind)).toEqual(['gzip', 'qcow2']);
  // What they are, and not what their bytes are read from.
  const layers = vm.containers.map(({ source: _, ...layer }) => layer);
  expect((await streamInfo(vm)).containers).toEqual(layers);
  expect(await printed('info', file)).toMatchObject({ containers: JSON.parse(toJson(layers)) });
  await vm.close();
});

test.each(['qemu-7.2-q35-devices', 'qemu-11.1-riscv64-virt', described.name])(
  'the leaves and gaps of %s are those that a walk comes by',
  async (name) => {
    const vm = await openVm(temporaryFile(readFixture(name), 'vm.qevm'));
    const seen: { leaves: number; gapBytes: number }[] = [];
    for await (const { root } of vm.layouts()) {
      const count = { leaves: 0, gapBytes: 0 };
      for (const { node } of walk(root)) {
        if (node.kind === 'leaf') count.leaves++;
        if (node.kind === 'gap') count.gapBytes += node.end - node.start;
      }
      seen.push(count);
    }
    const { sections } = await streamInfo(vm);
    expect(sections.map(({ leaves, gapBytes }) => ({ leaves, gapBytes }))).toEqual(
      seen.slice(vm.stream.configuration ? 1 : 0),
    );
    await vm.close();
  },
);

describe('of a VM that was closed', () => {
  test.each([
    ['a file', () => fixtureFile(described)],
    ['a compressed file', () => temporaryFile(gzipSync(readFixture(described.name)), 'vm.qevm.gz')],
    ['a snapshot', () => `${temporaryFile(readImage('zlib'), 'disk.qcow2')}#1`],
  ])('%s is not read, which is said', async (_, file) => {
    const vm = await openVm(file());
    await vm.close();
    await vm.close();
    const failed: DecodeError = await vm.layout(vm.sections.at(-1)!).catch((error) => error);
    expect(failed).toEqual(badArgument);
    expect(failed.message).toMatch(/ was closed\b/);
  });

  test('the memory is not read either', async () => {
    const vm = await openVm(fixtureFile(described), { memory: nodeMemory() });
    await vm.close();
    const block = vm.memory!.blocks[0]!.idstr;
    await expect(vm.memory!.read(block, 0, 1)).rejects.toEqual(badArgument);
    await expect(vm.memory!.prepare()).rejects.toEqual(badArgument);
    await expect(extractRam(vm, join(temporaryFolder(), 'out'))).rejects.toEqual(badArgument);
  });
});

describe('a VM with its channels', () => {
  test('is extracted with them', async () => {
    const { folder, main, channels } = memoryFiles(channelled.name);
    const vm = await openVm(main, { channel: channels, memory: nodeMemory() });
    const ram = await extractRam(vm, join(folder, 'ram'));
    const all = await extractStream(vm, join(folder, 'all'));
    await vm.close();
    const out = join(folder, 'by-command');
    expect(ram).toEqual(await printed('ram', 'extract', main, '--channel', ...channels, '-o', out));
    expect(ram.blocks.some(({ file }) => file !== undefined)).toBe(true);
    expect(all.files.filter(({ content }) => content.kind === 'ram').length).toBe(
      ram.blocks.filter(({ file }) => file !== undefined).length,
    );
  });

  test('is stopped while it reads them', async () => {
    const { main, channels } = memoryFiles(channelled.name);
    const stop = new AbortController();
    const vm = await openVm(main, { channel: channels, memory: nodeMemory(), signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(vm.memory!.prepare()).rejects.toThrow('enough');
    await vm.close();
  });
});

test('what needs the memory of a VM that was opened without says so, and writes nothing', async () => {
  const vm = await openVm(temporaryFile(readFixture('qemu-7.2-pc-devices')));
  const out = join(temporaryFolder(), 'out');
  await expect(extractRam(vm, out)).rejects.toEqual(badArgument);
  await expect(extractStream(vm, out)).rejects.toEqual(badArgument);
  await expect(writeCore(vm, await planCore(vm, {}), out)).rejects.toEqual(badArgument);
  expect(existsSync(out)).toBe(false);
  await vm.close();
});

describe('a report on RAM', () => {
  test('is refused for a VM that nothing was counted of', async () => {
    const vm = await openVm(fixtureFile(described));
    const sink = new PageUsage();
    const counted = await openVm(fixtureFile(described), { sink });
    expect(() => ramReport(vm, new PageUsage())).toThrow(badArgument);
    expect(ramReport(counted, sink)!.rounds.length).toBeGreaterThan(0);
    expect(() => ramReport(counted, sink, { ranges: 1.5 })).toThrow(badArgument);
    for (const each of [vm, counted]) await each.close();
  });

  test('is drawn as what the file is called', async () => {
    const usage = new PageUsage();
    const vm = await openVm(fixtureFile(described), { sink: usage });
    const out = join(temporaryFolder(), 'map.jpg');
    await expect(writeRamMap(out, ramReport(vm, usage)!, usage)).rejects.toEqual(badArgument);
    expect(existsSync(out)).toBe(false);
    await vm.close();
  });
});

describe('what the commands refuse, the library refuses', () => {
  test.each([
    ['a capability', { capabilities: { postcopy: true } }],
    ['a parameter', { parameters: { 'max-bandwidth': '1' } }],
  ])('%s that there is not', async (_, set) => {
    expect(() => new Destination(set)).toThrow(badArgument);
    await expect(openDestination({ profile: fixtureFile(described), ...set })).rejects.toEqual(badArgument);
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 60])('an offset of %s', async (offset) => {
    await expect(openVm(fixtureFile(described), { offset })).rejects.toEqual(badArgument);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('a time limit of %s', async (timeout) => {
    await expect(captureProfile(['qemu-system-x86_64'], { timeout })).rejects.toEqual(badArgument);
  });

  test('a direction that there is not', async () => {
    const file = temporaryFile(Buffer.from('{}'), 'dump.json');
    writeFileSync(file, JSON.stringify({ vmschkmachine: { Name: 'pc-i440fx-7.2' } }));
    const side = await openSide(file);
    expect(() => compareSides(side, side, { direction: 'new-to-newer' as Direction })).toThrow(badArgument);
  });
});

test('a container is not decompressed any further once that is stopped', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'vm.qevm.gz');
  writeFileSync(file, gzipSync(Buffer.concat([readFixture('qemu-7.2-pc-devices'), Buffer.alloc(64 << 20)])));
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await expect(openVm(file, { signal: stop.signal })).rejects.toThrow('enough');
  const later = new AbortController();
  const opening = openVm(file, { signal: later.signal });
  later.abort(new Error('enough now'));
  await expect(opening).rejects.toThrow('enough now');
});
