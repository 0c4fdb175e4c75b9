import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DecodeError } from '../../src/bytes/diagnostic.ts';
import { memorySource } from '../../src/bytes/source.ts';
import { type Profile, parseProfile, serializeProfile } from '../../src/check/profile.ts';
import { unwrap } from '../../src/containers/open.ts';
import { nodeEnvironment } from '../../src/node/decompress.ts';
import { openProfile, writeProfileFile } from '../../src/node/profile-file.ts';
import { openSchema } from '../../src/node/schema-file.ts';
import { temporaryFolder } from '../cli/run.ts';
import { readFixture } from '../fixtures.ts';

const stream = new Uint8Array(readFixture('qemu-7.2-avr-uno'));
const profile: Profile = {
  kind: 'profile',
  qemu: { version: '7.2.22', package: 'Debian 1:7.2+dfsg-7' },
  target: 'avr',
  machineType: 'arduino-uno',
  kvm: false,
  commandLine: ['qemu-system-avr', '-M', 'uno'],
  messages: [],
  capabilities: { xbzrle: false, events: true },
  ramBlocks: [{ name: 'sram', pageSize: 4096, usedLength: 2048, maxLength: 2 ** 40 }],
  devices: [
    { path: '/machine', type: 'arduino-uno-machine', properties: { usb: false } },
    {
      path: '/machine/peripheral/net',
      type: 'virtio-net-device',
      bus: '/machine/bus',
      devicePath: '0000:00:03.0',
      properties: { mac: '52:54:00:12:34:56', mq: true, speed: -1, large: '18446744073709551615' },
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
  schema: await openSchema(join(import.meta.dirname, '../../schemas/7.2-sparc.json.gz')),
  stream,
};
const text = serializeProfile(profile);

test('a profile is read as it was written', () => {
  expect(parseProfile(text)).toEqual(profile);
  expect(parseProfile(Buffer.from(text))).toEqual(profile);
  const { schema: _, ...withoutSchema } = profile;
  expect(parseProfile(serializeProfile({ ...withoutSchema, schema: undefined })).schema).toBeUndefined();
});

test('its file is compressed, and read in plain text, too', async () => {
  const path = join(temporaryFolder(), 'a.profile');
  const size = await writeProfileFile(path, profile);
  expect(size).toBeLessThan(text.length / 2);
  expect(await openProfile(path)).toEqual(profile);
  await expect(writeProfileFile(path, profile)).rejects.toThrow('exists already');
});

test('as a container it holds the stream', async () => {
  const { source, layers } = await unwrap(memorySource(Buffer.from(text)), nodeEnvironment());
  expect(layers.map(({ kind }) => kind)).toEqual(['profile']);
  expect(Buffer.from(await source.read(0, source.size)).equals(stream)).toBe(true);
});

/** The profile with something changed in its JSON. */
function changed(
  // biome-ignore lint/suspicious/noExplicitAny: it is to be made wrong
  change: (json: any) => void,
): string {
  const json = JSON.parse(text);
  change(json);
  return JSON.stringify(json);
}

test.each<[string, string, string]>([
  ['nothing', '', 'no usable profile: it is not valid JSON'],
  ['a number', '1', 'the file is not an object'],
  ['another format', '{"format":"vmwalk-schema"}', '"format" is not "vmwalk-profile"'],
  ['another version', changed((json) => (json.version = 3)), '"version" is 3, this program reads 1 and 2'],
  ['another kind', changed((json) => (json.kind = 'x')), '"kind" is neither "profile" nor "capture"'],
  ['no stream', changed((json) => delete json.stream), '"stream" is not a string'],
  ['a stream that is none', changed((json) => (json.stream = 'A')), '"stream" is no base64 text'],
  ['a negative size', changed((json) => (json.ramBlocks[0].maxLength = -1)), '"ramBlocks[0].maxLength"'],
  ['a fraction', changed((json) => (json.ramBlocks[0].pageSize = 0.5)), '"ramBlocks[0].pageSize"'],
  ['a device that is none', changed((json) => (json.devices[1] = null)), '"devices[1]" is not an object'],
  [
    'a property that is none',
    changed((json) => (json.devices[0].properties['a\u001b[2J'] = {})),
    '"devices[0].properties.a\\x1b[2J" is neither',
  ],
  ['a BAR that is none', changed((json) => (json.devices[1].pci.regions[0].bar = 7)), 'regions[0].bar"'],
  ['a region of no type', changed((json) => (json.devices[1].pci.regions[0].type = 1)), 'regions[0].type"'],
  [
    'features',
    changed((json) => (json.devices[1].virtio.hostFeatures = '12')),
    '"devices[1].virtio.hostFeatures"',
  ],
  ['a schema', changed((json) => (json.schema.vmsds = 5)), 'schema'],
  ['depth', `{"format":"vmwalk-profile","version":1,"qemu":${'['.repeat(1e6)}`, 'nests deeper than'],
])('a profile with %s is refused', (_, json, message) => {
  let error: unknown;
  try {
    parseProfile(json, 'x.profile');
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(DecodeError);
  expect((error as DecodeError).code).toBe('bad-profile');
  expect((error as DecodeError).message).toContain('x.profile is no usable profile: ');
  expect((error as DecodeError).message).toContain(message);
});

test('names of properties cannot reach the prototype', () => {
  const json = text.replace('"usb":false', '"__proto__":true');
  const { properties } = parseProfile(json).devices[0]!;
  expect(Object.keys(properties)).toEqual(['__proto__']);
  expect(properties['toString']).toBeUndefined();
});

test('a damaged profile is read, or refused in one way', () => {
  const { schema: _, ...rest } = profile;
  const plain = serializeProfile({ ...rest, schema: undefined });
  const change = fc.tuple(fc.nat(plain.length - 1), fc.constantFrom(...'0123456789-[]{},:"x\u0000 '));
  let refused = 0;
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let damaged = plain;
      for (const [at, character] of changes)
        damaged = damaged.slice(0, at) + character + damaged.slice(at + 1);
      try {
        parseProfile(damaged);
      } catch (error) {
        refused++;
        expect(error).toBeInstanceOf(DecodeError);
        expect((error as DecodeError).code).toBe('bad-profile');
      }
    }),
  );
  expect(refused).toBeGreaterThan(0);
});
