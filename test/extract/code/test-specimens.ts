import type { Expression } from '../../../src/expressions/expression.ts';
import type { CodeParts } from './code-image.ts';

/** A test as a compiler made it of C, and what it computes. */
export interface TestSpecimen extends CodeParts {
  readonly c: string;
  readonly at: number;
  readonly expected: Expression;
}

/*
 * struct { u64 pad; S *parent; u8 mode (16); bool on (17); u16 port (18); u32 flags (20); s32 level (24);
 *          u64 features (32); u32 table[4] (40); } of an object `s`; gcc 12 -O2 -fcf-protection
 * -fstack-protector-strong, as Debian builds.
 */
const simple: readonly (readonly [c: string, code: string, expected: Expression])[] = [
  ['return version == 1;', 'f30f1efa83fe010f94c0c3', ['eq', 'version', 1]],
  ['return version < 5;', 'f30f1efa83fe040f9ec0c3', ['lts', 'version', 5]],
  [
    'return version >= 2 && version <= 4;',
    'f30f1efa83ee0283fe020f96c0c3',
    ['and', ['lts', 1, 'version'], ['lts', 'version', 5]],
  ],
  [
    'return s->flags & (1u << 3);',
    'f30f1efa8b4714c1e80383e001c3',
    ['ne', ['and', ['load', 'opaque', 20, 4], 8], 0],
  ],
  [
    'return !(s->flags & (1u << 3));',
    'f30f1efa8b4714c1e80383f00183e001c3',
    ['eq', ['and', ['load', 'opaque', 20, 4], 8], 0],
  ],
  [
    'return s->features >> 34 & 1;',
    'f30f1efa488b472048c1e82283e001c3',
    ['ne', ['and', ['load', 'opaque', 32, 8], 0x400000000], 0],
  ],
  ['return !s->on;', 'f30f1efa0fb6471183f001c3', ['ne', ['load', 'opaque', 17, 1], 1]],
  [
    'return s->on && s->level < -1;',
    'f30f1efa0fb6471184c07407837f18ff0f9cc0c3',
    [
      'and',
      ['ne', ['load', 'opaque', 17, 1], 0],
      ['lts', ['sext', ['load', 'opaque', 24, 4], 32], '0xffffffffffffffff'],
    ],
  ],
  [
    'return s->parent && s->parent->mode == 7;',
    'f30f1efa488b570831c04885d27407807a10070f94c0c3',
    ['and', ['ne', ['load', 'opaque', 8, 8], 0], ['eq', ['load', ['load', 'opaque', 8, 8], 16, 1], 7]],
  ],
  [
    'return s->mode >= 3 && s->mode <= 32;',
    'f30f1efa0fb6471083e8033c1d0f96c0c3',
    ['and', ['ltu', 2, ['load', 'opaque', 16, 1]], ['ltu', ['load', 'opaque', 16, 1], 33]],
  ],
  [
    'return s->features >> s->mode & 1;',
    'f30f1efa0fb64f10488b472048d3e883e001c3',
    ['ne', ['and', ['shr', ['load', 'opaque', 32, 8], ['and', ['load', 'opaque', 16, 1], 63]], 1], 0],
  ],
  [
    'return MIN(version, s->level) < 5;',
    'f30f1efa8b471839c60f4ff083fe040f9ec0c3',
    [
      'if',
      ['lts', 'version', ['sext', ['load', 'opaque', 24, 4], 32]],
      ['lts', 'version', 5],
      ['lts', ['sext', ['load', 'opaque', 24, 4], 32], 5],
    ],
  ],
  // GCC 14, then clang 19, which takes the other one of equal values.
  ...['0fb6471039f00f4fc683f8040f9fc0c3', '0fb6471039f00f4cf083fe050f9dc0c3'].map(
    (code): (typeof simple)[number] => [
      'return MIN(version, s->mode) >= 5;',
      code,
      [
        'if',
        ['lts', 'version', ['load', 'opaque', 16, 1]],
        ['lts', 4, 'version'],
        ['ltu', 4, ['load', 'opaque', 16, 1]],
      ],
    ],
  ),
  ...['0fb6471039f00f4fc683e80583f8010f96c0c3', '0fb6471039f00f4cf083c6fb83fe020f92c0c3'].map(
    (code): (typeof simple)[number] => [
      'return MIN(version, s->mode) >= 5 && MIN(version, s->mode) <= 6;',
      code,
      [
        'ltu',
        [
          'trunc',
          [
            'add',
            [
              'if',
              ['lts', 'version', ['load', 'opaque', 16, 1]],
              ['trunc', 'version', 32],
              ['load', 'opaque', 16, 1],
            ],
            '0xfffffffffffffffb',
          ],
          32,
        ],
        2,
      ],
    ],
  ),
  [
    'return container_of(o, T, inner)->port == 0x1f0;',
    'f30f1efa66817ffaf0010f94c0c3',
    ['eq', ['load', 'opaque', -6, 2], 0x1f0],
  ],
  [
    'for (i = 0; i < 4; i++) if (s->table[i]) return true; return false;',
    'f30f1efa488d47284883c7388b1085d2750e4883c0044839f875f131c0c36690b801000000c3',
    [
      'or',
      ['ne', ['load', 'opaque', 40, 4], 0],
      [
        'or',
        ['ne', ['load', 'opaque', 44, 4], 0],
        ['or', ['ne', ['load', 'opaque', 48, 4], 0], ['ne', ['load', 'opaque', 52, 4], 0]],
      ],
    ],
  ],
  [
    'return version == 1 || version == 3 || version == 4 || version == 8;',
    'f30f1efa83fe087717b81a010000480fa3f00f92c0c3662e0f1f84000000000031c0c3',
    [
      'and',
      ['ltu', ['trunc', 'version', 32], 9],
      ['ne', ['and', ['shr', 0x11a, ['and', 'version', 63]], 1], 0],
    ],
  ],
];

const AT = 0x1000;

const larger: readonly TestSpecimen[] = [
  {
    c: 'switch (version) { case 0: return s->on; case 1: return true; case 2: return s->mode; case 3: return s->flags; case 4: return s->port == 3; case 5: return false; default: return s->level == 9; }',
    at: 0x1290,
    memory: {
      4752:
        'f30f1efa83fe057760488d15600d000089f6486304b24801d03effe00f1f4000b801000000c3662e0f1f84000000000031c0c3' +
        '0f1f4400000fb64711c30f1f00807f10000f95c0c30f1f8400000000008b471485c00f95c0c30f1f800000000066837f12030f94c0c3' +
        '837f18090f94c0c3',
      8192: 'c8f2ffffb0f2ffffd0f2ffffe0f2fffff0f2ffffc0f2ffff',
    },
    expected: [
      'if',
      ['ltu', 5, ['trunc', 'version', 32]],
      ['eq', ['load', 'opaque', 24, 4], 9],
      [
        'if',
        ['eq', 'version', 0],
        ['ne', ['load', 'opaque', 17, 1], 0],
        [
          'or',
          ['eq', 'version', 1],
          [
            'if',
            ['eq', 'version', 2],
            ['ne', ['load', 'opaque', 16, 1], 0],
            [
              'if',
              ['eq', 'version', 3],
              ['ne', ['load', 'opaque', 20, 4], 0],
              ['and', ['eq', 'version', 4], ['eq', ['load', 'opaque', 18, 2], 3]],
            ],
          ],
        ],
      ],
    ],
  },
  {
    c: 'static bool helper(uint32_t flags, uint32_t bit); return helper(s->parent->flags, 4) && !helper(s->flags, 16);',
    at: 0x1340,
    memory: {
      4384: '85fe0f95c0c3',
      4928: 'f30f1efa488b47084889fabe040000008b7814e8c8fdffff84c074108b7a14be10000000e8b7fdffff83f001c3',
    },
    expected: [
      'and',
      ['ne', ['and', ['load', ['load', 'opaque', 8, 8], 20, 4], 4], 0],
      ['eq', ['and', ['load', 'opaque', 20, 4], 16], 0],
    ],
  },
  {
    c: 'return kvm_allowed != 0;',
    at: 0x1370,
    memory: { 4976: 'f30f1efa8b059a2c000085c00f95c0c3', 16384: '00'.repeat(32) },
    variables: [[0x4000, 32]],
    expected: ['ne', ['load', 'global', 0x4014, 4], 0],
  },
  {
    c: 'static const int kvm_allowed = 3; return kvm_allowed != 0;',
    at: 0x1370,
    memory: { 4976: 'f30f1efa8b059a2c000085c00f95c0c3', 16404: '03000000' },
    expected: 1,
  },
  {
    c: 'return s->callback(s) && s->on;',
    at: 0x1380,
    memory: { 4992: 'f30f1efa534889fbff1784c074040fb643115bc3' },
    expected: ['unknown', 'call'],
  },
  {
    c: 'char buffer[32] = {0}; buffer[3] = s->mode; return buffer[3] == 2; /* with a stack protector */',
    at: 0x13a0,
    memory: {
      4144: 'ff25ca2f0000',
      5024:
        'f30f1efa4883ec38660fefc064488b042528000000488944242831c00fb647100f2904240f29442410884424030fb64424033c020f94c0' +
        '488b54242864482b14252800000075054883c438c3e83ffcffff',
      16384: '0000000000000000',
    },
    imports: { 16384: '__stack_chk_fail' },
    expected: ['eq', ['load', 'opaque', 16, 1], 2],
  },
  {
    c: 's = object_dynamic_cast_assert(o, "virtio-device", "hw/virtio/virtio.c", 77, "VIRTIO_DEVICE"); return s->mode == 1;',
    at: 0x1400,
    memory: {
      4368: 'b94d000000488b07ffe0',
      5120: 'f30f1efa4883ec084c8d05090c0000b94d000000488d150b0c0000488d35170c0000e8e9fcffff807810010f94c04883c408c3',
      8216: `${text('VIRTIO_DEVICE')}${text('hw/virtio/virtio.c')}${text('virtio-device')}`,
    },
    expected: ['eq', ['load', 'opaque', 16, 1], 1],
  },
  {
    // A call that only looks like a cast: its third argument names no source file.
    c: 'return check(o, "virtio-device", "hw/virtio/virtio_X", 77, "VIRTIO_DEVICE")->mode == 1;',
    at: 0x1400,
    memory: {
      4368: 'b94d000000488b07ffe0',
      5120: 'f30f1efa4883ec084c8d05090c0000b94d000000488d150b0c0000488d35170c0000e8e9fcffff807810010f94c04883c408c3',
      8216: `${text('VIRTIO_DEVICE')}${text('hw/virtio/virtio_X')}${text('virtio-device')}`,
    },
    expected: ['unknown', 'call'],
  },
];

function text(value: string): string {
  return Buffer.from(`${value}\0`).toString('hex');
}

export const testSpecimens: readonly TestSpecimen[] = [
  ...simple.map(([c, code, expected]) => ({ c, at: AT, memory: { [AT]: code }, expected })),
  ...larger,
];
