import fc from 'fast-check';
import { describe, test } from 'vitest';
import { builtInInfos } from '../../src/infos/infos.ts';
import { checkTree, decodeInfo } from './decode-info.ts';
import { ahci, e1000e, pciBridge, rootPort, virtioNet } from './pci-configs.ts';

/** Those that walk a VMSD, or are checked by what their context has, are tested with the walk. */
const types = [...builtInInfos]
  .filter(([type, { open }]) => open && !['capability', 'qlist', 'qtailq'].includes(type))
  .map(([type]) => type);

/** Sizes that one codec or another takes. */
const SIZES = [1, 2, 4, 8, 16, 17, 28, 32, 36, 52, 76, 81, 160, 256, 4096];
const sizes = fc.oneof(fc.constantFrom(...SIZES), fc.integer({ min: 0, max: 600 }));

/** Bytes of which most are small, so that counts and lengths made of them are sometimes right. */
const bytes = sizes.chain((size) =>
  fc.oneof(
    fc.uint8Array({ minLength: size, maxLength: size }),
    fc
      .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 255 })), {
        minLength: size,
        maxLength: size,
      })
      .map((values) => Uint8Array.from(values)),
  ),
);

/** Decodes what may be anything; the field is tiled, or left alone. */
function decode(type: string, field: Uint8Array): void {
  const node = decodeInfo(type, field);
  if (node) checkTree(node, field.length);
}

describe('any bytes: the field is tiled or stays bytes, nothing throws', () => {
  for (const type of types) {
    test(type, () => {
      fc.assert(
        fc.property(bytes, (field) => {
          decode(type, field);
        }),
        { numRuns: 400 },
      );
    });
  }
});

describe('a real configuration space with bytes changed', () => {
  for (const [name, config] of Object.entries({ rootPort, e1000e, pciBridge, ahci, virtioNet })) {
    test(name, () => {
      const changes = fc.array(
        fc.tuple(fc.integer({ min: 0, max: config.length - 1 }), fc.integer({ min: 0, max: 255 })),
        { maxLength: 24 },
      );
      fc.assert(
        fc.property(changes, (list) => {
          const changed = Uint8Array.from(config);
          for (const [offset, byte] of list) changed[offset] = byte;
          decode('pci config', changed);
        }),
        { numRuns: 500 },
      );
    });
  }
});

describe('any list of capabilities', () => {
  const ids = fc.integer({ min: 0, max: 0x16 });
  const extendedIds = fc.integer({ min: 0, max: 0x36 });

  /** A configuration space of random bytes, whose lists lead over as many capabilities as there is room for. */
  const configs = fc
    .tuple(
      fc.uint8Array({ minLength: 4096, maxLength: 4096 }),
      fc.array(fc.tuple(fc.integer({ min: 0x40, max: 0xff }), ids), { maxLength: 20 }),
      fc.array(fc.tuple(fc.integer({ min: 0x100, max: 0xfff }), extendedIds), { maxLength: 60 }),
      fc.integer({ min: 0, max: 3 }),
    )
    .map(([config, list, extended, headerType]) => {
      config[0x06] = 0x10;
      config[0x0e] = headerType;
      let pointer = headerType === 2 ? 0x14 : 0x34;
      for (const [place, id] of list) {
        config[pointer] = place;
        config[place & ~3] = id;
        pointer = (place & ~3) + 1;
      }
      const view = new DataView(config.buffer);
      let from = 0x100;
      for (const [place, id] of extended) {
        view.setUint32(from, ((place & ~3) * 0x100000 + 0x10000 + id) >>> 0, true);
        from = place & ~3;
      }
      return config;
    });

  test('tiles', () => {
    fc.assert(
      fc.property(configs, fc.boolean(), (config, isExpress) => {
        decode('pci config', isExpress ? config : config.slice(0, 256));
      }),
      { numRuns: 1500 },
    );
  });
});

test('lists that claim more than there is end', () => {
  const large = new Uint8Array(4 << 20).fill(0xff);
  for (const type of types) decode(type, large);
  const zero = new Uint8Array(4 << 20);
  for (const type of types) decode(type, zero);
  // Resources of a GPU without pixels, one after another.
  const resources = new Uint8Array(20 * 100_000);
  const view = new DataView(resources.buffer);
  for (let i = 0; i < 100_000; i++) {
    view.setUint32(20 * i, 1);
    view.setUint32(20 * i + 12, 1);
  }
  decode('virtio-gpu', resources);
});
