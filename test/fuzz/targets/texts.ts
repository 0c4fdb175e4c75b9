import { memorySource } from '../../../src/bytes/source.ts';
import { checkStream } from '../../../src/check/check.ts';
import { Destination } from '../../../src/check/destination.ts';
import { factsOfProfile } from '../../../src/check/facts.ts';
import { type Profile, parseProfile, serializeProfile } from '../../../src/check/profile.ts';
import { compareSides } from '../../../src/compat/compat.ts';
import { sideOfDump } from '../../../src/compat/side-of-dump.ts';
import { sideOfSchema } from '../../../src/compat/side-of-schema.ts';
import { extractSchema } from '../../../src/extract/extract-schema.ts';
import type { Layout } from '../../../src/layout/node.ts';
import { layouts, openStream } from '../../../src/layout/open.ts';
import { SchemaTables } from '../../../src/layout/tables.ts';
import { readExplanations } from '../../../src/node/explanations.ts';
import { explainMessages, nearCodes } from '../../../src/ops/explain.ts';
import { compileSelectors, selectNodes } from '../../../src/ops/select.ts';
import { checkText } from '../../../src/render/check-text.ts';
import { compatText } from '../../../src/render/compat-text.ts';
import { plainStyle } from '../../../src/render/style.ts';
import { parseDumpVmstate } from '../../../src/schema/dump-vmstate.ts';
import { parseSchema } from '../../../src/schema/parse-schema.ts';
import type { QemuSchema } from '../../../src/schema/qemu-schema.ts';
import { serializeSchema } from '../../../src/schema/serialize-schema.ts';
import { plainQemu } from '../../extract/fake-qemu.ts';
import { decode } from '../../robustness/decode.ts';
import { printProblems } from '../../robustness/print.ts';
import { orRefused } from '../failure.ts';
import { deviceStreams } from '../stream-seeds.ts';
import type { Target } from '../target.ts';
import { anyStream } from './streams.ts';

const compatDisplay = { style: plainStyle, width: 100, all: true };

async function smallSchema(): Promise<QemuSchema> {
  return extractSchema({ binary: memorySource(plainQemu({ layout: '11.1' }), 'qemu'), modules: [] });
}

/** A schema with what most VMSDs are made of, for sections of the smallest real stream. */
export async function avrSchema(): Promise<QemuSchema> {
  const schema = await smallSchema();
  const used = await Promise.all(
    (await deviceStreams()).slice(0, 8).map(({ bytes }) => openStream(memorySource(bytes))),
  );
  const names = used.flatMap(({ stream }) =>
    stream.sections.map(({ idstr }) => idstr.slice(idstr.lastIndexOf('/') + 1)),
  );
  return { ...schema, vmsds: schema.vmsds.map((vmsd, i) => ({ ...vmsd, name: names[i % names.length] })) };
}

export const schema: Target = {
  name: 'schema',
  about: 'schema files: read, compared with themselves, and streams read by them',
  words: [
    '"uint32"',
    '"virtio"',
    '"bitmap"',
    '"tmp"',
    '"qtailq"',
    '"gtree"',
    '"pci config"',
    '2052',
    '260',
    '16384',
  ],
  seeds: async () => [await smallSchema(), await avrSchema()].map((one) => Buffer.from(serializeSchema(one))),
  async judge(bytes) {
    const result = await orRefused(async () => {
      const parsed = parseSchema(Buffer.from(bytes).toString('utf8'));
      const text = serializeSchema(parsed);
      const side = sideOfSchema(parsed, 'schema');
      const lines = [...compatText(compareSides(side, side), compatDisplay)];
      const [one] = await deviceStreams();
      const decoded = await decode(one!.bytes, { tables: new SchemaTables(parsed), ignoreVmdesc: true });
      return { text, again: serializeSchema(parseSchema(text)), lines, sections: decoded?.sections.length };
    });
    if (!result) return { problems: [], result: 'refused' };
    const problems = printProblems('compat', result.lines);
    if (result.text !== result.again) problems.push('a schema that is not read as written');
    return { problems, result: JSON.stringify(result) };
  },
  testRuns: 40,
};

/** What `-dump-vmstate` prints, of a QEMU before 8.0 and of one since. */
const DUMPS = ['', '"num": 4,'].map(
  (count) => `{
  "vmschkmachine": { "Name": "none" },
  "outer": { "Name": "outer", "version_id": 3, "minimum_version_id": 2, "Description": {
    "name": "outer", "version_id": 3, "minimum_version_id": 2, "Fields": [
      { "field": "count", "version_id": 0, "field_exists": false, ${count} "size": 4 },
      { "field": "inner", "version_id": 2, "field_exists": true, "size": 8, "Description": {
        "name": "inner", "version_id": 1, "minimum_version_id": 1, "Fields": [
          { "field": "a", "version_id": 0, "field_exists": false, "size": 2 } ] } } ],
    "Subsections": [ { "name": "outer/more", "version_id": 1, "minimum_version_id": 1, "Fields": [
      { "field": "extra", "version_id": 0, "field_exists": false, "size": 8 } ] } ] } },
  "(null)": { "Name": "(null)", "version_id": 1, "minimum_version_id": 1 }
}`,
);

export const dumpVmstate: Target = {
  name: 'dump-vmstate',
  about: 'what -dump-vmstate prints: read, and compared with another',
  words: ['"Fields"', '"Description"', '"Subsections"', '"num"', '"size"', '"field_exists"'],
  seeds: () => DUMPS.map((text) => Buffer.from(text)),
  async judge(bytes) {
    const result = await orRefused(() => {
      const side = sideOfDump(parseDumpVmstate(Buffer.from(bytes).toString('utf8')), 'dump');
      const other = sideOfDump(parseDumpVmstate(DUMPS[1]!), 'other');
      return [...compatText(compareSides(other, side), compatDisplay)];
    });
    return {
      problems: printProblems('compat', result ?? []),
      result: result?.join('\n') ?? 'refused',
    };
  },
  testRuns: 40,
};

export async function smallProfile(): Promise<Profile> {
  return {
    kind: 'profile',
    qemu: { version: '7.2.22', package: '' },
    target: 'avr',
    machineType: 'arduino-uno',
    kvm: false,
    commandLine: ['qemu-system-avr', '-M', 'uno'],
    messages: ['a warning'],
    capabilities: { xbzrle: false, events: true },
    ramBlocks: [{ name: 'sram', pageSize: 4096, usedLength: 2048, maxLength: 2048 }],
    devices: [
      { path: '/machine', type: 'arduino-uno-machine', properties: { usb: false } },
      {
        path: '/machine/net',
        type: 'virtio-net-device',
        bus: '/machine/bus',
        devicePath: '0000:00:03.0',
        properties: { mq: true, speed: -1, large: '18446744073709551615' },
        pci: {
          vendorId: 0x1af4,
          deviceId: 0x1000,
          subsystemVendorId: 0,
          subsystemId: 0,
          regions: [{ bar: 6, type: 'memory', size: 2 ** 38 }],
        },
        virtio: {
          deviceId: 1,
          queues: 3,
          hostFeatures: 2n ** 40n + 1n,
          unnumberedFeatures: ['VIRTIO_NET_F_NEW'],
        },
      },
    ],
    schema: await smallSchema(),
    stream: anyStream(),
  };
}

export const profile: Target = {
  name: 'profile',
  about: 'profiles of destinations: read, and a stream checked against them',
  words: ['"avr"', '"x86_64"', '"virtio-net-device"', '"0x10179bfffef"', '"io"', '"memory"', '"xbzrle"'],
  seeds: async () => {
    const all = await smallProfile();
    return [all, { ...all, schema: undefined }].map((one) => Buffer.from(serializeProfile(one)));
  },
  async judge(bytes) {
    const lines = await orRefused(async () => {
      const told = parseProfile(bytes);
      const own = await openStream(memorySource(told.stream));
      const destination = new Destination({
        tables: told.schema && new SchemaTables(told.schema),
        own,
        facts: factsOfProfile(told),
        qemuVersion: told.qemu.version,
      });
      const report = await checkStream(await openStream(memorySource(anyStream(), 'stream')), destination);
      return [...checkText(report, { style: plainStyle, notes: true })];
    });
    return {
      problems: printProblems('check', lines ?? []),
      result: lines?.join('\n') ?? 'refused',
    };
  },
  testRuns: 40,
};

/** Characters of selectors and messages, which people type or paste; longer ones take longer. */
const MAX_TEXT = 4000;

export const selectors: Target = {
  name: 'selectors',
  about: 'selectors: nodes of real streams picked by them',
  words: ['**', '*', '?', '[0]', '/', '@1', '0x', '..', '-', '='],
  seeds: () =>
    [
      'cpu/env.regs[3]',
      '**/fields*',
      '*',
      'virtio-net@1/**',
      'a*b*c?/[0-9]',
      '**a**a**a',
      '0x0-0x1000=pc.ram',
    ].map((text) => Buffer.from(text)),
  async judge(bytes) {
    const text = Buffer.from(bytes).toString('utf8').slice(0, MAX_TEXT);
    const selection = compileSelectors([text]);
    const counts = (await smallLayouts()).map((layout) => [...selectNodes(layout, selection)].length);
    return { problems: [], result: counts.join() };
  },
  testRuns: 40,
};

let small: Promise<readonly Layout[]> | undefined;

/** Sections to pick nodes of; resolved once, since only the selectors differ. */
function smallLayouts(): Promise<readonly Layout[]> {
  small ??= (async () => {
    const found: Layout[] = [];
    for (const { bytes } of (await deviceStreams()).slice(0, 6)) {
      for await (const layout of layouts(await openStream(memorySource(bytes)))) found.push(layout);
    }
    return found;
  })();
  return small;
}

export const explain: Target = {
  name: 'explain',
  about: 'messages of QEMU to explain, and codes',
  words: [
    "'pc.ram'",
    '0x10179bfffef',
    'Features',
    'error while loading state',
    'qemu-system-x86_64:',
    '\n',
    '…',
  ],
  seeds: () =>
    [
      'Features 0x1c0010130afffaf unsupported. Allowed features: 0x10179bfffef',
      "qemu: Unknown savevm section or instance 'block' 0\nload of migration failed: Invalid argument",
      'Missing section footer for 0000:00:1f.0/ICH9LPC',
      'Length mismatch: pc.ram: 0x8000000 in != 0x10000000: Invalid argument',
      'ram-block-resized',
    ].map((text) => Buffer.from(text)),
  async judge(bytes) {
    const text = Buffer.from(bytes).toString('utf8').slice(0, MAX_TEXT);
    const explanations = await explained();
    const found = explainMessages(explanations, text).pages.map(({ code }) => code);
    const near = nearCodes(
      explanations.map(({ code }) => code),
      text,
    );
    return { problems: [], result: [...found, ...near].join() };
  },
  testRuns: 30,
};

let pages: ReturnType<typeof readExplanations> | undefined;

function explained(): ReturnType<typeof readExplanations> {
  pages ??= readExplanations();
  return pages;
}
